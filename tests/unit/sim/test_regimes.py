"""What a run was worth, by what it was going through."""

from __future__ import annotations

from hw.sim.regimes import Judged, by_regime, worst


def lived(*parts: tuple[int, float, float, str]) -> list[Judged]:
    """So many seconds of such an error, bound and mode."""
    return [
        Judged(error, bound, mode in {"TRACK", "HOLDOVER"}, mode)
        for count, error, bound, mode in parts
        for _ in range(count)
    ]


RUN = lived(
    (5, 9.0, 1.0, "COLD"),
    (600, 1.0, 2.0, "TRACK"),
    (300, 0.5, 1.0, "TRACK"),
    (200, 3.0, 2.0, "HOLDOVER"),
    (300, -2.0, 3.0, "TRACK"),
    (100, 0.5, 1.0, "TRACK"),
)


def test_each_second_has_one_regime_and_unserved_ones_have_none() -> None:
    found = by_regime(RUN)
    assert {name: each["seconds"] for name, each in found.items()} == {
        "start": 600, "steady": 400, "event": 300, "holdover": 200,
    }  # fmt: skip
    assert found["holdover"]["coverage"] == 0.0
    assert found["start"]["coverage"] == found["event"]["coverage"] == 1.0
    assert found["steady"]["rms_s"] == 0.5
    assert found["event"]["max_s"] == 2.0


def test_a_trouble_is_an_event_and_what_comes_before_the_score_does_not_count() -> None:
    found = by_regime(RUN, [700.0], 650)
    assert found.keys() == {"steady", "event", "holdover"}
    assert found["event"]["seconds"] == 205 + 300


def test_the_worst_second_is_the_one_furthest_beyond_its_bound() -> None:
    found = worst(RUN)
    assert found is not None
    assert (found["at_s"], found["mode"], found["error_s"]) == (905, "HOLDOVER", 3.0)
    assert worst(lived((5, 9.0, 1.0, "COLD"))) is None
