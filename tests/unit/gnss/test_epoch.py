from __future__ import annotations

from itertools import permutations

import pytest

from refclock.events import Fix, TimeMessage
from refclock.gnss import nmea
from refclock.gnss.epoch import Epoch, Epochs
from refclock.gnss.framer import Sentence
from refclock.timebase import HOUR, MILLISECOND, SECOND, Duration, Mono, Utc

RMC = "GNRMC,111106.00,A,,,,,,,010526,,,A,V"
RMC_V = "GNRMC,111106.00,V,,,,,,,010526,,,N,V"
RMC_BARE = "GNRMC,111106.00,A"
GGA = "GNGGA,111106.00,,,,,1,08"
GGA_0 = "GNGGA,111106.00,,,,,0,00"
GGA_DR = "GNGGA,111106.00,,,,,6,08"
GLL = "GNGLL,,,,,111106.00,A,A"
GNS = "GNGNS,111106.00,,,,,AN,12"
GNS_N = "GNGNS,111106.00,,,,,NN,00"
ZDA = "GNZDA,111106.00,01,05,2026,00,00"
ZDA_FAR = "GNZDA,111106.00,02,05,2026,00,00"
AT = Utc.of(2026, 5, 1, 11, 11, 6)


def timed(body: str, seen: Duration) -> nmea.Timed:
    sentence = Sentence(body.encode(), Mono(0) + seen, 0)
    (told,) = [f for f in nmea.facts(sentence) if isinstance(f, nmea.Timed)]
    return told


def epoch(*bodies: str) -> Epoch:
    told = [timed(body, Duration(0)) for body in bodies]
    whole = Epoch(told[0])
    for one in told:
        whole.add(one)
    return whole


class Listener:
    """Hears sentences one after another, 50 ms apart unless told otherwise."""

    def __init__(self) -> None:
        self.epochs = Epochs()
        self.now = Duration(0)

    def observe(self, *bodies: str, after: Duration = 50 * MILLISECOND) -> list[str]:
        """`kind fix` of each message told."""
        return [f"{m.kind} {m.fix.value}" for m in self.messages(*bodies, after=after)]

    def messages(
        self, *bodies: str, after: Duration = 50 * MILLISECOND
    ) -> list[TimeMessage]:
        out: list[TimeMessage] = []
        for body in bodies:
            self.now = self.now + after
            heard = self.epochs.observe(timed(body, self.now))
            out += [one for one in heard if isinstance(one, TimeMessage)]
        return out

    def end(self) -> list[str]:
        return [
            f"{m.kind} {m.fix.value}"
            for m in self.epochs.finish()
            if isinstance(m, TimeMessage)
        ]


def next_second(body: str, second: int = 7) -> str:
    return body.replace("111106", f"1111{second:02d}")


@pytest.mark.parametrize(
    ("bodies", "fix"),
    [
        ([RMC], Fix.VALID),
        ([RMC, GGA], Fix.VALID),
        ([GLL], Fix.VALID),
        ([RMC_V, GLL], Fix.VALID),
        ([RMC_V], Fix.NONE),
        ([RMC_V, GGA_0], Fix.NONE),
        ([GGA_0], Fix.NONE),
        ([GNS_N], Fix.NONE),
        (["GNGGA,111106.00,,,,,x,"], Fix.NONE),
        (["GNRMC,111106.00,AA"], Fix.NONE),
        ([GGA], Fix.PRESUMED),
        (["GNGGA,111106.00,,,,,9,"], Fix.PRESUMED),
        ([GNS], Fix.PRESUMED),
        ([ZDA, GGA], Fix.PRESUMED),
        ([GGA_0, GNS], Fix.NONE),
        (["GNRMC,111106.00,A,,,,,,,010526,,,E,V"], Fix.ESTIMATED),
        (["GNRMC,111106.00,A,,,,,,,010526,,,S"], Fix.ESTIMATED),
        (["GNRMC,111106.00,A,,,,,,,010526,,,M"], Fix.ESTIMATED),
        (["GNRMC,111106.00,D,,,,,,,010526,,,D"], Fix.VALID),
        (["GNRMC,111106.00,F,,,,,,,010526,,,F"], Fix.VALID),
        (["GNRMC,111106.00,P,,,,,,,010526,,,P"], Fix.VALID),
        (["GNRMC,111106.00,R,,,,,,,010526,,,R"], Fix.VALID),
        (["GNRMC,111106.00,E,,,,,,,010526,,,E"], Fix.ESTIMATED),
        (["GNRMC,111106.00,S,,,,,,,010526"], Fix.ESTIMATED),
        (["GNRMC,111106.00,M,,,,,,,010526"], Fix.ESTIMATED),
        (["GNRMC,111106.00,N,,,,,,,010526"], Fix.NONE),
        (["GNRMC,111106.00,Q,,,,,,,010526"], Fix.NONE),
        (["GNRMC,111106.00,a,,,,,,,010526,,,a"], Fix.VALID),
        (["GNGNS,111106.00,,,,,EN,04"], Fix.ESTIMATED),
        (["GNGNS,111106.00,,,,,NF,04"], Fix.PRESUMED),
        ([RMC, GGA_DR], Fix.ESTIMATED),
        ([GGA_DR], Fix.ESTIMATED),
        ([RMC, "GNGGA,111106.00,,,,,4,08"], Fix.VALID),
        ([RMC, "GNGGA,111106.00,,,,,,08"], Fix.VALID),
        ([RMC, GGA_0], Fix.CONTRADICTION),
        ([RMC_V, GGA], Fix.CONTRADICTION),
        ([ZDA], Fix.UNKNOWN),
    ],
)
def test_the_verdict(bodies: list[str], fix: Fix) -> None:
    assert epoch(*bodies).fix is fix


def test_an_epoch_has_the_first_date_and_all_the_time_it_named() -> None:
    assert epoch(GGA, ZDA_FAR, RMC).utc == AT + 24 * HOUR
    assert epoch(GGA).utc is None
    assert epoch("GNRMC,,V,,,,,,,010526").utc is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (RMC, "2026-05-01T11:11:06Z"),
        (GGA.replace("06.00", "06.250"), "11:11:06.25"),
        ("GPZDA,235960.5,31,12,2016,,", "2016-12-31T23:59:60.5Z"),
        ("GPZDA,,31,12,2016,,", "2016-12-31"),
        ("GNGLL,,,,,100000.00,A,A", "10:00:00"),
        ("GPZDA,,,,,,", "no time"),
    ],
)
def test_as_written(body: str, text: str) -> None:
    assert epoch(body).text == text


def test_the_order_of_an_endless_epoch_is_not_kept_for_ever() -> None:
    endless = epoch(*["GPGGA,,,,,,0,00"] * 1000)
    assert len(endless.order) < 100
    assert endless.addresses["GPGGA"] == 1000


def test_an_epoch_is_told_when_it_ends_and_then_when_it_is_whole() -> None:
    listener = Listener()
    assert listener.messages(RMC) == []
    message, _ = listener.messages(next_second(RMC))
    assert message == TimeMessage(AT, Mono(50_000_000), "RMC", Fix.VALID)
    assert listener.observe(next_second(RMC, 8)) == ["RMC A"]


def test_each_message_keeps_its_own_arrival() -> None:
    messages = Listener().messages(GGA, ZDA, RMC, next_second(GGA))
    assert [message.mono.ns // 50_000_000 for message in messages] == [1, 2, 3]


ONE_SECOND = [
    ([RMC, GGA_0, ZDA], "X"),
    ([RMC, GGA_DR, ZDA], "E"),
    (["GNRMC,111106.00,A,,,,,,,010526", GGA_DR.replace(",6,", ",8,")], "E"),
    ([RMC, ZDA_FAR], "X"),
    ([RMC_V, GGA], "X"),
    ([RMC, GNS_N], "X"),
    ([RMC_V, GNS], "X"),
    ([RMC.replace("A,V", "N,V"), ZDA], "X"),
    ([RMC, GGA, ZDA, GLL], "A"),
    ([GGA, ZDA], "A*"),
]


@pytest.mark.parametrize(("bodies", "fix"), ONE_SECOND)
def test_the_verdict_does_not_depend_on_the_order(bodies: list[str], fix: str) -> None:
    """Neither in the first second nor when it is known what comes."""
    for order in permutations(bodies):
        listener = Listener()
        verdicts = set()
        for second in range(6, 10):
            told = listener.observe(*[next_second(body, second) for body in order])
            verdicts |= {one.split()[1] for one in told}
        assert verdicts == {fix}, order


def test_a_kind_that_comes_seldom_is_waited_for() -> None:
    listener = Listener()
    listener.observe(RMC, GGA_0, next_second(RMC), next_second(RMC, 8))
    assert listener.observe(next_second(GGA_0, 8)) == ["RMC X", "GGA X"]


def test_zda_alone_is_told_for_what_it_is() -> None:
    listener = Listener()
    assert listener.observe(ZDA) == []
    assert listener.observe(next_second(ZDA)) == ["ZDA ?", "ZDA ?"]
    assert listener.observe(next_second(ZDA, 8)) == ["ZDA ?"]


def test_what_usually_comes_is_waited_for() -> None:
    listener = Listener()
    assert listener.observe(ZDA, GGA) == []
    assert listener.observe(next_second(ZDA)) == ["ZDA A*", "GGA A*"]
    assert listener.observe(next_second(GGA)) == ["ZDA A*", "GGA A*"]


def test_at_the_end_what_waits_is_told() -> None:
    listener = Listener()
    assert listener.observe(ZDA) == []
    assert listener.end() == ["ZDA ?"]
    assert listener.end() == []


def test_a_date_is_carried_to_the_next_sentences_and_not_far() -> None:
    listener = Listener()
    listener.observe(RMC, next_second(GLL))
    assert listener.observe(next_second(GLL, 17), after=SECOND) == ["GLL A"]
    assert listener.observe(next_second(GLL, 8), after=20 * SECOND) == []
    assert listener.end() == []


def test_a_date_is_carried_over_midnight_both_ways() -> None:
    listener = Listener()
    listener.observe("GPRMC,235959.90,A,,,,,,,311226", "GPGLL,,,,,000000.10,A,A")
    (message,) = listener.messages("GPRMC,000000.20,A,,,,,,,010127")
    assert message.utc == Utc.of(2027, 1, 1) + 100 * MILLISECOND
    listener.observe("GPGLL,,,,,235959.95,A,A")
    (message,) = listener.messages("GPRMC,000000.30,A,,,,,,,010127")
    assert message.utc == Utc.of(2027, 1, 1) - 50 * MILLISECOND


def test_no_date_is_carried_from_a_receiver_without_a_fix() -> None:
    listener = Listener()
    assert listener.observe(RMC_V, next_second(GLL)) == ["RMC V"]
    assert listener.end() == []
    listener = Listener()
    assert listener.observe(ZDA, next_second(GLL)) == ["ZDA ?"]
    assert listener.end() == ["GLL A"]


def test_gga_with_a_carried_date_waits_for_a_word_against_it() -> None:
    listener = Listener()
    listener.observe(RMC, GGA, next_second(GGA))
    assert listener.observe(next_second(RMC_V)) == ["GGA X", "RMC X"]
    listener.observe(next_second(RMC, 8), next_second(GGA, 9))
    assert listener.end() == ["GGA A*"]


def test_rmc_whose_date_cannot_be_read_takes_the_carried_one() -> None:
    listener = Listener()
    assert listener.observe(RMC_BARE, next_second(RMC), next_second(RMC_BARE, 8)) == [
        "RMC A",
        "RMC A",
    ]


def test_a_kind_is_told_once_an_epoch() -> None:
    listener = Listener()
    listener.observe(RMC, RMC.replace("GN", "GA"), RMC)
    assert listener.observe(next_second(RMC)) == ["RMC A", "RMC A"]
    assert listener.observe(next_second(RMC)) == []


def test_second_sixty_is_told_as_the_midnight_after_it() -> None:
    message, _ = Listener().messages("GPRMC,235960.00,A,,,,,,,311216", RMC)
    assert (message.utc, message.leap_second) == (Utc.of(2017, 1, 1), True)
    message, _ = Listener().messages("GPRMC,000000.00,A,,,,,,,010117", RMC)
    assert (message.utc, message.leap_second) == (Utc.of(2017, 1, 1), False)


def test_the_zone_of_a_zda_moves_nothing() -> None:
    zoned = ZDA.replace("00,00", "-05,30")
    message, _ = Listener().messages(zoned, GGA, next_second(GGA))
    assert message.utc == AT


def test_without_a_time_nothing_is_told() -> None:
    listener = Listener()
    assert (
        listener.observe("GPRMC,,V,,,,,,,010526", "GPGGA,,,,,,0,00", "GPZDA,,,,,,")
        == []
    )
    assert listener.end() == []


def test_estimated_time_is_told_as_such() -> None:
    estimated = "GNRMC,111106.00,A,,,,,,,010526,,,E,V"
    assert Listener().observe(estimated, next_second(RMC)) == ["RMC E", "RMC A"]
    assert Listener().observe(RMC_V, next_second(RMC)) == ["RMC V", "RMC A"]


def test_a_contradicted_second_is_told_as_such() -> None:
    epochs = Epochs()
    epochs.observe(timed(RMC, Duration(0)))
    ahead = timed(next_second(ZDA), 50 * MILLISECOND)
    first = epochs.observe(ahead, contradicted=True)
    second = epochs.observe(timed(next_second(RMC), SECOND)) + epochs.finish()
    messages = [one for one in first + second if isinstance(one, TimeMessage)]
    assert [(one.kind, one.fix) for one in messages] == [
        ("RMC", Fix.CONTRADICTION),
        ("ZDA", Fix.CONTRADICTION),
        ("RMC", Fix.CONTRADICTION),
    ]
