"""`refclock sources`: each receiver and time server, and why it is not used."""

from __future__ import annotations

import argparse
import json
from typing import Final

from refclock.cli import complain
from refclock.cli.status import NoAnswerError, asked, socket_option
from refclock.observe.text import sources_text

HELP: Final = "show each receiver and time server, and why it is not used"
_SHOWN: Final = ("version", "sources", "servers", "witness")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    socket_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.epilog = (
        "* selected, + agrees, - watched or without a vote, x falseticker, ? of no use"
        " now. Offsets are theirs less ours. Reach: the last eight questions, octal."
    )


def run(args: argparse.Namespace) -> int:
    """Ask and print. 0: done; 1: no daemon answers."""
    try:
        text, status = asked(args.socket, "status")
    except NoAnswerError as error:
        complain("sources", error)
        return 1
    if args.json:
        whole = json.loads(text)
        print(json.dumps({key: whole[key] for key in _SHOWN}))
    else:
        print(sources_text(status))
    return 0
