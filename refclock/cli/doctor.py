"""`refclock doctor`: why this machine is not stratum 1, and what to do next."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from refclock.app.doctor.evidence import Evidence, Finding, Severity
from refclock.app.doctor.gather import gather
from refclock.app.doctor.ladder import examine, exit_code
from refclock.cli import say
from refclock.cli.run import settings_option
from refclock.cli.status import NoAnswerError, asked, socket_option

HELP: Final = "find out why this machine is not stratum 1, and what to do next"

VERSION: Final = 1
"""Of the JSON."""
_WIDEST: Final = 80
_MARKS: Final = {Severity.FAIL: "x", Severity.WARN: "!", Severity.NOTE: "-"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    settings_option(parser)
    socket_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.epilog = "Exit code 0: nothing to do; 1: warnings; 2: a failure."


def run(args: argparse.Namespace) -> int:
    """Look, judge, print. The exit code is that of `exit_code`."""
    status: Mapping[str, Any] | None = None
    why = ""
    try:
        _, status = asked(args.socket, "status")
    except NoAnswerError as error:
        why = str(error)
    evidence = gather(args.config, status, why)
    findings = examine(evidence)
    if args.json:
        print(json.dumps(document(evidence, findings)))
    else:
        columns = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
        say(report(evidence, findings, columns))
    return exit_code(findings)


def document(evidence: Evidence, findings: Sequence[Finding]) -> dict[str, Any]:
    """The same as `report`, to be read by a program."""
    status = evidence.status
    return {
        "version": VERSION,
        "model": evidence.machine.model,
        "stratum": None if status is None else status["stratum"],
        "findings": [asdict(each) for each in findings],
    }


def report(
    evidence: Evidence, findings: Sequence[Finding], columns: int
) -> Iterator[str]:
    """The first failure with its next action, then the rest, a line or two each."""
    yield from _filled(_headline(evidence), "", columns)
    first, rest = (findings[0], findings[1:]) if findings else (None, ())
    if first is None:
        yield "Nothing is wrong."
        return
    yield ""
    yield from _filled(first.text, f"{_MARKS[first.severity]} ", columns)
    yield from _filled(first.action, "  next: ", columns)
    if rest:
        yield ""
        yield "also seen:"
    for each in rest:
        yield from _filled(each.text, f"{_MARKS[each.severity]} ", columns)


def _headline(evidence: Evidence) -> str:
    status, model = evidence.status, evidence.machine.model or "this machine"
    if status is None:
        return f"{model}: the daemon does not answer, so it is looked at from outside"
    if evidence.serving:
        return f"{model}: it is stratum 1 ({status['mode']})"
    return f"{model}: it is not stratum 1 ({status['mode']})"


def _filled(text: str, begin: str, columns: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(columns, 20),
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_on_hyphens=False,
    ) or [begin]
