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
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, isinf
from pathlib import Path
from typing import Any, Final

from hw.linux.clock import FreeClock
from hw.sim.client import TruthClient, ask_as
from hw.sim.live import LiveWorld
from hw.sim.scenarios import Scenario, Trouble
from refclock.app.compose import PacketClock, compose
from refclock.cli import complain
from refclock.cli.run import EX_CONFIG, EX_UNAVAILABLE, until_told
from refclock.cli.simulate import scenario_options
from refclock.cli.terminal import Screen
from refclock.cli.values import address, duration_s, port
from refclock.config import Config, ConfigError, load, parse
from refclock.daemon.daemon import Daemon
from refclock.observe.status import to_json
from refclock.observe.text import seconds, to_text

HELP: Final = "the whole server on emulated hardware: no receiver, no root"

_PORT: Final = 11_123
_TROUBLE_S: Final = 15.0
"""When the first trouble comes, at the latest."""
_STANDS: Final = 4
"""Troubles that a page tells of at once."""


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
            daemon = compose(config, board, scenario.table, args.capture, packets)
        except OSError as error:
            world.stop()
            complain("demo", error)
            return EX_UNAVAILABLE
        try:
            place = config.server.listen[0], config.server.port
            return _show(args, daemon, world, TruthClient(place, clock, world))
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


def _show(
    args: argparse.Namespace, daemon: Daemon, world: LiveWorld, client: TruthClient
) -> int:
    """Run the daemon, with the clients and the view beside it."""
    stop = threading.Event()
    view = View(args.scenario.name, daemon, world, client)
    beside = [threading.Thread(target=client.ask, args=(stop,))]
    if crowd := world.scenario.clients:
        words = (crowd, client.place, stop)
        beside.append(threading.Thread(target=ask_as, args=words))
    if not args.json:
        beside.append(threading.Thread(target=view.watch, args=(stop,)))
    timer = threading.Timer(args.duration or 0.0, daemon.stop)
    try:  # a signal may end it from here on
        if args.duration:
            timer.start()
        for thread in beside:
            thread.start()
        code = until_told(daemon)
    finally:
        timer.cancel()
        stop.set()
        for thread in beside:
            if thread.ident is not None:
                thread.join()
    if view.failure is not None:
        raise view.failure
    counters = daemon.counters()
    figures = client.figures() | {
        "mode": daemon.status().mode,
        "requests": counters["requests"],
    }
    print(json.dumps(figures) if args.json else _summary(figures))
    return code


class View:
    """The live view: a page redrawn on a terminal, a line a second elsewhere.

    Used by one thread.
    """

    def __init__(
        self, name: str, daemon: Daemon, world: LiveWorld, client: TruthClient
    ) -> None:
        self._about = f"{name}: {world.scenario.description}"
        self._daemon = daemon
        self._world = world
        self._client = client
        self._began = world.now()
        self._alarms: set[str] = set()
        """Those that a line told of."""
        self._after_s = -inf
        """Up to when lines told of troubles."""
        self.failure: OSError | None = None
        """What became of the terminal or pipe; it ends the demo."""

    def watch(self, stop: threading.Event) -> None:
        """Show it every second until told to stop."""
        began = time.monotonic()
        try:
            with Screen(sys.stdout).opened() as screen:
                while not stop.wait(1.0):
                    age = time.monotonic() - began
                    daemon = self._daemon
                    status = json.loads(to_json(daemon.status(), daemon.counters()))
                    now_s = (self._world.now() - self._began).seconds
                    page = self._page if screen.live else self._lines
                    screen.show("\n".join(page(age, now_s, status)))
        except OSError as failure:
            self.failure = failure
            self._daemon.stop()

    def _page(self, age: float, now_s: float, status: dict[str, Any]) -> Iterator[str]:
        first, *rest = to_text(status).splitlines()
        yield first
        yield from standing(self._world.scenario.troubles, now_s)
        yield _truth(self._client)
        yield from rest
        yield f"scenario   {self._about}"
        yield f"demo       {age:.0f} s; Ctrl-C ends it"

    def _lines(self, age: float, now_s: float, status: dict[str, Any]) -> Iterator[str]:
        if isinf(self._after_s):
            yield f"{age:4.0f} s  {self._about}"
        for told in passed(self._world.scenario.troubles, self._after_s, now_s):
            yield f"{age:4.0f} s  {told}"
        self._after_s = now_s
        error_s = self._client.latest_s
        served = "-" if error_s is None else f"error {seconds(error_s)}"
        yield (
            f"{age:4.0f} s  {status['mode']:<8} stratum {status['stratum']:<2}  "
            f"bound {seconds(status['bound_s'])}  served {served}  {status['reason']}"
        )
        alarms = {alarm["text"] for alarm in status["alarms"]}
        for text in sorted(alarms - self._alarms):
            yield f"{age:4.0f} s  ALARM    {text}"
        for text in sorted(self._alarms - alarms):
            yield f"{age:4.0f} s  alarm over: {text}"
        self._alarms = alarms


def standing(troubles: Sequence[Trouble], now_s: float) -> list[str]:
    """How things stand with the troubles: those that last first, then what comes."""
    going, coming, over = [], [], []
    for each in troubles:
        until_s = each.at_s + each.for_s
        if now_s < each.at_s:
            coming.append(f"trouble    in {each.at_s - now_s:.0f} s: {each.words}")
        elif now_s < until_s:
            left = "" if isinf(until_s) else f", for {until_s - now_s:.0f} s more"
            going.append(f"TROUBLE    {each.words}{left}")
        else:
            over.append(f"trouble    {now_s - until_s:.0f} s ago: {each.words}")
    return [*going, *coming, *reversed(over)][:_STANDS]


def passed(troubles: Sequence[Trouble], after_s: float, now_s: float) -> Iterator[str]:
    """What began or ended since `after_s`; at the very first also what will come."""
    for each in troubles:
        until_s = each.at_s + each.for_s
        lasting = "" if isinf(each.for_s) or not each.for_s else f", {each.for_s:g} s"
        if isinf(after_s) and now_s < each.at_s:
            yield f"in {each.at_s - now_s:.0f} s: {each.words}{lasting}"
        if after_s < each.at_s <= now_s:
            yield f"TROUBLE  {each.words}{lasting}"
        if each.for_s and after_s < until_s <= now_s:
            yield f"over     {each.words}"


def _truth(client: TruthClient) -> str:
    """What the emulator knows and the daemon does not."""
    if not client.errors_s:
        return "truth      nothing was served yet"
    return (
        f"truth      a client was served a time wrong by "
        f"{seconds(client.errors_s[-1])}; worst {seconds(client.figures()['max_s'])}"
    )


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
