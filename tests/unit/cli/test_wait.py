from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from refclock.cli import main
from refclock.cli.wait import why_not
from tests.fakes.control import answering
from tests.unit.cli.test_status_command import ANSWER

SERVING: dict[str, Any] = {
    "mode": "TRACK",
    "reason": "the pulse is followed",
    "stratum": 1,
    "bound_s": 4e-6,
    "offset_s": -0.05,
    "steering_ppm": 1.5,
}
COLD: dict[str, Any] = SERVING | {
    "mode": "COLD",
    "reason": "no fix",
    "stratum": 16,
    "bound_s": None,
}


def whole(status: dict[str, Any]) -> str:
    """Laid over all else that a status has."""
    return json.dumps(json.loads(ANSWER) | status)


def wait(door: Path, *more: str) -> int:
    return main(["wait", "--socket", str(door), *more])


def test_it_ends_as_soon_as_the_time_is_right(tmp_path: Path) -> None:
    door = tmp_path / "control.sock"
    answers = iter([COLD, COLD, SERVING])
    began = time.monotonic()
    with answering(door, {"status": lambda _: whole(next(answers))}):
        assert wait(door) == 0
    assert next(answers, None) is None
    assert time.monotonic() - began >= 1.0


def test_it_gives_up_with_the_last_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    door = tmp_path / "control.sock"
    with answering(door, {"status": lambda _: whole(COLD)}):
        assert wait(door, "--timeout", "0.1") == 1
    said = capsys.readouterr().err
    assert said == "refclock wait: not right within 0.1 s: COLD: no fix\n"


def test_a_daemon_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wait(tmp_path / "none.sock", "--timeout", "0.1") == 1
    assert "no daemon answers at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"offset_s": 0.2}, "the clock may be off by 0.2 s"),
        ({"bound_s": 0.06}, "the clock may be off by 0.11 s"),
        ({"offset_s": 0.2, "steering_ppm": None}, None),
        ({"stratum": 16}, "TRACK: the pulse is followed"),
    ],
)
def test_the_time_is_right_when_it_is_served_and_the_clock_set(
    change: dict[str, Any], reason: str | None
) -> None:
    assert why_not(SERVING | change, 0.1) == reason
