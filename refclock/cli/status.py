"""`refclock status`: what the running daemon says of itself."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Final

from refclock.config import ControlSettings
from refclock.daemon.control import ask
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
    while True:
        try:
            answer = ask(args.socket, "clients" if args.clients else "status")
        except OSError as error:
            print(
                f"refclock status: no daemon answers at {args.socket} "
                f"({error.strerror}); is it running? try: systemctl status refclock",
                file=sys.stderr,
            )
            return 1
        text = clients_text if args.clients else to_text
        page = answer if args.json else text(json.loads(answer))
        if args.watch and not args.json and sys.stdout.isatty():
            page = _CLEAR + page
        print(page, flush=True)
        if not args.watch:
            return 0
        time.sleep(1.0)
