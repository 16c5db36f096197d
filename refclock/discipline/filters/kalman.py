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
the filter's gains need no r at all. With e = z - x, rho = 1 for a pulse (for any
other source the ratio of its variance to r), S = P_xx + rho and K_j = P_xj / S,

    x_j += w K_j e        P_jk -= (w S - w (1 - w) e^2/r) K_j K_k

where w is the chance that the sample belongs to the bulk and not to the tail (see
`gate`): the moments of "it counts" and "it does not", mixed. The row of x is
written P_xj (1 - w + w rho/S), which stays positive however long the gap was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Noise:
    """What a hypothesis supposes: densities over the variance of one pulse."""

    q2: float
    """Random-walk FM, q2/r, 1/s^3."""
    q3: float = 0.0
    """Random-run FM, q3/r, 1/s^5; 0 for a clock without drift."""
    q1: float = 0.0
    """White FM, q1/r, 1/s."""


WANDERING: Final = tuple(Noise(q2=10.0**k) for k in range(-14, 3))
"""Two states. A decade of q2/r either side costs half a percent of error."""
DRIFTING: Final = tuple(Noise(10.0 ** (0.73 * k), 10.0**k) for k in range(-15, 0))
"""Three states. q2 leads q3 at short times, by about as much at any level."""


class ClockFilter:
    """The clock as one hypothesis sees it. Units: s and s/s; covariance over r.

    Mutable, straight-line float algebra: fifty of these run every second.
    """

    __slots__ = (
        "count", "d", "log_weight", "long_log_weight", "noise", "pdd", "prior", "pxd",
        "pxx", "pxy", "pyd", "pyy", "r", "x", "y",
    )  # fmt: skip

    def __init__(self, noise: Noise, prior: float) -> None:
        self.noise = noise
        self.prior = prior
        """Log weight in the long run, before any evidence."""
        self.log_weight = 0.0
        """Log weight by what it foretold lately, less that of the best."""
        self.long_log_weight = 0.0
        """The same, by what it foretold over hours."""
        self.r = 1e-12
        """Variance of a pulse, s^2."""
        self.count = 0.5
        """How many pulses stand behind r."""
        self.start(1.0, 0.0, 0.0, 0.0)

    def start(self, pxx: float, y: float, pxy: float, pyy: float) -> None:
        """Begin at x = 0 with the rate `y`, known to these covariances over r."""
        self.x, self.y, self.d = 0.0, y, 0.0
        self.pxx, self.pxy, self.pyy = pxx, pxy, pyy
        self.pxd = self.pyd = 0.0
        q3 = self.noise.q3
        self.pdd = 10.0 * q3 ** (5.0 / 6.0)
        """As if it had run for ten times its own time constant, q3^(-1/6)."""

    def predict(self, t: float) -> None:
        """Carry the state `t` seconds forward."""
        q1, q2, q3 = self.noise.q1, self.noise.q2, self.noise.q3
        self.x += t * (self.y + 0.5 * t * self.d)
        self.y += t * self.d
        pxy, pyy, pxd, pyd, pdd = self.pxy, self.pyy, self.pxd, self.pyd, self.pdd
        half = 0.5 * t * pdd
        t2 = t * t
        self.pxx += (
            t * (2.0 * pxy + q1)
            + t2 * (pyy + pxd)
            + t2 * t * (pyd + 0.25 * t * pdd + q2 / 3.0 + t2 * q3 / 20.0)
        )
        self.pxy += t * (pyy + pxd) + t2 * (1.5 * pyd + half + q2 / 2.0 + t2 * q3 / 8.0)
        self.pyy += t * (2.0 * (pyd + half) + q2 + t2 * q3 / 3.0)
        self.pxd += t * (pyd + half) + t2 * t * q3 / 6.0
        self.pyd += t * pdd + t2 * q3 / 2.0
        self.pdd += t * q3

    def ahead(self, t: float) -> tuple[float, float, float, float, float]:
        """x, y, d, P_xx and P_yy `t` seconds on, as `predict` would make them."""
        q1, q2, q3 = self.noise.q1, self.noise.q2, self.noise.q3
        d, pyd, pdd = self.d, self.pyd, self.pdd
        t2 = t * t
        return (
            self.x + t * (self.y + 0.5 * t * d),
            self.y + t * d,
            d,
            self.pxx
            + t * (2.0 * self.pxy + q1)
            + t2 * (self.pyy + self.pxd)
            + t2 * t * (pyd + 0.25 * t * pdd + q2 / 3.0 + t2 * q3 / 20.0),
            self.pyy + t * (2.0 * pyd + q2) + t2 * (pdd + t * q3 / 3.0),
        )

    def update(self, e: float, rho: float, w: float) -> None:
        """Take in a residual `e` of a sample of variance `rho` r, counting with `w`."""
        s = self.pxx + rho
        kx, ky, kd = self.pxx / s, self.pxy / s, self.pxd / s
        more = w * (1.0 - w) * e * e / self.r
        less = w * s - more
        keep = 1.0 - w + w * rho / s
        e *= w
        self.x += kx * e
        self.y += ky * e
        self.d += kd * e
        self.pxx = keep * self.pxx + more * kx * kx
        self.pxy = keep * self.pxy + more * kx * ky
        self.pxd = keep * self.pxd + more * kx * kd
        self.pyy = max(self.pyy - less * ky * ky, self.noise.q2)
        self.pyd -= less * ky * kd
        self.pdd = max(self.pdd - less * kd * kd, self.noise.q3)
