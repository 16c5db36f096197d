"""`refclock demo`: the real daemon on emulated receivers, pulses and oscillator.

Real threads, a real pty read by pyserial, real sockets. The machine's clock is not
touched: the emulated sky drifts against it, which to the daemon is a drifting
oscillator. The emulator knows true time, so what a client is served can be
compared with the truth.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from hw.emu.faults import Kind
from hw.linux.clock import FreeClock
from hw.sim.client import TruthClient, ask_as
from hw.sim.live import LiveWorld
from hw.sim.scenarios import Scenario
from refclock.app.compose import PacketClock, compose
from refclock.cli import complain
from refclock.cli.run import EX_CONFIG, EX_UNAVAILABLE, until_signal
from refclock.cli.simulate import scenario_options
from refclock.cli.values import address, duration_s, port
from refclock.cli.view import View
from refclock.config import Config, ConfigError, load, parse
from refclock.daemon.daemon import Daemon
from refclock.observe.text import seconds

HELP: Final = "the whole server on emulated hardware: no receiver, no root"

_PORT: Final = 11_123
_TROUBLE_S: Final = 15.0
"""When the first trouble comes, at the latest."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--port", type=port, metavar="N", help=f"UDP port (default: {_PORT})"
    )
    parser.add_argument(
        "--bind", type=address, metavar="ADDRESS", help="default: 127.0.0.1"
    )
    parser.add_argument(
        "--duration", type=duration_s, metavar="S", help="end by itself after so long"
    )
    parser.add_argument("--seed", type=int, default=1, help="other dice, other noise")
    scenario_options(parser, default="nominal")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings laid over the demo's own"
    )
    parser.add_argument(
        "--capture", type=Path, metavar="FILE", help="keep the run for `replay`"
    )
    parser.add_argument(
        "--json", action="store_true", help="only the figures at the end"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until the time is up or a signal comes; then say how good it was."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(message)s")
    scenario = soon(args.scenario)
    with tempfile.TemporaryDirectory(prefix="refclock-") as folder:
        try:
            config = _config(args, scenario, Path(folder))
        except ConfigError as error:
            complain(None, error)
            return EX_CONFIG
        except OSError as error:
            complain("demo", error)
            return EX_CONFIG
        clock = FreeClock()
        world = LiveWorld(scenario, args.seed, clock)
        world.start()
        try:
            board = world.board(measure=config.pulse.measure)
            packets = PacketClock(clock, world.clock.of_machine)
            make = partial(
                compose, config, board, scenario.table, args.capture, packets
            )
            daemon = make()
        except OSError as error:
            world.stop()
            complain("demo", error)
            return EX_UNAVAILABLE
        try:
            place = config.server.listen[0], config.server.port
            client = TruthClient(place, clock, world)
            return _show(args, Served(daemon, make), world, client)
        finally:
            world.stop()


def soon(scenario: Scenario) -> Scenario:
    """The same world, so that its first trouble comes within `_TROUBLE_S`."""
    trouble_s = scenario.trouble_s or 0.0
    return scenario.begun_late(max(trouble_s - _TROUBLE_S, 0.0))


def _config(args: argparse.Namespace, scenario: Scenario, folder: Path) -> Config:
    own: dict[str, Any] = {
        "clock": {"steer": False},
        "server": {
            "listen": ["127.0.0.1"],
            "port": _PORT,
            "rate_limit": {"interval_s": 0.02},  # all on loopback share one address
        },
        "control": {"socket": str(folder / "control.sock")},
        "state": {"file": str(folder / "state.json")},
        "nts": {
            "listen": ["127.0.0.1"],
            "cookie_keys": str(folder / "nts-keys"),
        },
    }
    if scenario.battery is not None:
        own["rtc"] = {"spread_s": scenario.battery.spread_s}
    over: dict[str, Any] = {}
    if args.port is not None:
        over["port"] = args.port
    if args.bind is not None:
        over["listen"] = (args.bind,)
    config = load(args.config, own) if args.config else parse(b"", "demo", own)
    return replace(config, server=replace(config.server, **over))


class Served:
    """The daemon, and those that follow it when the world restarts it.

    `stop`: any thread; the rest: one.
    """

    def __init__(self, daemon: Daemon, make: Callable[[], Daemon]) -> None:
        self.daemon = daemon
        self._make = make
        self._stopped = False

    def stop(self) -> None:
        """End for good."""
        self._stopped = True
        self.daemon.stop()

    def run(self, restarts_s: Sequence[float]) -> int:
        """Until a signal or `stop` ends it. `restarts_s`: how long from now on it is
        ended and begun anew."""
        began = time.monotonic()
        for restart_s in restarts_s:
            restarting = threading.Event()
            code = self._run_until(began + restart_s, restarting)
            if code or self._stopped or not restarting.is_set():
                return code
            self.daemon = self._make()
        return until_signal(self.daemon)

    def _run_until(self, when: float, restarting: threading.Event) -> int:
        def restart() -> None:
            restarting.set()
            self.daemon.stop()

        timer = threading.Timer(when - time.monotonic(), restart)
        timer.start()
        try:
            return until_signal(self.daemon)
        finally:
            timer.cancel()


def _show(
    args: argparse.Namespace, served: Served, world: LiveWorld, client: TruthClient
) -> int:
    """Run the daemon, with the clients and the view beside it."""
    stop = threading.Event()
    view = View(args.scenario.name, lambda: served.daemon, world, client)
    beside = [threading.Thread(target=client.ask, args=(stop,))]
    if crowd := world.scenario.clients:
        words = (crowd, client.place, stop)
        beside.append(threading.Thread(target=ask_as, args=words))
    if not args.json:
        watch = threading.Thread(target=view.watch, args=(stop, served.stop))
        beside.append(watch)
    timer = threading.Timer(args.duration or 0.0, served.stop)
    restarts_s = [f.at_s for f in world.scenario.faults if f.kind is Kind.RESTART]
    try:  # a signal may end it from here on
        if args.duration:
            timer.start()
        for thread in beside:
            thread.start()
        code = served.run(sorted(restarts_s))
    finally:
        timer.cancel()
        stop.set()
        for thread in beside:
            if thread.ident is not None:
                thread.join()
    if view.failure is not None:
        raise view.failure
    counters = served.daemon.counters()
    figures = client.figures() | {
        "mode": served.daemon.status().mode,
        "requests": counters["requests"],
    }
    print(json.dumps(figures) if args.json else _summary(figures))
    return code


def _summary(figures: dict[str, Any]) -> str:
    if not figures["samples"]:
        return f"no time was served; mode {figures['mode']}"
    return (
        f"stratum 1 after {figures['stratum1_after_s']:.1f} s; "
        f"{figures['samples']} answers, wrong by {seconds(figures['rms_s'])} rms, "
        f"{seconds(figures['max_s'])} at worst, "
        f"{100 * figures['within_bound']:.2f} % within the bound they were given; "
        f"mode {figures['mode']}, {figures['requests']} requests"
    )
