"""What the demo shows while it runs: a page on a terminal, lines in a pipe."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf, isinf
from typing import Any, Final

from hw.sim.client import TruthClient
from hw.sim.live import LiveWorld
from hw.sim.scenarios import Trouble
from refclock.cli.terminal import Screen
from refclock.daemon.daemon import Daemon
from refclock.observe.status import to_json
from refclock.observe.text import seconds, to_text

_STANDS: Final = 4
"""Troubles that a page tells of at once."""


class View:
    """The live view: a page redrawn on a terminal, a line a second elsewhere.

    Used by one thread.
    """

    def __init__(
        self,
        name: str,
        daemon: Callable[[], Daemon],
        world: LiveWorld,
        client: TruthClient,
    ) -> None:
        """`daemon`: the one that runs now."""
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

    def watch(self, stop: threading.Event, stop_demo: Callable[[], None]) -> None:
        """Show it every second until told to stop; `stop_demo` when nobody reads it."""
        began = time.monotonic()
        try:
            with Screen(sys.stdout).opened() as screen:
                while not stop.wait(1.0):
                    age = time.monotonic() - began
                    daemon = self._daemon()
                    status = json.loads(to_json(daemon.status(), daemon.counters()))
                    now_s = (self._world.now() - self._began).seconds
                    page = self._page if screen.live else self._lines
                    screen.show("\n".join(page(age, now_s, status)))
        except OSError as failure:
            self.failure = failure
            stop_demo()

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
