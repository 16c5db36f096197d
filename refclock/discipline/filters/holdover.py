"""What a change of temperature may do to the rate while no pulse watches it.

A crystal moves by some 0.1 ppm/K, and a room or a processor by 10 K within minutes; a
thermometer elsewhere need not see it. No filter that saw a steady hour foretells that.
So the rate t seconds after the last pulse has, beside what the filters say, a change
that sets in with the time constant T and is of deviation S. To first order

    sigma_x(t) = S t^2/(t + T)       sigma_y(t) = d sigma_x/dt = S t (t + 2 T)/(t + T)^2

which errs to the safe side of the exact S (t - T + T exp(-t/T)) at any t. As it is one
change, both are wholly correlated, and the pulse that ends the gap settles both.
"""

from __future__ import annotations

from typing import Final

UNSEEN: Final = 4e-7
"""S: deviation of the change, s/s: four of them are 10 K of 0.16 ppm/K."""
ONSET_S: Final = 150.0
"""T."""


def unseen(gap_s: float) -> tuple[float, float]:
    """Deviations of offset (s) and rate (s/s), `gap_s` after a pulse was due."""
    t = gap_s
    if t <= 0.0:
        return 0.0, 0.0
    total = t + ONSET_S
    return UNSEEN * t * t / total, UNSEEN * t * (total + ONSET_S) / (total * total)
