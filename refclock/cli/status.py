"""`refclock status`: the state of the running daemon, and why it is so."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from refclock.cli import cause, complain
from refclock.cli.terminal import Screen
from refclock.codec import CodecError
from refclock.config import ControlSettings
from refclock.daemon.control import ask
from refclock.observe.status import read_clients, read_status
from refclock.observe.text import clients_text, to_text

HELP: Final = "ask the running daemon how it is and why"
_EVERY_S: Final = 1.0


class NoAnswerError(Exception):
    """No daemon answers, or it is of another version; with the next thing to try."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    socket_option(parser)
    parser.add_argument(
        "--clients", action="store_true", help="who asks it for the time, all of them"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--watch", action="store_true", help="again every second")


def socket_option(parser: argparse.ArgumentParser) -> None:
    """Declare where the daemon answers."""
    parser.add_argument(
        "--socket",
        type=Path,
        default=Path(ControlSettings().socket),
        metavar="PATH",
        help="the daemon's control socket (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Ask once, or every second until interrupted."""
    try:
        if not args.watch:
            print(_page(args))
            return 0
        with Screen(sys.stdout).opened() as screen:
            while True:
                screen.show(_page(args))
                time.sleep(_EVERY_S)
    except NoAnswerError as error:
        complain("status", error)
        return 1


def _page(args: argparse.Namespace) -> str:
    question = "clients" if args.clients else "status"
    text, answer = asked(args.socket, question)
    if args.json:
        return text
    return clients_text(answer["clients"]) if args.clients else to_text(answer)


def asked(path: Path, question: str) -> tuple[str, Mapping[str, Any]]:
    """The daemon's answer as JSON and as an object. NoAnswerError: there is none."""
    try:
        text = ask(path, question)
        return text, read_clients(text) if question == "clients" else read_status(text)
    except PermissionError as error:
        raise NoAnswerError(
            f"you may not ask at {path}; as root, or in the group of the socket: "
            "sudo usermod -aG refclock $USER, and log in again"
        ) from error
    except OSError as error:
        raise NoAnswerError(
            f"no daemon answers at {path} ({cause(error)}); is it running? "
            "try: systemctl status refclock"
        ) from error
    except CodecError as error:
        raise NoAnswerError(f"{path}: {str(error).splitlines()[0]}") from error
