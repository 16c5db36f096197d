"""The commands, one module each: `refclock COMMAND --help`.

What every command owes its terminal is here, once: streams that are closed, full or of
a narrow encoding, pipes whose reader has gone, and errors without a traceback.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from refclock import __version__
from refclock.cli.terminal import prepare_streams, silence
from refclock.observe.escape import escape

COMMANDS: Final = (
    "demo",
    "run",
    "status",
    "page",
    "sources",
    "doctor",
    "wait",
    "query",
    "nts",
    "decode",
    "simulate",
    "capture",
    "replay",
    "files",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is what the command returns.

    0: done. 1: it could not be done; one sentence on standard error has the reason.
    2: the command line is wrong. 69: a device, port or file cannot be had.
    78: the settings are wrong. 130: interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    logging.raiseExceptions = False  # a log that cannot be written ends nothing
    try:
        try:
            return _flushed(_command(given))
        except SystemExit:  # of --help, or of a wrong command line
            _flushed(0)
            raise
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader (`| head`) has what it wants
        silence(sys.stdout)
        return 0
    except OSError as error:
        silence(sys.stdout)
        complain(given[0], error)
        return 1


def _flushed(code: int) -> int:
    """`code`, once all that was printed is written. OSError: it cannot be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error
    return code


def _command(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="refclock",
        description="A stratum-1 NTP server for a GPS receiver and its pulse.",
        epilog="`refclock demo` shows the whole thing without any hardware.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # a command named first is the only one imported: start-up counts on a small board
    for name in given[:1] if given[:1] and given[0] in COMMANDS else COMMANDS:
        module = importlib.import_module(f"refclock.cli.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(given)
    return int(args.run(args))


def say(lines: Iterable[str]) -> None:
    """Print each on a line of its own, what came from outside escaped."""
    print("\n".join(map(escape, lines)))


def complain(
    command: str | None, error: Exception | str, at: Path | None = None
) -> None:
    """Print on standard error what failed, where, and why: a sentence a line.

    `command` begins each line; None: a line begins with its file, as `file:line:`.
    """
    said = cause(error, at) if isinstance(error, OSError) else str(error)
    begin = "" if command is None else f"refclock {command}: "
    try:
        for line in said.splitlines():
            print(f"{begin}{escape(line)}", file=sys.stderr)
    except OSError:
        silence(sys.stderr)


def cause(error: OSError, at: Path | None = None) -> str:
    """What is wrong, and with which file: that of `error`, or `at`."""
    said = error.strerror or str(error) or type(error).__name__
    where = at if error.filename is None else error.filename
    return said if where is None else f"{where}: {said}"
