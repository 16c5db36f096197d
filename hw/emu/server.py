"""Another time server and the way to it: what it answers, and when that comes.

It answers the packets that the real client makes. Whether a request and its reply are
authenticated is a property of the model; no cryptography is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from struct import Struct
from typing import Annotated, Final, Literal

from hw.emu.world import dice
from refclock.settings import Range
from refclock.timebase import (
    Duration,
    LeapTable,
    NtpShort,
    NtpTimestamp,
    Tai,
    Utc,
)

_HEADER: Final = Struct(">BBbbII4s8s8sQQ")
_FRACTION: Final = 2**32
_YEARS: Final = Range(-4e9, 4e9, "s")
_LENGTH: Final = Range(0.0, 16.0, "s")
_BUSY: Final = Duration(20_000)
"""How long it takes to answer."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Another time server the machine may ask."""

    name: str
    auth: Literal["-", "trust", "key", "nts"] = "-"
    """What makes its answers its own."""
    error_s: Annotated[float, _YEARS] = 0.0
    """Its time less UTC, while it errs."""
    leap: Annotated[int, Range(0, 3)] = 0
    """Its leap indicator, while it errs."""
    kiss: str = ""
    """Four letters that it answers with, while it errs."""
    silent: bool = False
    """It does not answer, while it errs."""
    at_s: Annotated[float, Range(0.0, 1e7, "s")] = 0.0
    for_s: Annotated[float, Range(0.0, inf, "s")] = inf
    """When and how long it errs."""
    root_s: Annotated[float, _LENGTH] = 0.001
    """How far from UTC it says that it may be."""
    stratum: Annotated[int, Range(1, 16)] = 1
    there_s: Annotated[float, _LENGTH] = 0.010
    back_s: Annotated[float, _LENGTH] = 0.010
    """How long a packet takes at least."""
    jitter_s: Annotated[float, _LENGTH] = 0.002
    """How much longer on average, each way (exponential)."""
    lost: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Share of exchanges that are lost."""
    least_s: Annotated[int, Range(16, 131_072, "s")] = 16
    most_s: Annotated[int, Range(16, 131_072, "s")] = 1024
    """How often it is asked."""

    def errs(self, elapsed_s: float) -> bool:
        """Does it, so long after the start?"""
        return self.at_s <= elapsed_s < self.at_s + self.for_s


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply and when it comes."""

    data: bytes
    comes: Tai


class EmulatedServer:
    """One of them. Used by one thread."""

    def __init__(
        self, model: Upstream, begins: Tai, leaps: LeapTable, seed: int
    ) -> None:
        self.model = model
        self._begins = begins
        self._leaps = leaps
        self._dice = dice(seed, f"server/{model.name}")

    def answer(self, request: bytes, at: Tai) -> Answer | None:
        """The reply to a request that left at `at`; None: it is lost."""
        model = self.model
        there, back = self._way(model.there_s), self._way(model.back_s)
        lost = self._dice.random() < model.lost
        errs = model.errs((at - self._begins).seconds)
        if lost or (errs and model.silent):
            return None
        received, left = at + there, at + there + _BUSY
        error = Duration.from_seconds(model.error_s if errs else 0.0)
        leap, stratum, ref_id = model.leap * errs, model.stratum, b"SIM\0"
        if errs and model.kiss:
            leap, stratum, ref_id = 3, 0, model.kiss.encode()[:4].ljust(4, b"\0")
        reply = _HEADER.pack(
            leap << 6 | 4 << 3 | 4,
            stratum,
            request[2] & 0x7F,
            -20,
            0,
            NtpShort.of(Duration.from_seconds(model.root_s)).bits,
            ref_id,
            bytes(8),
            request[40:48],
            self._stamp(received, error),
            self._stamp(left, error),
        )
        return Answer(reply, left + back)

    def _way(self, least_s: float) -> Duration:
        jitter_s = self.model.jitter_s
        more_s = self._dice.expovariate(1.0 / jitter_s) if jitter_s else 0.0
        return Duration.from_seconds(least_s + more_s)

    def _stamp(self, at: Tai, error: Duration) -> int:
        utc: Utc = self._leaps.posix(at) + error
        return NtpTimestamp.of(utc).bits
