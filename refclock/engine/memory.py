"""What outlives a restart, as JSON text. Pure: files are the shell's matter.

A torn, foreign or newer file is no memory at all: the daemon then starts cold
and says why. It never starts from half a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from operator import index
from typing import Any, Final, Self

from refclock.discipline.bank import Learned
from refclock.label.lag import Lag
from refclock.timebase import Duration, Utc

VERSION: Final = 1
_WRONG: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What JSON of another shape, or nested without end, comes to."""


class MemoryLostError(ValueError):
    """Text that is no memory of ours."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The clock's character, the receiver's habits, and the last good time."""

    learned: Learned | None
    lags: Mapping[str, Lag]
    last_good: Utc

    def text(self) -> str:
        """As it goes to disk."""
        return json.dumps(
            {
                "version": VERSION,
                "last_good_ns": self.last_good.ns,
                "lags": {
                    kind: [lag.mean.ns, lag.spread.ns, lag.count]
                    for kind, lag in self.lags.items()
                },
                "learned": asdict(self.learned) if self.learned else None,
            },
            indent=1,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `text` wrote. MemoryLostError says what is wrong with anything else."""
        try:
            kept = json.loads(text)
            version = kept["version"]
            if version == VERSION:
                return cls(
                    _learned(kept["learned"]),
                    {
                        kind: Lag(
                            Duration(index(mean)), Duration(index(spread)), index(n)
                        )
                        for kind, (mean, spread, n) in kept["lags"].items()
                    },
                    Utc(index(kept["last_good_ns"])),
                )
        except _WRONG as error:
            raise MemoryLostError(f"torn or not ours: {error!r}") from error
        raise MemoryLostError(f"it is of version {version}, we read {VERSION}")


def _learned(kept: Mapping[str, Any] | None) -> Learned | None:
    if kept is None:
        return None
    told: dict[str, Any] = {
        name: tuple(map(_finite, value)) if name in _LISTS else _finite(value)
        for name, value in kept.items()
    }
    return Learned(**told)


_LISTS: Final = frozenset({"log_weight", "curve"})


def _finite(value: float) -> float:
    """`value`. ValueError, TypeError, OverflowError: it is no number to reckon with."""
    if not isfinite(value):
        raise ValueError(f"{value} is no number")
    return value
