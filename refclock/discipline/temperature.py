"""What heat does to the rate, and a filter that foresees it.

A crystal's rate follows its temperature along a curve that is a parabola near
enough, and temperature mostly goes round: a heater, a fan, the sun. So beside the
wandering rate y these hypotheses hold two more states, a and b (s/s), that sway
the clock in a way known beforehand:

    x' = x + y t + A a + B b      y' = y      a' = c a + s b      b' = c b - s a

*By a thermometer*, with u the temperature above the first one read, in tens of
kelvin: A = u t, B = u^2 t, c = 1, s = 0. Then y + a u + b u^2 is the rate, y is the
rate at u = 0, and the pulse teaches a and b.

*By itself*, at the pitch w (rad/s): c = cos wt, s = sin wt, A = s/w, B = (1 - c)/w,
where a is the swing of the rate now and b that of a quarter period later. White
noise of density q on a and b comes out as

    Q_xx = 2 q (t - A)/w^2    Q_xa = q B/w    Q_xb = -q (t - A)/w    Q_aa = Q_bb = q t

(the integrals of A^2 + B^2, A c + B s and B c - A s over t). Nobody tells the pitch:
a filter of the wrong pitch is turned the same way by every correction, so the
corrections turn the pitch. If K e is what a pulse adds to (a, b), the angle is

    turn = (b K_a - a K_b) e / (a^2 + b^2 + r (P_aa + P_bb))     w += GAIN turn

and finds a swing of an hour within the hour, from any start between minutes and
half a day. Where nothing swings, it foretells no better than the plain filters and
has no weight.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Final

from refclock.discipline.noise import Noise

GAIN: Final = 1e-3
"""How far a correction turns the pitch, rad/s per rad."""
PITCH: Final = 2.0 * pi / 2400.0
"""Where every swing starts to look, rad/s."""
LOWEST: Final = 2.0 * pi / 100_000.0
HIGHEST: Final = 2.0 * pi / 480.0


class Swing:
    """The clock as a hypothesis sees it that the rate sways. Units as in `noise`."""

    __slots__ = (
        "a", "b", "count", "noise", "paa", "pab", "pbb", "pitch", "pxa", "pxb", "pxx",
        "pxy", "pya", "pyb", "pyy", "r", "x", "y",
    )  # fmt: skip

    def __init__(self, noise: Noise, r: float, count: float, pitch: float) -> None:
        self.noise = noise
        self.r = r
        self.count = count
        self.pitch = pitch
        self.start(1.0, 0.0, 0.0, 0.0)

    def start(self, pxx: float, y: float, pxy: float, pyy: float) -> None:
        """Begin at x = 0 with the rate `y`, known to these covariances over r."""
        self.x, self.y, self.a, self.b = 0.0, y, 0.0, 0.0
        self.pxx, self.pxy, self.pyy = pxx, pxy, pyy
        self.pxa = self.pxb = self.pya = self.pyb = self.pab = 0.0
        self.paa = self.pbb = 1e5 * self.noise.q2

    def predict(self, t: float) -> None:
        """Carry the state `t` seconds forward."""
        w = self.pitch
        c, s = cos(w * t), sin(w * t)
        to_a, to_b = s / w, (1.0 - c) / w
        q = self.noise.q2
        a, b = self.a, self.b
        self.x += t * self.y + to_a * a + to_b * b
        self.a, self.b = c * a + s * b, c * b - s * a
        pxa, pxb, pya, pyb = self.pxa, self.pxb, self.pya, self.pyb
        paa, pab, pbb = self.paa, self.pab, self.pbb
        to_y = self.pxy + t * self.pyy + to_a * pya + to_b * pyb
        fa = pxa + t * pya + to_a * paa + to_b * pab
        fb = pxb + t * pyb + to_a * pab + to_b * pbb
        self.pxx += t * (self.pxy + to_y) + to_a * (pxa + fa) + to_b * (pxb + fb)
        self.pxy = to_y
        late = q * (t - to_a) / w
        self.pxx += q * t * t * t / 3.0 + 2.0 * late / w
        self.pxy += q * t * t / 2.0
        self.pyy += q * t
        self.pxa = c * fa + s * fb + q * to_b / w
        self.pxb = c * fb - s * fa - late
        self.pya = c * pya + s * pyb
        self.pyb = c * pyb - s * pya
        turned = c * s * (pbb - paa) + (c * c - s * s) * pab
        both = paa + pbb
        self.paa = c * c * paa + 2.0 * c * s * pab + s * s * pbb
        self.pbb = both - self.paa + q * t
        self.paa += q * t
        self.pab = turned

    def ahead(self, t: float) -> tuple[float, float, float, float, float]:
        """x, y, d, P_xx and P_yy `t` seconds on, as `predict` would make them."""
        w = self.pitch
        c, s = cos(w * t), sin(w * t)
        to_a, to_b = s / w, (1.0 - c) / w
        q = self.noise.q2
        fa = self.pxa + t * self.pya + to_a * self.paa + to_b * self.pab
        fb = self.pxb + t * self.pyb + to_a * self.pab + to_b * self.pbb
        fy = self.pxy + t * self.pyy + to_a * self.pya + to_b * self.pyb
        return (
            self.x + t * self.y + to_a * self.a + to_b * self.b,
            self.y + c * self.a + s * self.b,
            w * (c * self.b - s * self.a),
            self.pxx
            + t * (self.pxy + fy)
            + to_a * (self.pxa + fa)
            + to_b * (self.pxb + fb)
            + q * t**3 / 3.0
            + 2.0 * q * (t - to_a) / (w * w),
            self.pyy
            + c * c * self.paa
            + 2.0 * c * s * self.pab
            + s * s * self.pbb
            + 2.0 * (c * self.pya + s * self.pyb)
            + 2.0 * q * t,
        )

    def update(self, e: float, s: float, w: float) -> None:
        """Take in a residual `e` of variance `s` r that counts with chance `w`."""
        kx, ky, ka, kb = self.pxx / s, self.pxy / s, self.pxa / s, self.pxb / s
        a, b = self.a, self.b
        size = a * a + b * b + self.r * (self.paa + self.pbb)
        pitch = self.pitch + GAIN * w * e * (b * ka - a * kb) / size
        self.pitch = min(max(pitch, LOWEST), HIGHEST)
        less = w * s - w * (1.0 - w) * e * e / self.r
        e *= w
        self.x += kx * e
        self.y += ky * e
        self.a = a + ka * e
        self.b = b + kb * e
        self.pxx -= less * kx * kx
        self.pxy -= less * kx * ky
        self.pxa -= less * kx * ka
        self.pxb -= less * kx * kb
        self.pyy -= less * ky * ky
        self.pya -= less * ky * ka
        self.pyb -= less * ky * kb
        self.paa -= less * ka * ka
        self.pab -= less * ka * kb
        self.pbb -= less * kb * kb
