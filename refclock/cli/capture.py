"""`refclock capture`: what the drivers see, kept for `refclock replay`.

Nothing is steered and nobody is served. A daemon that holds the receiver must be
stopped first, or records itself: `refclock run --capture FILE`.
"""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from hw.linux.board import linux_board
from refclock.app.compose import compose, leap_table
from refclock.cli.run import EX_CONFIG, EX_UNAVAILABLE, settings_option, until_told
from refclock.config import ConfigError, load
from refclock.engine.policy import ClockSettings
from refclock.timebase import LeapTableError

HELP: Final = "record what receiver, pulse and thermometer say, to attach to a report"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="`.gz` is gzipped")
    settings_option(parser)
    parser.add_argument("--duration", type=float, metavar="S", help="end after so long")


def run(args: argparse.Namespace) -> int:
    """Record until the time is up or a signal comes."""
    try:
        config = load(args.config)
        leaps = leap_table(config.leap.file)
    except (OSError, ConfigError, LeapTableError) as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    config = replace(
        config,
        receiver=replace(config.receiver, configure=False),
        clock=ClockSettings(steer=False),
        server=replace(config.server, listen=()),
    )
    board = linux_board(
        config.receiver, config.pulse, config.thermometer, config.rtc, steer=False
    )
    try:
        daemon = compose(config, board, leaps, args.file)
    except OSError as error:
        print(f"refclock capture: {error.strerror or error}", file=sys.stderr)
        return EX_UNAVAILABLE
    timer = threading.Timer(args.duration or 0.0, daemon.stop)
    if args.duration:
        timer.start()
    try:
        return until_told(daemon, lambda: None)
    finally:
        timer.cancel()
