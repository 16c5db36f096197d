"""Clients of a live world's server: one that knows the truth, and a crowd."""

from __future__ import annotations

import heapq
import math
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from typing import Any, Final

from hw.net.ask import Asker
from hw.sim.live import LiveWorld
from hw.sim.scenarios import NetworkClient
from refclock.board.ports import SystemClock
from refclock.ntp.exchange import Measurement, Question, measure
from refclock.ntp.packet import Packet
from refclock.timebase import MILLISECOND, Duration

_EVERY_S: Final = 0.25
_EXCHANGES: Final = 4
_PATIENCE: Final = 500 * MILLISECOND
_ROOM: Final = 2048
_HOSTS: Final = 250
"""Addresses of 127.0.1.0/24 that a crowd asks from."""

Place = tuple[str, int]


class TruthClient:
    """Asks as any client does, and compares with the emulator's own truth.

    Of some exchanges the quickest counts (RFC 5905 section 10): the others were
    held up on the way, on a busy machine between two threads of it.
    """

    def __init__(self, place: Place, clock: SystemClock, world: LiveWorld) -> None:
        """`clock`: the machine's own, which stamps packets."""
        self.place = place
        self._clock = clock
        self._world = world
        self.errors_s: list[float] = []
        """Served - true, where true has a name (not inside an inserted second)."""
        self.within = 0
        """How many of them lay within the bound the client could reckon."""
        self.latest_s: float | None = None
        """The last of them; None: no time was served just now."""
        self.stratum1_after_s: float | None = None

    def ask(self, stop: threading.Event) -> None:
        """Once a second the quickest of four exchanges, until told to stop."""
        began = time.monotonic()
        with closing(Asker(self.place)) as asker:
            while not stop.is_set():
                exchanges = []
                for _ in range(_EXCHANGES):
                    stop.wait(_EVERY_S)
                    if (measured := _measure(asker)) is None:
                        continue
                    exchanges.append(measured)
                    if self.stratum1_after_s is None:
                        self.stratum1_after_s = time.monotonic() - began
                self.latest_s = None
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
        self.latest_s = error.seconds
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


def ask_as(crowd: Sequence[NetworkClient], place: Place, stop: threading.Event) -> None:
    """Ask as those hosts do, from addresses of loopback, until told to stop; what is
    answered is thrown away. OSError: `place` cannot be reached from there."""
    every_s = [each.every_s for each in crowd for _ in range(each.count)]
    now = time.monotonic()
    agenda = [(now + n * each / len(every_s), n) for n, each in enumerate(every_s)]
    heapq.heapify(agenda)
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(_from(f"127.0.1.{n + 1}", place))
            for n in range(min(len(every_s), _HOSTS))
        ]
        while agenda and not stop.wait(max(agenda[0][0] - time.monotonic(), 0.0)):
            due, host = agenda[0]
            heapq.heapreplace(agenda, (due + every_s[host], host))
            made = sockets[host % _HOSTS]
            with suppress(OSError):  # nothing was answered, or nobody listens
                made.recv(_ROOM)
            with suppress(OSError):
                made.send(Question.ask(4, secrets.randbits(64)).packet.encode())


def _from(address: str, place: Place) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((address, 0))
        made.connect(place)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
