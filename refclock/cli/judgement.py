"""What a simulated run was worth: figures by regime and of holdovers, and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hw.sim.regimes import Judged, by_regime, worst
from refclock.observe.text import seconds

HOLDOVERS_S: Final = (60, 300, 600, 3600, 14_400, 21_600, 86_400)
"""So long after the pulse went the calibration table has a line."""


def judgement(
    lived: Sequence[Judged], events_s: Iterable[float], begin: int
) -> dict[str, Any]:
    """What `regimes` finds from the second `begin` on."""
    return {
        "regimes": by_regime(lived, events_s, begin),
        "worst": worst(lived, begin),
    }


def holdovers(
    at_s: Sequence[float], runs: Sequence[Sequence[Judged]]
) -> list[dict[str, float]]:
    """Error and bound so long after the pulse went, of every run that served then."""
    return [
        {
            "at_s": at,
            "after_s": after_s,
            "error_s": abs(lived[k].error_s),
            "bound_s": lived[k].bound_s,
        }
        for at, lived in zip(at_s, runs, strict=True)
        for after_s in HOLDOVERS_S
        if (k := round(at) + after_s) < len(lived) and lived[k].serves
    ]


def text(told: Mapping[str, Any]) -> str:
    """A line for each figure."""
    nested = ("regimes", "worst", "holdovers")
    plain = {name: value for name, value in told.items() if name not in nested}
    lines = [f"{name:<20} {_figure(name, plain[name])}" for name in plain]
    for name, regime in told["regimes"].items():
        lines.append(
            f"{'in ' + name:<20} {regime['seconds']} s, {regime['coverage']:.3%} within"
            f" the bound of {seconds(regime['bound_median_s'])},"
            f" rms {seconds(regime['rms_s'])}, most {seconds(regime['max_s'])}"
        )
    if (second := told["worst"]) is not None:
        lines.append(
            f"{'worst second':<20} {second['at_s']}: {seconds(second['error_s'])} of"
            f" {seconds(second['bound_s'])}, {second['mode']}"
        )
    lines += [
        f"{'holdover':<20} from {line['at_s']:g} s, after {line['after_s']} s:"
        f" {seconds(line['error_s'])} of {seconds(line['bound_s'])}"
        for line in told.get("holdovers", ())
    ]
    return "\n".join(lines)


def _figure(name: str, value: object) -> str:
    if isinstance(value, float | None) and name.endswith(_LENGTHS):
        return seconds(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_LENGTHS: Final = ("rms_s", "p95_s", "p99_s", "max_s", "median_s", "0s_s")
