"""A fingerprint of every run of the catalogue: `python -m tests.sim.digest 1 2 3`.

What the engine commanded and what it published, in order, to the bit, for each seed
named. Two versions of the code that print the same lines behave the same. Names of
classes and fields do not count, only values do.
"""
# ruff: noqa: T201 - it prints its table

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Final

from hw.sim.fast import Mind, fast
from refclock.events import Command, Event
from refclock.published import ClockSnapshot
from tests.sim.play import FREE, STEERED, engine
from tests.sim.rows import ROWS, Row

_LONGEST_S: Final = 7300


class Fingerprinted:
    """A mind, and the digest of all that it did. Used by one thread."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self._digest = hashlib.sha256()

    @property
    def snapshot(self) -> ClockSnapshot:
        """What clients are told."""
        return self._mind.snapshot

    @property
    def mode(self) -> Enum:
        """How much the clock is worth."""
        return self._mind.mode

    @property
    def fingerprint(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()[:24]

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Pass it on, and take the fingerprint of what it led to."""
        commands = self._mind.handle(event)
        s = self._mind.snapshot
        published = (
            s.stratum,
            s.ref_id,
            s.at,
            s.local,
            s.correction,
            s.rate,
            s.updated,
            s.bound,
            s.bound_rate,
            s.utc_behind_tai,
            s.leap,
            s.precision,
            s.step,
        )
        self._digest.update(repr((plain(commands), plain(published))).encode())
        return commands


def plain(value: object) -> object:
    """`value` without the names of its types; a float to the last bit."""
    if is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.hex() if isinstance(value, float) else value


def digest(row: Row, seed: int) -> str:
    """The fingerprint of one row of the catalogue; of two hours at the most."""
    settings = STEERED if row.steer else FREE
    mind = Fingerprinted(engine(row.scenario, settings, table=row.table))
    hours = min(row.seconds, _LONGEST_S) / 3600
    for _ in fast(row.scenario, mind, hours=hours, seed=seed):
        pass
    return mind.fingerprint


def lines(seeds: list[int]) -> Iterator[str]:
    """One for each row and seed."""
    for seed in seeds:
        for row in ROWS:
            yield f"{seed} {row.id}: {digest(row, seed)}"


if __name__ == "__main__":
    for line in lines([int(each) for each in sys.argv[1:]] or [1]):
        print(line, flush=True)
