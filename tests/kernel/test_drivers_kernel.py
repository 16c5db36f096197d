"""Driver by driver on a real kernel.

The pulse's stamps are judged against the logged time of the pin calls, never
against the second: emulation shows behaviour, not microseconds.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from statistics import median

import pytest

from hw.abi.timex import STA_INS, STA_UNSYNC
from refclock.gnss.framer import proves
from tests.kernel.image import PULSE_LINE
from tests.kernel.machine import RTC_AT_BOOT, LiveGuest
from tests.kernel.outside import Pulse, Weather, Words

pytestmark = pytest.mark.kernel

_TIME_OK, _TIME_INS, _TIME_OOP, _TIME_WAIT, _TIME_ERROR = 0, 1, 3, 4, 5
_TYPICAL_NS = 20_000_000
"""How far stamp and pin call may drift apart, mostly, on a machine that is shared."""

_TURNS_NS = 3_000_000
"""Two turns of a loop that looks at a line by system calls, emulated."""


def strays(stamps: list[int], sent: list[Pulse]) -> list[int]:
    """By how much each interval between two stamps is not that of the pulses, ns.

    The guest's clock may show any date: the pulses are those whose intervals fit.
    """
    fits = []
    for at in range(len(sent) - len(stamps) + 1):
        truth = sent[at : at + len(stamps)]
        late = [t - p.before.ns for t, p in zip(stamps, truth, strict=True)]
        fits.append([abs(b - a) for a, b in pairwise(late)])
    return min(fits, key=sum)


def test_battery_clock(guest: LiveGuest) -> None:
    assert RTC_AT_BOOT <= guest.hello["rtc"] < "2024-03-01T00:01:30"


def test_kernel_pulse_is_found_and_counted(guest: LiveGuest) -> None:
    told = guest.call("pulse.kernel_edges", 6)
    assert told["name"] == "/dev/pps0"
    assert told["candidates"] == ["/dev/pps0"]
    seqs, stamps, kinds = zip(*told["edges"], strict=True)
    assert set(kinds) == {"assert"}
    assert seqs == tuple(range(seqs[0], seqs[0] + 6))
    astray = strays(list(stamps), list(guest.outside.pulses()))
    print(f"pulse intervals astray, us: {[ns // 1000 for ns in astray]}")
    assert median(astray) < _TYPICAL_NS


def test_kernel_pulse_time_out_tells_no_old_edge(guest: LiveGuest) -> None:
    told = guest.call("pulse.kernel_edges", 1)
    assert told["nothing_new"]
    assert 0.035 < told["waited_s"] < 0.5


def test_kernel_pulse_gone_and_back(guest: LiveGuest) -> None:
    guest.outside.turn(Weather(pulse=False))
    guest.call("pulse.kernel_edge", 1.2)
    assert not guest.call("pulse.kernel_edge", 2.5)
    guest.outside.turn(Weather())
    assert guest.call("pulse.kernel_edge", 3.0)


def test_kernel_stamps_know_nothing_of_a_busy_processor(guest: LiveGuest) -> None:
    """Whoever looks at the clock when woken is late; the kernel had stamped before."""
    late, astray = {}, {}
    for hogs in (0, 3):
        stamps = guest.call("pulse.kernel_and_own_stamps", 5, hogs)
        kernel = [at for at, _ in stamps]
        late[hogs] = median(own - at for at, own in stamps)
        astray[hogs] = median(strays(kernel, list(guest.outside.pulses())))
        print(f"{hogs} hogs: late {late[hogs] / 1e6:.3f} ms,", end=" ")
        print(f"astray {astray[hogs] / 1e6:.3f} ms")
    assert late[3] > 5 * late[0]
    assert late[3] > 5 * astray[3]
    assert astray[3] < _TYPICAL_NS


def test_doubled_pulses_are_both_told(guest: LiveGuest) -> None:
    guest.outside.turn(Weather(doubled=True))
    guest.call("pulse.kernel_edges", 2)
    edges = guest.call("pulse.kernel_edges", 6)["edges"]
    assert all(b[0] == a[0] + 1 for a, b in pairwise(edges))
    gaps = sorted(b[1] - a[1] for a, b in pairwise(edges))
    assert gaps[1] < 200_000_000
    assert gaps[-2] > 800_000_000


def test_kernel_pulse_without_the_edge_that_is_wanted(guest: LiveGuest) -> None:
    assert "it has no such edge" in guest.call("pulse.kernel_clear_edge")


def test_gpio_pulse_by_label_and_name(guest: LiveGuest) -> None:
    told = guest.call("pulse.gpio_edges", 9)
    assert told["name"] == "/dev/gpiochip0 GPIO18"
    rises = [(seq, at) for seq, at, kind in told["edges"] if kind == "assert"]
    falls = [(seq, at) for seq, at, kind in told["edges"] if kind == "clear"]
    assert abs(len(rises) - len(falls)) <= 1
    for edges in (rises, falls):
        assert all(b[0] == a[0] + 1 for a, b in pairwise(edges))
    stamps = [at for _, at in rises]
    astray = strays(stamps, list(guest.outside.pulses()))
    print(f"gpio intervals astray, us: {[ns // 1000 for ns in astray]}")
    assert median(astray) < _TYPICAL_NS


def test_gpio_line_that_pps_gpio_holds(guest: LiveGuest) -> None:
    why = guest.call("pulse.gpio_busy")
    assert "is held by 'pps'" in why
    assert 'pulse.source = "kernel"' in why


def test_second_line_watched_while_pps_gpio_owns_the_first(guest: LiveGuest) -> None:
    """What the latency is measured by (pulse.measure): the level changes before the
    kernel stamps it, and is seen after. Both lines move at once, and the guest has
    one processor: there is no luck in it."""
    told = guest.call("pulse.watched", 2, limit_s=40)
    sides = [(at - low, high - at) for low, at, high in told["brackets"]]
    us = [(after // 1000, before // 1000) for after, before in sides]
    print(f"stamp after low, high after stamp, us: {us}")
    assert told["name"] == "/dev/gpiochip0 GPIO18"
    assert len(sides) == 2
    assert all(side > 0 for both in sides for side in both)
    assert min(map(sum, sides)) < _TURNS_NS


def test_uart_at_the_speed_that_is_hunted(guest: LiveGuest) -> None:
    told = guest.call("receiver.hears", 3.2)
    assert told["name"] == "/dev/ttyAMA0 at 9600 Bd"
    lines = told["data"].splitlines()[1:-1]
    assert {line[3:6] for line in lines} >= {"RMC", "GGA", "ZDA"}
    right = [proves(line.encode()) for line in lines]
    assert sum(right) > 0.8 * len(right)
    assert all(first <= last for first, last in told["spans"])
    assert all(a[0] < b[0] for a, b in pairwise(told["spans"]))
    assert "another program holds it" in told["second_opener"]


def test_uart_silent_and_garbled(guest: LiveGuest) -> None:
    guest.outside.turn(Weather(words=Words.NOTHING))
    guest.call("pulse.kernel_edge", 1.2)
    assert "no byte arrives" in guest.call("receiver.hunt_fails")
    guest.outside.turn(Weather(words=Words.GARBAGE))
    assert "do not decode at any of" in guest.call("receiver.hunt_fails", limit_s=60)


def test_the_probe_finds_what_is_there(guest: LiveGuest) -> None:
    told = guest.call("probe.machine")
    (pulse,) = told["pulses"]
    assert (pulse["device"], pulse["pin"]) == ("/dev/pps0", PULSE_LINE)
    assert pulse["seq"] > 0
    assert guest.call("pulse.kernel_edge", 3.0)
    assert guest.call("probe.machine")["pulses"][0]["seq"] > pulse["seq"]
    (chip,) = told["chips"]
    assert chip["device"] == "/dev/gpiochip0"
    assert ["GPS_PPS", "pps"] in chip["used"]
    (port,) = (each for each in told["ports"] if each["device"] == "/dev/ttyAMA0")
    assert port["node"] == "pl011@9000000"
    assert [each["pid"] for each in port["holders"]] == [told["us"]]
    assert not port["console"]
    (clock,) = told["clocks"]
    assert clock["device"] == "/dev/rtc0"
    assert clock["since_1970_s"] > 0
    assert told["may_steer"]


@pytest.mark.parametrize("ppb", [200_000.0, -200_000.0])
def test_clock_rate(guest: LiveGuest, ppb: float) -> None:
    seen = guest.call("clock.rate_seen", ppb)
    print(f"rate set {ppb:.0f} ppb, seen {seen:.0f} ppb")
    assert seen == pytest.approx(ppb, abs=20_000)


@pytest.mark.parametrize("by_ns", [1_500_000_000, -250_000_000])
def test_clock_step(guest: LiveGuest, by_ns: int) -> None:
    told = guest.call("clock.step_seen", by_ns)
    assert told["moved_ns"] == pytest.approx(by_ns, abs=100_000)
    assert told["ours"] == 1
    assert told["both"] == 2
    assert told["a_thousand_readings_later"] == 2


def test_clock_stepped_by_another_program_is_noticed_at_once(guest: LiveGuest) -> None:
    """By the next reading, whenever that is: nobody has to watch."""
    told = guest.call("clock.stepped_by_another")
    assert told["steps"] == told["noticed"]
    assert told["longest_s"] < 0.01


def test_clock_quality_is_told_and_taken_back(guest: LiveGuest) -> None:
    good, restored = guest.call("clock.quality_told")
    assert good["state"] == _TIME_OK
    assert not good["status"] & STA_UNSYNC
    assert 250_000 <= good["maxerror"] < 252_000
    assert good["esterror"] == 3_000
    assert restored["state"] == _TIME_ERROR
    assert restored["status"] & STA_UNSYNC


def test_kernel_inserts_the_leap_second(guest: LiveGuest) -> None:
    seen = guest.call("clock.leap_second")
    states = [state for state, _ in groupby(each["state"] for each in seen)]
    assert states[-4:] == [_TIME_INS, _TIME_OOP, _TIME_WAIT, _TIME_OK]
    before, after = seen[0], seen[-1]
    assert (before["tai"], after["tai"]) == (36, 37)
    assert before["status"] & STA_INS
    assert not after["status"] & STA_INS
    assert after["epoch"] == before["epoch"] + 1


def test_user_without_rights_is_told_what_is_missing(guest: LiveGuest) -> None:
    told = guest.call("rights.refusals")
    for device, needs in {
        "pulse": "the rules in udev/",
        "gpio": "gpio",
        "uart": "dialout",
        "bus": "the group i2c",
        "clock": "CAP_SYS_TIME",
    }.items():
        assert told[device].startswith("PermissionError"), told[device]
        assert needs in told[device]
