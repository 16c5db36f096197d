"""The rate follows a thermometer, along a curve that the pulse teaches.

A crystal's rate follows its temperature along a curve that is near enough a parabola.
With u the temperature above a reference, in tens of kelvin, the states of `fourstate`
are moved by A = u t and B = u^2 t, and do not turn (c = 1, s = 0). The rate is
y + a u + b u^2; the pulse teaches all three. The crystal feels what the sensor feels a
while later, so u may lag.
"""

from __future__ import annotations

from math import exp
from typing import Final

from refclock.discipline.filters.fourstate import FourStateFilter
from refclock.discipline.filters.kalman import Noise

THERMAL: Final = tuple(Noise(q2=10.0**k) for k in range(-9, -2))
LAGS_S: Final = (30.0, 150.0)
"""How late the crystal may feel the temperature."""
UNKNOWN: Final = 3e-6
"""What ten kelvin may do to an unknown crystal, s/s, one sigma."""
PROCESS_NOISE_RATIO: Final = 1e-3
"""Density of the noise on the curve over that on the rate."""


class ThermalFilter(FourStateFilter):
    """The clock under the hypothesis that its rate follows a thermometer.

    Used by one thread.
    """

    __slots__ = ("lag_s", "u")

    def __init__(self, noise: Noise, prior: float, q: float) -> None:
        """`q`: density of the noise on a and b, over r."""
        super().__init__(noise, prior, q)
        self.u = 0.0
        """The temperature felt now, tens of kelvin above the reference."""
        self.lag_s = 0.0
        """Time constant with which the crystal follows the sensor."""

    def sense(self, u: float, t: float) -> None:
        """The thermometer showed `u` for the last `t` seconds."""
        self.u += (u - self.u) * (1.0 - exp(-t / self.lag_s) if self.lag_s else 1.0)

    def predict(self, t: float) -> None:
        """Carry the state `t` seconds forward."""
        q, q2 = self.q, self.noise.q2
        to_a, to_b = self.u * t, self.u * self.u * t
        pxa, pxb, pya, pyb = self.pxa, self.pxb, self.pya, self.pyb
        self.x += t * self.y + to_a * self.a + to_b * self.b
        fy = self.pxy + t * self.pyy + to_a * pya + to_b * pyb
        fa = pxa + t * pya + to_a * self.paa + to_b * self.pab
        fb = pxb + t * pyb + to_a * self.pab + to_b * self.pbb
        self.pxx += t * (self.pxy + fy) + to_a * (pxa + fa) + to_b * (pxb + fb)
        self.pxx += q2 * t * t * t / 3.0
        self.pxy = fy + q2 * t * t / 2.0
        self.pyy += q2 * t
        self.pxa, self.pxb = fa, fb
        self.paa += q * t
        self.pbb += q * t

    def ahead(self, t: float) -> tuple[float, float, float, float, float]:
        """x, rate, drift and the variances of x and rate over r, `t` seconds on."""
        q, q2, u = self.q, self.noise.q2, self.u
        to_a, to_b, u2 = u * t, u * u * t, u * u
        fy = self.pxy + t * self.pyy + to_a * self.pya + to_b * self.pyb
        fa = self.pxa + t * self.pya + to_a * self.paa + to_b * self.pab
        fb = self.pxb + t * self.pyb + to_a * self.pab + to_b * self.pbb
        return (
            self.x + t * self.y + to_a * self.a + to_b * self.b,
            self.y + u * self.a + u2 * self.b,
            0.0,
            self.pxx
            + t * (self.pxy + fy)
            + to_a * (self.pxa + fa)
            + to_b * (self.pxb + fb)
            + q2 * t**3 / 3.0,
            self.pyy
            + 2.0 * (u * self.pya + u2 * self.pyb + u * u2 * self.pab)
            + u * u * self.paa
            + u2 * u2 * self.pbb
            + (q * (u * u + u2 * u2) + q2) * t,
        )


def thermal_filters(prior: float, r: float) -> list[ThermalFilter]:
    """Hypotheses on a thermometer, knowing nothing yet of the crystal."""
    made = []
    for lag_s in LAGS_S:
        for noise in THERMAL:
            f = ThermalFilter(noise, prior, PROCESS_NOISE_RATIO * noise.q2)
            f.lag_s = lag_s
            f.r = r
            f.paa = f.pbb = UNKNOWN**2 / r
            made.append(f)
    return made
