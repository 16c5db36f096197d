"""`refclock run`: the daemon on the machine's own receiver, pulse and clock."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from hw.linux.board import linux_board
from hw.linux.clock import KernelClock
from refclock.app.check import check, settings
from refclock.app.compose import compose
from refclock.app.logs import logging_to
from refclock.app.reload import Reload
from refclock.cli import complain
from refclock.config import ConfigError
from refclock.daemon.daemon import Daemon
from refclock.gnss.framer import proves

HELP: Final = "discipline this machine's clock and serve NTP"

EX_UNAVAILABLE: Final = 69
EX_SOFTWARE: Final = 70
EX_CONFIG: Final = 78
"""Exit codes of sysexits.h; a service manager need not retry 78."""

log = logging.getLogger("refclock")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    settings_option(parser)
    parser.add_argument(
        "--check", action="store_true", help="read the settings, say what is wrong, end"
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    parser.add_argument(
        "--capture", type=Path, metavar="FILE", help="keep the run for `replay`"
    )


def settings_option(parser: argparse.ArgumentParser) -> None:
    """Declare where the settings are."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("/etc/refclock/refclock.toml"),
        metavar="FILE",
        help="settings (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reads access rules and limits anew."""
    try:
        if args.check:
            check(args.config)
            print(f"{args.config}: good")
            return 0
        config, leaps = settings(args.config)
    except ConfigError as error:
        complain(None, error)
        return EX_CONFIG
    level = logging.DEBUG if args.verbose else logging.INFO
    with logging_to(sys.stderr, level):
        try:
            board = linux_board(
                config.receiver,
                config.pulse,
                config.thermometer,
                config.rtc,
                steer=config.clock.steer,
                watched=config.watched,
                proves=proves,
            )
            daemon = compose(config, board, leaps, args.capture)
        except OSError as error:
            complain("run", error)
            return EX_UNAVAILABLE
        log.info("running on %s", board.name)
        try:
            reload = Reload(args.config, config, daemon.reload_access)
            return until_signal(daemon, reload.start)
        finally:
            if isinstance(board.clock, KernelClock):
                board.clock.restore()


def until_signal(daemon: Daemon, reload: Callable[[], None] | None = None) -> int:
    """Run `daemon` until a signal ends it.

    SIGHUP calls `reload`, which returns at once; without one it ends the daemon, as
    its terminal is gone, unless nohup had it ignored.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        daemon.stop()

    def again(_signal: int, _frame: FrameType | None) -> None:
        if reload is not None:
            reload()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if reload is not None:
        signal.signal(signal.SIGHUP, again)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, end)
    try:
        daemon.run()
    except PermissionError as error:
        log.critical("%s", error)
        return EX_UNAVAILABLE
    except Exception:  # any bug, in any thread, ends the process
        log.critical("this is a bug", exc_info=True)
        return EX_SOFTWARE
    return 0
