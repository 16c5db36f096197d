"""Kinds of sentences that come in one burst, and kinds that contradict each other."""

from __future__ import annotations

import pytest

from refclock.events import RTC0, Witness
from refclock.label import vote as votes
from refclock.label.vote import Doubt, Named, Vote
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Local, Mono, Tai, Utc

EDGE = Mono(100 * SECOND.ns)
SECOND_AT_EDGE = Tai(50 * SECOND.ns)


def asked(**kinds: tuple[int, int]) -> tuple[Tai, str] | Doubt:
    """Of each kind: its lag in ms, and by how many seconds it names another moment."""
    vote = Vote(15 * MILLISECOND, 3)
    for k in range(-5, 0):
        for kind, (lag_ms, ahead) in kinds.items():
            named = SECOND_AT_EDGE + k * SECOND
            mono = EDGE + k * SECOND + lag_ms * MILLISECOND
            if mono < EDGE:
                vote.observe(kind, Named(named + ahead * SECOND, mono))
    return vote.second(EDGE + Duration(0), {})


@pytest.mark.parametrize(
    "kinds",
    [
        {"RMC": (150, 0), "GGA": (220, 0), "ZDA": (300, 0)},
        {"RMC": (897, 0), "GGA": (970, 0), "ZDA": (1047, 0)},
        {"RMC": (20, 0), "ZDA": (800, 0)},
        {"ZDA": (40, 0), "RMC": (960, 0)},
        {"GGA": (980, 0), "RMC": (1450, 0)},
        {"ZDA": (600, 0), "GGA": (600, 0), "RMC": (1080, 0)},
    ],
    ids=str,
)
def test_a_burst_names_one_second(kinds: dict[str, tuple[int, int]]) -> None:
    """Even where its later part comes more than a second late."""
    found = asked(**kinds)
    assert not isinstance(found, Doubt)
    assert found[0] == SECOND_AT_EDGE


@pytest.mark.parametrize(
    "kinds",
    [
        {"RMC": (150, 0), "ZDA": (200, 1)},
        {"RMC": (200, 1), "ZDA": (150, 0)},
        {"RMC": (995, 0), "ZDA": (1060, 0)},
        {"RMC": (5, 0), "ZDA": (60, 0)},
        {"GGA": (1000, 0), "GSV": (1000, 0), "RMC": (1450, 0)},
        {"GGA": (600, 0), "RMC": (1250, 0)},
    ],
    ids=str,
)
def test_what_cannot_be_told_is_in_doubt(kinds: dict[str, tuple[int, int]]) -> None:
    """Other seconds at one time; a burst that begins so near the edge that its later
    part alone looks sure; two bursts of the same moments."""
    assert isinstance(asked(**kinds), Doubt)


@pytest.mark.parametrize("lag_ms", [1020, 1100, 1300, 1499])
@pytest.mark.parametrize(
    ("within_s", "away_s", "decides"),
    [(0.3, 0.0, True), (0.6, 0.2, True), (0.6, -0.25, True), (0.95, 0.0, False)],
)
def test_of_sentences_a_second_late_a_witness_decides(
    lag_ms: int, within_s: float, away_s: float, decides: bool
) -> None:
    vote = Vote(15 * MILLISECOND, 3)
    for k in range(-5, -1):
        mono = EDGE + k * SECOND + lag_ms * MILLISECOND
        vote.observe("RMC", Named(SECOND_AT_EDGE + k * SECOND, mono))
    away = Duration.from_seconds(away_s)
    reading = Named(SECOND_AT_EDGE - 10 * SECOND + away, EDGE - 10 * SECOND)
    utc, spread = Utc(reading.named.ns), Duration.from_seconds(within_s)
    told = Witness(RTC0, ZERO, Local(utc.ns), reading.mono, 0, spread)
    vote.witness(RTC0, votes.Testimony(reading, told))
    found = vote.second(EDGE, {})
    if decides:
        assert found == (SECOND_AT_EDGE, RTC0)
    else:
        assert isinstance(found, Doubt), "it excludes one, and leaves no other alone"
