"""One hypothesis about an oscillator's noise, and the Kalman filter that follows.

Three noises make a clock wander: white, random-walk and random-run frequency
modulation, of spectral densities q1 (s), q2 (1/s) and q3 (1/s^3). With x the
offset (s), y its rate (s/s), d the rate of that (s/s^2) and t the time passed,

    x' = x + y t + d t^2/2        y' = y + d t        d' = d

and the noise that came in meanwhile has the covariance

    Q_xx = q1 t + q2 t^3/3 + q3 t^5/20   Q_xy = q2 t^2/2 + q3 t^4/8   Q_xd = q3 t^3/6
    Q_yy = q2 t + q3 t^3/3               Q_yd = q3 t^2/2              Q_dd = q3 t

(Zucca and Tavella, "The clock model and its relationship with the Allan and
related variances", IEEE T-UFFC 52, 2005). A pulse measures z = x + noise of
variance r.

Everything here is in units of r: the densities are q/r, the covariance is P/r, so
the filter's gains need no r at all. With e = z - x and S = P_xx + rho (rho = 1 for
a pulse, the ratio of variances for any other source):

    K_j = P_xj / S      x_j += w K_j e      P_jk -= (w S - w (1 - w) e^2/r) K_j K_k

where w is the chance that the sample belongs to the bulk and not to the tail (see
`gate`): the moments of "it counts" and "it does not", mixed. And r itself is what
the residuals say, e^2/S averaged with weight w over the last `MEMORY` pulses: the
mean of an inverse-gamma distribution that slowly forgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEMORY: Final = 1000.0
"""Over how many pulses r is averaged."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What a hypothesis supposes: densities over the variance of one pulse."""

    q1: float = 0.0
    """White FM, q1/r, 1/s."""
    q2: float = 0.0
    """Random-walk FM, q2/r, 1/s^3."""
    q3: float = 0.0
    """Random-run FM, q3/r, 1/s^5; 0 for a clock without drift."""


class Filter:
    """The clock as one hypothesis sees it. Units: s and s/s; covariance over r.

    Mutable, straight-line float algebra: thirty of these run every second.
    """

    __slots__ = (
        "count", "d", "noise", "pdd", "pxd", "pxx", "pxy", "pyd", "pyy", "r", "x", "y",
    )  # fmt: skip

    def __init__(self, noise: Noise, r: float, count: float) -> None:
        self.noise = noise
        self.r = r
        self.count = count
        """How many pulses stand behind r."""
        self.start(1.0, 0.0, 0.0, 0.0)

    def start(self, pxx: float, y: float, pxy: float, pyy: float) -> None:
        """Begin at x = 0 with the rate `y`, known to these covariances over r."""
        self.x, self.y, self.d = 0.0, y, 0.0
        self.pxx, self.pxy, self.pyy = pxx, pxy, pyy
        self.pxd = self.pyd = 0.0
        q3 = self.noise.q3
        self.pdd = 10.0 * q3 * q3 ** (-1 / 6) if q3 else 0.0

    def predict(self, t: float) -> None:
        """Carry the state `t` seconds forward."""
        q1, q2, q3 = self.noise.q1, self.noise.q2, self.noise.q3
        self.x += t * (self.y + 0.5 * t * self.d)
        self.y += t * self.d
        pyd, pdd = self.pyd, self.pdd
        half = 0.5 * t * pdd
        pxd = self.pxd + t * (pyd + half)
        pxy = self.pxy + t * self.pxd
        pyy = self.pyy
        self.pxx += t * (2.0 * self.pxy + t * (pyy + self.pxd + t * (pyd + 0.5 * half)))
        self.pxy = pxy + t * (pyy + t * (1.5 * pyd + half))
        self.pyy = pyy + t * (2.0 * (pyd + half))
        self.pxd = pxd
        self.pyd = pyd + t * pdd
        self.pxx += t * (q1 + t * t * (q2 / 3.0 + t * t * q3 / 20.0))
        self.pxy += t * t * (q2 / 2.0 + t * t * q3 / 8.0)
        self.pyy += t * (q2 + t * t * q3 / 3.0)
        self.pxd += t * t * t * q3 / 6.0
        self.pyd += t * t * q3 / 2.0
        self.pdd += t * q3

    def ahead(self, t: float) -> tuple[float, float, float, float, float]:
        """x, y, d, P_xx and P_yy `t` seconds on, as `predict` would make them."""
        q1, q2, q3 = self.noise.q1, self.noise.q2, self.noise.q3
        d, pyd, pdd = self.d, self.pyd, self.pdd
        return (
            self.x + t * (self.y + 0.5 * t * d),
            self.y + t * d,
            d,
            self.pxx
            + t * (2.0 * self.pxy + q1)
            + t * t * (self.pyy + self.pxd)
            + t**3 * (pyd + q2 / 3.0)
            + t**4 * pdd / 4.0
            + t**5 * q3 / 20.0,
            self.pyy + t * (2.0 * pyd + q2) + t * t * pdd + t**3 * q3 / 3.0,
        )

    def update(self, e: float, s: float, w: float) -> None:
        """Take in a residual `e` of variance `s` r that counts with chance `w`."""
        kx, ky, kd = self.pxx / s, self.pxy / s, self.pxd / s
        self.x += w * kx * e
        self.y += w * ky * e
        self.d += w * kd * e
        less = w * s - w * (1.0 - w) * e * e / self.r
        self.pxx -= less * kx * kx
        self.pxy -= less * kx * ky
        self.pyy -= less * ky * ky
        self.pxd -= less * kx * kd
        self.pyd -= less * ky * kd
        self.pdd -= less * kd * kd
