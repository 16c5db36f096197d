"""A Kalman filter of four states: two of them bend the rate in a way known beforehand.

A crystal's rate follows its temperature. So beside the wandering rate y these filters
hold two more states, a and b (s/s), that move the offset x (s) by amounts A and B (s)
over t seconds, known beforehand:

    x' = x + y t + A a + B b      y' = y      a' = c a + s b      b' = c b - s a

What A, B, c and s are is the matter of `thermal` (a thermometer is read) and of
`harmonic` (a swing of unknown cause and learned frequency). Everything else, units
too, is as in `kalman`: the covariance is P/r, the densities are q/r.
"""

from __future__ import annotations

from refclock.discipline.filters.kalman import Noise


class FourStateFilter:
    """What `ThermalFilter` and `HarmonicFilter` share. Straight-line float algebra."""

    __slots__ = (
        "a", "b", "count", "log_weight", "long_log_weight", "noise", "paa", "pab",
        "pbb", "prior", "pxa", "pxb", "pxx", "pxy", "pya", "pyb", "pyy", "q", "r", "x",
        "y",
    )  # fmt: skip

    def __init__(self, noise: Noise, prior: float, q: float) -> None:
        """`q`: density of the noise on a and b, over r."""
        self.noise = noise
        self.prior = prior
        """Log weight in the long run, before any evidence."""
        self.log_weight = self.long_log_weight = 0.0
        self.r = 1e-12
        """Variance of a pulse, s^2."""
        self.count = 0.5
        """How many pulses stand behind r."""
        self.q = q
        self.start(1.0, 0.0, 0.0, 0.0)

    def start(self, pxx: float, y: float, pxy: float, pyy: float) -> None:
        """Begin at x = 0 with the rate `y`, known to these covariances over r."""
        self.x, self.y, self.a, self.b = 0.0, y, 0.0, 0.0
        self.pxx, self.pxy, self.pyy = pxx, pxy, pyy
        self.pxa = self.pxb = self.pya = self.pyb = self.pab = 0.0
        self.paa = self.pbb = 1e5 * self.noise.q2

    def update(self, e: float, rho: float, w: float) -> None:
        """Take in a residual `e` of a sample of variance `rho` r, counting with `w`."""
        s = self.pxx + rho
        kx, ky, ka, kb = self.pxx / s, self.pxy / s, self.pxa / s, self.pxb / s
        more = w * (1.0 - w) * e * e / self.r
        less = w * s - more
        keep = 1.0 - w + w * rho / s
        e *= w
        a, b = self.a, self.b
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
