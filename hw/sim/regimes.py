"""How well a clock kept what it promised, by what it was going through.

    start       the first START_S seconds that are served
    event       EVENT_S seconds after a pulse came back, or a trouble began or ended
    holdover    without pulses
    steady      all else

Only seconds that are served count; of the others the number is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from typing import Any, Final

START_S: Final = 600
EVENT_S: Final = 300
REGIMES: Final = ("start", "steady", "event", "holdover")


@dataclass(frozen=True, slots=True)
class Judged:
    """One second of a run."""

    error_s: float
    bound_s: float
    serves: bool
    mode: str


def by_regime(
    lived: Sequence[Judged], events_s: Iterable[float] = (), begin: int = 0
) -> dict[str, dict[str, float | None]]:
    """Seconds, coverage, rms, greatest error and median bound of each regime that
    occurs from the second `begin` on."""
    found: dict[str, list[Judged]] = {}
    names = _names(lived, events_s)
    for second, name in list(zip(lived, names, strict=True))[begin:]:
        if second.serves:
            found.setdefault(name, []).append(second)
    return {name: _figures(found[name]) for name in REGIMES if name in found}


def worst(lived: Sequence[Judged], begin: int = 0) -> dict[str, Any] | None:
    """The served second whose error is the greatest share of its bound; None: none."""
    served = [k for k in range(begin, len(lived)) if lived[k].serves]
    if not served:
        return None
    k = max(served, key=lambda k: abs(lived[k].error_s) / max(lived[k].bound_s, 1e-12))
    second = lived[k]
    return {
        "at_s": k,
        "error_s": second.error_s,
        "bound_s": second.bound_s,
        "mode": second.mode,
    }


def _names(lived: Sequence[Judged], events_s: Iterable[float]) -> list[str]:
    events = {round(at_s) for at_s in events_s}
    names, first, event, before = [], None, None, ""
    for k, second in enumerate(lived):
        if first is None and second.serves:
            first = k
        if k in events or (before == "HOLDOVER" and second.mode != before):
            event = k
        before = second.mode
        if second.mode == "HOLDOVER":
            names.append("holdover")
        elif first is None or k < first + START_S:
            names.append("start")
        elif event is not None and k < event + EVENT_S:
            names.append("event")
        else:
            names.append("steady")
    return names


def _figures(seconds: Sequence[Judged]) -> dict[str, float | None]:
    errors = [abs(second.error_s) for second in seconds]
    bounds = sorted(second.bound_s for second in seconds)
    covered = sum(second.bound_s >= abs(second.error_s) for second in seconds)
    return {
        "seconds": len(seconds),
        "coverage": covered / len(seconds),
        "rms_s": sqrt(fsum(e * e for e in errors) / len(errors)),
        "max_s": max(errors),
        "bound_median_s": bounds[len(bounds) // 2],
    }
