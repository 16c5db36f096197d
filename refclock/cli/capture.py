"""`refclock capture`: what the drivers see, kept for `refclock replay`.

Nothing is steered and nobody is served. A daemon that holds the receiver must be
stopped first, or records itself: `refclock run --capture FILE`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from hw.linux.board import linux_board
from refclock.app.check import settings
from refclock.app.compose import compose
from refclock.app.logs import logging_to
from refclock.cli import complain
from refclock.cli.run import (
    EX_CONFIG,
    EX_UNAVAILABLE,
    settings_option,
    until_signal,
)
from refclock.cli.values import duration_s
from refclock.config import ConfigError
from refclock.engine.policy import ClockSettings
from refclock.gnss.framer import proves

HELP: Final = "record what receiver, pulse and thermometer say, to attach to a report"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="`.gz` is gzipped")
    settings_option(parser)
    parser.add_argument(
        "--duration", type=duration_s, metavar="S", help="end after so long"
    )


def run(args: argparse.Namespace) -> int:
    """Record until the time is up or a signal comes."""
    try:
        config, leaps = settings(args.config)
    except ConfigError as error:
        complain(None, error)
        return EX_CONFIG
    config = replace(
        config,
        receiver=replace(config.receiver, configure=False),
        clock=ClockSettings(steer=False),
        server=replace(config.server, listen=()),
    )
    with logging_to(sys.stderr, logging.WARNING):
        board = linux_board(
            config.receiver,
            config.pulse,
            config.thermometer,
            config.rtc,
            steer=False,
            watched=config.watched,
            proves=proves,
        )
        try:
            daemon = compose(config, board, leaps, args.file)
        except OSError as error:
            complain("capture", error)
            return EX_UNAVAILABLE
        timer = threading.Timer(args.duration or 0.0, daemon.stop)
        if args.duration:
            timer.start()
        try:
            return until_signal(daemon)
        finally:
            timer.cancel()
