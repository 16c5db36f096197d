"""What temperature does to the rate, and a filter that foresees it.

A crystal's rate follows its temperature along a curve that is near enough a
parabola, and temperature mostly goes round: a heater, a fan, the sun. So beside the
wandering rate y these hypotheses hold two more states, a and b (s/s), that sway the
clock in a way known beforehand:

    x' = x + y t + A a + B b      y' = y      a' = c a + s b      b' = c b - s a

*By a thermometer*, with u the temperature above a reference, in tens of kelvin:
A = u t, B = u^2 t, c = 1, s = 0. The rate is y + a u + b u^2; the pulse teaches all
three. A crystal feels what the sensor feels a while later, so u may lag.

*By itself*, at the pitch w (rad/s): c = cos wt, s = sin wt, A = s/w, B = (1 - c)/w.
The rate is y + a, and b is what a will be a quarter period later. White noise of
density q on a and b comes out as

    Q_xx = 2 q (t - A)/w^2    Q_xa = q B/w    Q_xb = -q (t - A)/w    Q_aa = Q_bb = q t

(the integrals of A^2 + B^2, A c + B s and B c - A s over t). Nobody tells the pitch:
a filter of the wrong pitch is turned the same way by every correction, so the
corrections turn the pitch. If K e is what a pulse adds to (a, b), the angle is

    turn = (b K_a - a K_b) e / (a^2 + b^2 + r (P_aa + P_bb))     w += GAIN turn

which finds a swing of an hour within the hour, wherever it starts to look. Where
nothing swings, these foretell no better than the plain filters and have no weight.
Everything else, units too, is as in `noise`.
"""

from __future__ import annotations

from math import cos, exp, pi, sin
from typing import Final

from refclock.discipline.filters.kalman import Noise

GAIN: Final = 1e-3
"""How far a correction turns the pitch, rad/s per rad."""
PITCH: Final = 2.0 * pi / 2400.0
"""Where a swing starts to look, rad/s."""
LOWEST: Final = 2.0 * pi / 100_000.0
HIGHEST: Final = 2.0 * pi / 480.0
"""A day and eight minutes: shorter, and the filters cannot tell it from wander."""
SWINGING: Final = tuple(Noise(q2=10.0**k) for k in range(-10, 2))
LOYALTY: Final = (1.0, 0.03)
"""Density of the noise on a swing over that on the rate: how soon it may change."""
WARMED: Final = tuple(Noise(q2=10.0**k) for k in range(-9, -2))
LAGS_S: Final = (30.0, 150.0)
"""How late the crystal may feel the temperature."""
UNKNOWN: Final = 3e-6
"""What ten kelvin may do to an unknown crystal, s/s, one sigma."""
STIFFNESS: Final = 1e-3
"""Density of the noise on the curve over that on the rate."""


class Sway:
    """The clock as a hypothesis sees it whose rate temperature sways.

    Mutable, straight-line float algebra.
    """

    __slots__ = (
        "a", "b", "count", "evidence", "lag_s", "merit", "noise", "paa", "pab", "pbb",
        "pitch", "prior", "pxa", "pxb", "pxx", "pxy", "pya", "pyb", "pyy", "q", "r",
        "u", "x", "y",
    )  # fmt: skip

    def __init__(self, noise: Noise, prior: float, q: float) -> None:
        self.noise = noise
        self.prior = prior
        self.evidence = self.merit = 0.0
        self.r = 1e-12
        self.count = 0.5
        self.q = q
        """Density of the noise on a and b, over r."""
        self.pitch = PITCH
        """rad/s; 0: swayed by the thermometer."""
        self.u = 0.0
        """The temperature felt now, tens of kelvin above the reference."""
        self.lag_s = 0.0
        self.start(1.0, 0.0, 0.0, 0.0)

    def start(self, pxx: float, y: float, pxy: float, pyy: float) -> None:
        """Begin at x = 0 with the rate `y`, known to these covariances over r."""
        self.x, self.y, self.a, self.b = 0.0, y, 0.0, 0.0
        self.pxx, self.pxy, self.pyy = pxx, pxy, pyy
        self.pxa = self.pxb = self.pya = self.pyb = self.pab = 0.0
        self.paa = self.pbb = 1e5 * self.noise.q2

    def feel(self, u: float, t: float) -> None:
        """The thermometer showed `u` for the last `t` seconds."""
        self.u += (u - self.u) * (1.0 - exp(-t / self.lag_s) if self.lag_s else 1.0)

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
        self.pxb = c * fb - s * fa - q * bow * self.pitch
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
        ya, yb = (c, s) if self.pitch else (self.u, self.u * self.u)
        return (
            self.x + t * self.y + to_a * self.a + to_b * self.b,
            self.y + ya * self.a + yb * self.b,
            self.pitch * (c * self.b - s * self.a),
            self.pxx
            + t * (self.pxy + fy)
            + to_a * (self.pxa + fa)
            + to_b * (self.pxb + fb)
            + q2 * t**3 / 3.0
            + 2.0 * q * bow,
            self.pyy
            + 2.0 * (ya * self.pya + yb * self.pyb + ya * yb * self.pab)
            + ya * ya * self.paa
            + yb * yb * self.pbb
            + (q * (ya * ya + yb * yb) + q2) * t,
        )

    def _reach(self, t: float) -> tuple[float, float, float, float, float, float]:
        """c, s, A, B and the integrals (t - A)/w^2 and B/w."""
        w = self.pitch
        if not w:
            return 1.0, 0.0, self.u * t, self.u * self.u * t, 0.0, 0.0
        c, s = cos(w * t), sin(w * t)
        to_a, to_b = s / w, (1.0 - c) / w
        return c, s, to_a, to_b, (t - to_a) / (w * w), to_b / w

    def update(self, e: float, rho: float, w: float) -> None:
        """Take in a residual `e` of a sample of variance `rho` r, counting with `w`."""
        s = self.pxx + rho
        kx, ky, ka, kb = self.pxx / s, self.pxy / s, self.pxa / s, self.pxb / s
        more = w * (1.0 - w) * e * e / self.r
        less = w * s - more
        keep = 1.0 - w + w * rho / s
        e *= w
        a, b = self.a, self.b
        if self.pitch:
            size = a * a + b * b + self.r * (self.paa + self.pbb)
            pitch = self.pitch + GAIN * e * (b * ka - a * kb) / size
            self.pitch = min(max(pitch, LOWEST), HIGHEST)
        self.x += kx * e
        self.y += ky * e
        self.a = a + ka * e
        self.b = b + kb * e
        self.pxx = keep * self.pxx + more * kx * kx
        self.pxy = keep * self.pxy + more * kx * ky
        self.pxa = keep * self.pxa + more * kx * ka
        self.pxb = keep * self.pxb + more * kx * kb
        self.pyy = max(self.pyy - less * ky * ky, self.noise.q2)
        self.pya -= less * ky * ka
        self.pyb -= less * ky * kb
        self.paa = max(self.paa - less * ka * ka, self.q)
        self.pab -= less * ka * kb
        self.pbb = max(self.pbb - less * kb * kb, self.q)


def swings(prior: float) -> list[Sway]:
    """Hypotheses on a swing of unknown cause."""
    return [
        Sway(noise, prior, loyalty * noise.q2)
        for loyalty in LOYALTY
        for noise in SWINGING
    ]


def curves(prior: float, r: float) -> list[Sway]:
    """Hypotheses on a thermometer, knowing nothing yet of the crystal."""
    made = []
    for lag_s in LAGS_S:
        for noise in WARMED:
            sway = Sway(noise, prior, STIFFNESS * noise.q2)
            sway.pitch, sway.lag_s = 0.0, lag_s
            sway.r = r
            sway.paa = sway.pbb = UNKNOWN**2 / r
            made.append(sway)
    return made
