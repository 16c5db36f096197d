"""`refclock replay`: a recorded run through the engine again, in fast time."""

from __future__ import annotations

import argparse
import json
import typing
from pathlib import Path
from typing import Any, Final

from refclock.app.storage.recorder import lines
from refclock.cli import complain, say
from refclock.engine.engine import Engine
from refclock.engine.kept.recording import Beginning, Outcome, RecordingError
from refclock.events import Command, Event
from refclock.timebase import Mono

HELP: Final = "run a recording through the engine again, and compare bit for bit"

_FACTS: Final = typing.get_args(Event)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="as `capture` wrote it")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """0: the engine did again what it had done. 1: it did not, or no recording."""
    try:
        found = replay(args.file)
    except OSError as error:
        complain("replay", error, args.file)
        return 1
    except RecordingError as error:
        complain("replay", f"{args.file}: {error}")
        return 1
    if args.json:
        print(json.dumps(found, allow_nan=False))
    else:
        say(_text(found))
    return 0 if found["difference"] is None else 1


def replay(path: Path) -> dict[str, Any]:
    """What the run was, and where the engine first did otherwise (line number)."""
    engine: Engine | None = None
    facts = outcomes = 0
    commands: tuple[Command, ...] = ()
    difference: int | None = None
    first = last = Mono(0)
    for number, line in enumerate(lines(path), 1):
        if isinstance(line, Beginning):
            engine = line.engine()
        elif engine is None:
            raise RecordingError("it does not begin with how the engine was made")
        elif isinstance(line, _FACTS):
            commands = _handled(engine, line, number)
            last = line.mono
            first = last if facts == 0 else first
            facts += 1
        elif isinstance(line, Outcome):
            outcomes += 1
            if difference is None and line != Outcome(commands, engine.snapshot):
                difference = number
    if engine is None:
        raise RecordingError("it is empty")
    try:
        status = engine.status(last)
    except Exception as error:
        raise RecordingError(f"the engine fails at its end: {error!r}") from error
    return {
        "facts": facts,
        "outcomes": outcomes,
        "seconds": (last - first).seconds,
        "mode": status.mode,
        "reason": status.reason,
        "bound_s": status.bound_s,
        "alarms": [alarm.text for alarm in status.alarms],
        "difference": difference,
    }


def _handled(engine: Engine, fact: Event, number: int) -> tuple[Command, ...]:
    """What the engine makes of `fact`. RecordingError: it fails, as it may on what no
    device can have sent, a fact from before the last one for instance."""
    try:
        return engine.handle(fact)
    except Exception as error:
        raise RecordingError(
            f"line {number}: the engine fails on this fact: {error!r}"
        ) from error


def _text(found: dict[str, Any]) -> list[str]:
    end = (
        "the engine did again what it had done, bit for bit"
        if found["difference"] is None
        else f"the engine did otherwise from line {found['difference']} on: "
        "it is of another version than the one recorded"
    )
    return [
        f"{found['facts']} facts in {found['seconds']:.0f} s; ended {found['mode']}: "
        f"{found['reason']}",
        *(f"ALARM  {text}" for text in found["alarms"]),
        f"{end} ({found['outcomes']} outcomes compared)",
    ]
