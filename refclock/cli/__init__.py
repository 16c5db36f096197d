"""The commands, one module each, and nothing else: `refclock COMMAND --help`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from refclock import __version__

COMMANDS: Final = (
    "demo",
    "run",
    "status",
    "query",
    "decode",
    "simulate",
    "capture",
    "replay",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is what the command returns.

    0: done. 1: it could not be done, said in one sentence on standard error.
    2: the command line is wrong. 78: the configuration is wrong.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
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
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # our reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
