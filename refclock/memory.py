"""What outlives a restart, as JSON text. Pure: files are the shell's matter.

A torn, foreign or newer file is no memory at all: the daemon then starts cold
and says why. It never starts from half a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from refclock.discipline.bank import Learned
from refclock.gnss.lag import Lag
from refclock.timebase import Duration, Utc

VERSION: Final = 1


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
                        kind: Lag(Duration(mean), Duration(spread), count)
                        for kind, (mean, spread, count) in kept["lags"].items()
                    },
                    Utc(int(kept["last_good_ns"])),
                )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MemoryLostError(f"torn or not ours: {error!r}") from error
        raise MemoryLostError(f"it is of version {version}, we read {VERSION}")


def _learned(kept: Mapping[str, Any] | None) -> Learned | None:
    if kept is None:
        return None
    told: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in kept.items()
    }
    return Learned(**told)
