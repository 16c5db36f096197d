"""Kinds of sentences that come in one burst, and kinds that contradict each other."""

from __future__ import annotations

import pytest

from refclock.label.vote import Doubt, Named, Vote
from refclock.timebase import MILLISECOND, SECOND, Duration, Mono, Tai

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
    ],
    ids=str,
)
def test_what_cannot_be_told_is_in_doubt(kinds: dict[str, tuple[int, int]]) -> None:
    """Other seconds at one time; a burst that begins so near the edge that its later
    part alone looks sure."""
    assert isinstance(asked(**kinds), Doubt)
