"""`refclock demo`: the real daemon on an emulated receiver, pulse and oscillator.

Real threads, a real pty read by pyserial, real sockets. The machine's clock is not
touched: the emulated sky drifts against it, which to the daemon is a drifting
oscillator. The emulator knows true time, so what a client is served can be
compared with the truth.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import secrets
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart
from hw.net.ask import Asker
from hw.sim.live import LiveWorld
from hw.sim.scenarios import SCENARIOS, Scenario
from refclock.app.compose import compose
from refclock.board.ports import Board
from refclock.cli import complain
from refclock.cli.run import EX_CONFIG, EX_UNAVAILABLE, until_told
from refclock.cli.terminal import Screen, silence
from refclock.cli.values import address, duration_s, port
from refclock.config import Config, ConfigError, load, parse
from refclock.daemon.daemon import Daemon
from refclock.ntp.exchange import Measurement, Question, measure
from refclock.ntp.packet import Packet
from refclock.observe.status import to_json
from refclock.observe.text import seconds, to_text
from refclock.timebase import MICROSECOND, MILLISECOND, Duration

HELP: Final = "the whole server on emulated hardware: no receiver, no root"

_PORT: Final = 11_123
_EVERY_S: Final = 0.25
_EXCHANGES: Final = 4
_PATIENCE: Final = 500 * MILLISECOND


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
    parser.add_argument(
        "--scenario",
        choices=sorted(SCENARIOS),
        default="nominal",
        metavar="NAME",
        help="; ".join(
            f"{name}: {each.description}" for name, each in SCENARIOS.items()
        ),
    )
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
    with tempfile.TemporaryDirectory(prefix="refclock-") as folder:
        try:
            config = _config(args, Path(folder))
        except ConfigError as error:
            complain(None, error)
            return EX_CONFIG
        except OSError as error:
            complain("demo", error)
            return EX_CONFIG
        clock = FreeClock()
        scenario = SCENARIOS[args.scenario]
        world = LiveWorld(scenario, args.seed, clock)
        world.start()
        try:
            board = _board(config, scenario, world, clock)
            daemon = compose(config, board, scenario.table, args.capture)
            return _show(args, daemon, DemoClient(config, clock, world))
        except OSError as error:
            complain("demo", error)
            return EX_UNAVAILABLE
        finally:
            world.stop()


def _config(args: argparse.Namespace, folder: Path) -> Config:
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
    over: dict[str, Any] = {}
    if args.port is not None:
        over["port"] = args.port
    if args.bind is not None:
        over["listen"] = [args.bind]
    config = load(args.config, own) if args.config else parse(b"", "demo", own)
    return replace(config, server=replace(config.server, **over))


def _board(
    config: Config, scenario: Scenario, world: LiveWorld, clock: FreeClock
) -> Board:
    """The emulated hardware, read by the real drivers."""
    return Board(
        name="an emulated receiver",
        clock=clock,
        open_receiver=lambda: Uart(
            world.receiver_path, scenario.receiver_model.line_rate or 115_200
        ),
        open_pulse=world.open_pulse,
        open_thermometer=world.open_thermometer,
        open_pin=world.open_pin if config.pulse.measure else None,
        pulse_latency=Duration.from_seconds(scenario.receiver_model.pulse.latency_s),
        pulse_latency_spread=MICROSECOND,
    )


class DemoClient:
    """Asks as any client does, and compares with the emulator's own truth.

    Of some exchanges the quickest counts (RFC 5905 section 10): the others were
    held up on the way, on a busy machine between two threads of it.
    """

    def __init__(self, config: Config, clock: FreeClock, world: LiveWorld) -> None:
        self._place = (config.server.listen[0], config.server.port)
        self._clock = clock
        self._world = world
        self.errors_s: list[float] = []
        """Served - true, where true has a name (not inside an inserted second)."""
        self.within = 0
        """How many of them lay within the bound the client could reckon."""
        self.stratum1_after_s: float | None = None

    def ask(self, stop: threading.Event) -> None:
        """Once a second the quickest of four exchanges, until told to stop."""
        began = time.monotonic()
        with closing(Asker(self._place)) as asker:
            while not stop.is_set():
                exchanges = []
                for _ in range(_EXCHANGES):
                    stop.wait(_EVERY_S)
                    if (measured := _measure(asker)) is None:
                        continue
                    exchanges.append(measured)
                    if self.stratum1_after_s is None:
                        self.stratum1_after_s = time.monotonic() - began
                if exchanges:
                    self._compare(min(exchanges, key=lambda each: each.delay))

    def _compare(self, measured: Measurement) -> None:
        """The exchange's middle, on our clock, as the server told it and as it was."""
        local, mono = self._clock.read()
        middle = measured.received - Duration(measured.delay.ns // 2)
        true = self._world.leaps.utc(self._world.truth(mono - (local - middle)))
        if true is None:
            return
        error = Duration(middle.ns + measured.offset.ns - true.ns)
        self.errors_s.append(error.seconds)
        self.within += abs(error) <= measured.error

    def figures(self) -> dict[str, Any]:
        """The errors in short."""
        errors = self.errors_s
        if not errors:
            unknown = ("stratum1_after_s", "rms_s", "max_s", "within_bound")
            return {"samples": 0, **dict.fromkeys(unknown)}
        return {
            "samples": len(errors),
            "stratum1_after_s": self.stratum1_after_s,
            "rms_s": math.sqrt(math.fsum(e * e for e in errors) / len(errors)),
            "max_s": max(map(abs, errors)),
            "within_bound": self.within / len(errors),
        }


def _measure(asker: Asker) -> Measurement | None:
    """One exchange; None: no time was served."""
    question = Question.ask(4, secrets.randbits(64))
    try:
        sent = asker.send(question.packet.encode())
        for data, received in asker.replies(_PATIENCE):
            reply = question.judge(data)
            if isinstance(reply, Packet):
                measured = measure(reply, sent, received)
                return measured if isinstance(measured, Measurement) else None
            if not reply.stray:
                return None
    except OSError:  # not listening yet, or no more
        return None
    return None


def _show(args: argparse.Namespace, daemon: Daemon, client: DemoClient) -> int:
    """Run the daemon, with the client and the view beside it."""
    stop = threading.Event()
    beside = [threading.Thread(target=client.ask, args=(stop,))]
    if not args.json:
        beside.append(
            threading.Thread(target=_watch, args=(args, daemon, client, stop))
        )
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
    counters = daemon.counters()
    figures = client.figures() | {
        "mode": daemon.status().mode,
        "requests": counters["requests"],
    }
    print(json.dumps(figures) if args.json else _summary(figures))
    return code


def _watch(
    args: argparse.Namespace, daemon: Daemon, client: DemoClient, stop: threading.Event
) -> None:
    """The live view: a page redrawn on a terminal, a line a second elsewhere.

    The demo ends with whoever reads it.
    """
    began = time.monotonic()
    try:
        with Screen(sys.stdout).opened() as screen:
            while not stop.wait(1.0):
                age = time.monotonic() - began
                status = json.loads(to_json(daemon.status(), daemon.counters()))
                if screen.live:
                    head = f"demo       {args.scenario}, {age:.0f} s; Ctrl-C ends it"
                    screen.show(f"{head}\n{_truth(client)}\n{to_text(status)}")
                else:
                    screen.show(_line(age, status, client))
    except OSError:  # the terminal, or the pipe's reader, is gone
        silence(sys.stdout)
        daemon.stop()


def _line(age: float, status: dict[str, Any], client: DemoClient) -> str:
    error = f"error {seconds(client.errors_s[-1])}" if client.errors_s else "-"
    return (
        f"{age:4.0f} s  {status['mode']:<8} stratum {status['stratum']:<2}  "
        f"bound {seconds(status['bound_s'])}  served {error}  {status['reason']}"
    )


def _truth(client: DemoClient) -> str:
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
