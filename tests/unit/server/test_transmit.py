"""What is learned from when replies left."""

import pytest

from refclock.server.transmit import TransmitDelay
from refclock.timebase import MILLISECOND

START = 10**18
REST = 10 * MILLISECOND.ns


class Server:
    """Sweeps at chosen moments; each is foretold first and then leaves."""

    def __init__(self) -> None:
        self.departures = TransmitDelay()
        self.now_ns = START

    def sweep(
        self, delay: int, *, count: int = 1, step: int = 0, after: int = REST
    ) -> tuple[int, int]:
        """What was foretold: delay and step, ns."""
        self.now_ns += after
        tell = self.departures.watch([1] * count, self.now_ns - 1_000)
        first_ns, step_ns = self.departures.leave(self.now_ns)
        for place, told in tell.items():
            for left in told:
                left(self.now_ns + delay + place * step)
        return first_ns - self.now_ns, step_ns


def test_until_eight_have_left_nothing_is_added() -> None:
    """A server held up in its first sweeps must not put T3 into the future."""
    server = Server()
    foretold = [server.sweep(200_000 if n < 6 else 20_000)[0] for n in range(9)]
    assert foretold == [0] * 8 + [20_000]


def test_the_second_least_of_the_last_eight_is_believed() -> None:
    server = Server()
    for delay in [9_000, 30_000, 25_000, *[20_000] * 5]:
        server.sweep(delay)
    assert server.sweep(7_000)[0] == 20_000
    assert server.sweep(8_000)[0] == 20_000
    assert server.sweep(8_000)[0] == 8_000


def test_each_length_of_rest_is_learned_apart() -> None:
    server = Server()
    rests = {200_000: 3_000, 600_000: 6_000, 3_000_000: 9_000, 50 * REST: 20_000}
    for after, delay in rests.items():
        for _ in range(500 if after < REST else 8):
            server.sweep(delay, after=after)
    for after, delay in rests.items():
        assert server.sweep(delay, after=after)[0] == delay
    assert server.sweep(0, after=1_500_000)[0] == 0


def test_the_time_between_two_replies_is_learned() -> None:
    server = Server()
    for _ in range(8):
        server.sweep(3_000, count=5, step=2_500)
    assert server.sweep(0, count=64) == (3_000, 2_500)


def test_who_was_held_up_for_long_still_knows_how_quick_he_can_be() -> None:
    """Else T3 lies in the future by 63 times the difference when it is over."""
    server = Server()
    for step in (*[2_500] * 8, *[6_000] * 200):
        server.sweep(3_000, count=64, step=step)
    assert server.sweep(3_000, count=64, step=6_000)[1] == 2_500
    for _ in range(60):
        server.sweep(3_000, count=64, step=6_000)
    assert server.sweep(3_000, count=64, step=6_000)[1] == 6_000


@pytest.mark.parametrize("delay", [-1, MILLISECOND.ns // 4, 10**9])
def test_a_step_or_a_pause_is_not_learned(delay: int) -> None:
    server = Server()
    for each in (*[5_000] * 8, *[delay] * 8):
        server.sweep(each)
    assert server.sweep(0)[0] == 5_000


def test_a_busy_server_watches_now_and_then() -> None:
    departures = TransmitDelay()
    watched = [bool(departures.watch([1], START + n * 2_500_000)) for n in range(10)]
    assert watched == [True, False, False, False] * 2 + [True, False]


def test_a_clock_set_back_does_not_stop_the_watching() -> None:
    departures = TransmitDelay()
    departures.watch([1], START)
    assert departures.watch([1], START - 10**12)


def late_by(server: Server, *, also_unwatched: bool) -> None:
    """A sweep whose stamp comes when the next one is past."""
    server.now_ns += REST
    read_ns = server.now_ns
    (late,) = server.departures.watch([1], read_ns)[0]
    server.departures.leave(read_ns)
    if also_unwatched:
        assert server.departures.watch([1], read_ns + 1_000_000) == {}
        server.departures.leave(read_ns + 1_000_000)
    else:
        server.sweep(8_000)
    late(read_ns + 6_000)


@pytest.mark.parametrize("also_unwatched", [False, True])
def test_a_stamp_that_comes_late_belongs_to_its_own_sweep(also_unwatched: bool) -> None:
    server = Server()
    for _ in range(8):
        late_by(server, also_unwatched=also_unwatched)
    assert server.sweep(0)[0] == 6_000


def test_a_last_stamp_without_the_first_teaches_nothing() -> None:
    server = Server()
    for _ in range(8):
        server.now_ns += REST
        tell = server.departures.watch([1] * 4, server.now_ns)
        server.departures.leave(server.now_ns)
        tell[3][0](server.now_ns + 10_000)
    assert server.sweep(0, count=4) == (0, 0)


def test_the_first_and_the_last_that_are_sent_are_watched() -> None:
    departures = TransmitDelay()
    assert list(departures.watch([0, 36, 0, 28, 36, 0], START)) == [1, 4]
    assert list(departures.watch([0, 0, 36], START + 10**9)) == [2]
