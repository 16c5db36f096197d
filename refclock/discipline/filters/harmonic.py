"""A swing of the rate of unknown cause, at a frequency the filter learns by itself.

Temperature mostly goes round: a heater, a fan, the sun. With omega the angular
frequency (rad/s), c = cos omega t and s = sin omega t, the states of `fourstate` are
moved by A = s/omega and B = (1 - c)/omega. The rate is y + a; b is what a will be a
quarter period later. White noise of density q on a and b comes out as

    Q_xx = 2 q (t - A)/omega^2    Q_xa = q B/omega    Q_xb = -q (t - A)/omega
    Q_aa = Q_bb = q t

(the integrals of A^2 + B^2, A c + B s and B c - A s over t). Nobody tells omega: a
filter of the wrong frequency is turned the same way by every correction, so the
corrections turn omega. If K e is what a pulse adds to (a, b), the angle is

    turn = (b K_a - a K_b) e / (a^2 + b^2 + r (P_aa + P_bb))     omega += GAIN turn

which finds a swing of an hour within the hour, wherever it starts to look. Where
nothing swings, these predict no better than the plain filters and have no weight.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Final

from refclock.discipline.filters.fourstate import FourStateFilter
from refclock.discipline.filters.kalman import Noise

GAIN: Final = 1e-3
"""How far a correction turns omega, rad/s per rad."""
OMEGA: Final = 2.0 * pi / 2400.0
"""Where the search for a swing starts, rad/s."""
LEAST_OMEGA: Final = 2.0 * pi / 100_000.0
MOST_OMEGA: Final = 2.0 * pi / 480.0
"""A day and eight minutes: shorter, and the filters cannot tell it from wander."""
HARMONIC: Final = tuple(Noise(q2=10.0**k) for k in range(-10, 2))
PROCESS_NOISE_RATIOS: Final = (1.0, 0.03)
"""Density of the noise on the swing over that on the rate: how soon it may change."""


class HarmonicFilter(FourStateFilter):
    """The clock under the hypothesis that its rate swings. Used by one thread."""

    __slots__ = ("omega",)

    def __init__(self, noise: Noise, prior: float, q: float) -> None:
        """`q`: density of the noise on a and b, over r."""
        super().__init__(noise, prior, q)
        self.omega = OMEGA
        """rad/s."""

    def predict(self, t: float) -> None:
        """Carry the state `t` seconds forward."""
        c, s, to_a, to_b, bow, arc = self._reach(t)
        q, q2 = self.q, self.noise.q2
        a, b = self.a, self.b
        self.x += t * self.y + to_a * a + to_b * b
        self.a, self.b = c * a + s * b, c * b - s * a
        pxa, pxb, pya, pyb = self.pxa, self.pxb, self.pya, self.pyb
        paa, pab, pbb = self.paa, self.pab, self.pbb
        fy = self.pxy + t * self.pyy + to_a * pya + to_b * pyb
        fa = pxa + t * pya + to_a * paa + to_b * pab
        fb = pxb + t * pyb + to_a * pab + to_b * pbb
        self.pxx += t * (self.pxy + fy) + to_a * (pxa + fa) + to_b * (pxb + fb)
        self.pxx += q2 * t * t * t / 3.0 + 2.0 * q * bow
        self.pxy = fy + q2 * t * t / 2.0
        self.pyy += q2 * t
        self.pxa = c * fa + s * fb + q * arc
        self.pxb = c * fb - s * fa - q * bow * self.omega
        self.pya = c * pya + s * pyb
        self.pyb = c * pyb - s * pya
        self.paa = c * c * paa + 2.0 * c * s * pab + s * s * pbb + q * t
        self.pab = c * s * (pbb - paa) + (c * c - s * s) * pab
        self.pbb = s * s * paa - 2.0 * c * s * pab + c * c * pbb + q * t

    def ahead(self, t: float) -> tuple[float, float, float, float, float]:
        """x, rate, drift and the variances of x and rate over r, `t` seconds on."""
        c, s, to_a, to_b, bow, _ = self._reach(t)
        q, q2 = self.q, self.noise.q2
        fy = self.pxy + t * self.pyy + to_a * self.pya + to_b * self.pyb
        fa = self.pxa + t * self.pya + to_a * self.paa + to_b * self.pab
        fb = self.pxb + t * self.pyb + to_a * self.pab + to_b * self.pbb
        return (
            self.x + t * self.y + to_a * self.a + to_b * self.b,
            self.y + c * self.a + s * self.b,
            self.omega * (c * self.b - s * self.a),
            self.pxx
            + t * (self.pxy + fy)
            + to_a * (self.pxa + fa)
            + to_b * (self.pxb + fb)
            + q2 * t**3 / 3.0
            + 2.0 * q * bow,
            self.pyy
            + 2.0 * (c * self.pya + s * self.pyb + c * s * self.pab)
            + c * c * self.paa
            + s * s * self.pbb
            + (q * (c * c + s * s) + q2) * t,
        )

    def _reach(self, t: float) -> tuple[float, float, float, float, float, float]:
        """c, s, A, B and the integrals (t - A)/omega^2 and B/omega."""
        w = self.omega
        c, s = cos(w * t), sin(w * t)
        to_a, to_b = s / w, (1.0 - c) / w
        return c, s, to_a, to_b, (t - to_a) / (w * w), to_b / w

    def update(self, e: float, rho: float, w: float) -> None:
        """Take in a residual `e` of a sample of variance `rho` r, counting with `w`."""
        s = self.pxx + rho
        ka, kb = self.pxa / s, self.pxb / s
        a, b = self.a, self.b
        size = a * a + b * b + self.r * (self.paa + self.pbb)
        omega = self.omega + GAIN * (e * w) * (b * ka - a * kb) / size
        self.omega = min(max(omega, LEAST_OMEGA), MOST_OMEGA)
        super().update(e, rho, w)


def harmonic_filters(prior: float) -> list[HarmonicFilter]:
    """Hypotheses on a swing of unknown cause."""
    return [
        HarmonicFilter(noise, prior, ratio * noise.q2)
        for ratio in PROCESS_NOISE_RATIOS
        for noise in HARMONIC
    ]
