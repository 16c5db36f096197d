"""`refclock wait`: until the time is right, for what must not start before."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any, Final

from refclock.cli import complain
from refclock.cli.status import NoAnswerError, asked, socket_option
from refclock.cli.values import duration_s, number

HELP: Final = "wait until the time is right: until it is served, and the clock set"

_EVERY_S: Final = 0.5
_UNSYNCHRONISED: Final = 16


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    socket_option(parser)
    parser.add_argument(
        "--timeout",
        type=duration_s,
        metavar="S",
        help="give up after so long (default: never)",
    )
    parser.add_argument(
        "--within",
        type=number(1e-9, 1e6),
        default=0.1,
        metavar="S",
        help="how far the machine's clock may be off (default: %(default)g)",
    )


def run(args: argparse.Namespace) -> int:
    """0: the time is right. 1: it was not in time; the last reason is printed."""
    end = None if args.timeout is None else time.monotonic() + args.timeout
    while True:
        try:
            reason = why_not(asked(args.socket, "status")[1], args.within)
        except NoAnswerError as error:
            reason = str(error)
        if reason is None:
            return 0
        if end is not None and time.monotonic() >= end:
            complain("wait", f"not right within {args.timeout:g} s: {reason}")
            return 1
        time.sleep(_EVERY_S)


def why_not(status: Mapping[str, Any], within_s: float) -> str | None:
    """Why the time is not right yet; None: it is.

    It is right when it is served and, where the daemon steers the machine's clock,
    when offset and bound together are at most `within_s`.
    """
    if status["stratum"] >= _UNSYNCHRONISED or status["bound_s"] is None:
        return f"{status['mode']}: {status['reason']}"
    if status["steering_ppm"] is None:
        return None
    off_s = abs(status["offset_s"] or 0.0) + status["bound_s"]
    return None if off_s <= within_s else f"the clock may be off by {off_s:.3g} s"
