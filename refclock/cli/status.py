"""`refclock status`: the state of the running daemon, and why it is so."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from refclock.codec import CodecError
from refclock.config import ControlSettings
from refclock.daemon.control import ask
from refclock.observe.escape import escape
from refclock.observe.status import read_clients, read_status
from refclock.observe.text import clients_text, to_text

HELP: Final = "ask the running daemon how it is and why"
_CLEAR: Final = "\x1b[H\x1b[2J"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--socket",
        type=Path,
        default=Path(ControlSettings().socket),
        help="the daemon's control socket (default: %(default)s)",
    )
    parser.add_argument(
        "--clients", action="store_true", help="who asks it for the time, all of them"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--watch", action="store_true", help="again every second")


def run(args: argparse.Namespace) -> int:
    """Ask once, or every second until interrupted."""
    question = "clients" if args.clients else "status"
    while True:
        try:
            text = ask(args.socket, question)
            answer = read_clients(text) if args.clients else read_status(text)
        except OSError as error:
            print(f"refclock status: {_refused(args.socket, error)}", file=sys.stderr)
            return 1
        except CodecError as error:
            said = escape(str(error).splitlines()[0])
            print(f"refclock status: {args.socket}: {said}", file=sys.stderr)
            return 1
        if args.json:
            page = text
        elif args.clients:
            page = clients_text(answer["clients"])
        else:
            page = to_text(answer)
        if args.watch and not args.json and sys.stdout.isatty():
            page = _CLEAR + page
        print(page, flush=True)
        if not args.watch:
            return 0
        time.sleep(1.0)


def _refused(path: Path, error: OSError) -> str:
    """Why there is no answer, and what to do about it."""
    if isinstance(error, PermissionError):
        return (
            f"you may not ask at {path}; as root, or in the group of the socket: "
            "sudo usermod -aG refclock $USER, and log in again"
        )
    return (
        f"no daemon answers at {path} ({error.strerror or error}); is it running? "
        "try: systemctl status refclock"
    )
