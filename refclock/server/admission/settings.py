"""How often a host may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from refclock.server.admission.access import Access, Network
from refclock.settings import Range


@dataclass(frozen=True, slots=True)
class RateLimitSettings:
    """How often one host may ask.

    A request within the pace is served. Of those beyond it the share `leak` is served
    all the same (at most 2,500 a second to one host), chosen at random, so that
    forged requests in a host's name cannot silence the server to it.
    """

    enabled: bool = True
    interval_s: Annotated[float, Range(0.001, 3600, "s")] = 0.03125
    """Between two requests of one host, in the long run."""
    burst: Annotated[int, Range(8, 1024, "requests")] = 32
    """Requests of one host that may come at once; measuring clients send up to 8."""
    leak: Annotated[float, Range(0.0, 0.5)] = 0.25
    """Share of the requests beyond the pace that is served nonetheless."""
    kiss: bool = False
    """Tell a host that is beyond its pace so, with a kiss-o'-death RATE every 4 s at
    most. Forged requests in its name then make a client slow down or give up."""
    network: Annotated[int, Range(1, 65_536, "hosts")] = 128
    """As many hosts' pace has an IPv6 /64 for all the hosts together that are not
    remembered yet, and an address in `shared`."""
    shared: tuple[Network, ...] = ()
    """Networks of which each address stands for many hosts, as that of a NAT or of a
    container's proxy does."""
    clients: Annotated[int, Range(64, 1_000_000, "hosts")] = 4096
    """How many hosts are remembered at most; and as many newcomers."""

    def __post_init__(self) -> None:
        Access(self.shared, ())
