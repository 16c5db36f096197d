"""What a user can set of NTS."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from refclock.settings import Form, Range

Address = Annotated[str, Form(ip_address, "an address, as 192.0.2.1 or fe80::1%eth0")]


@dataclass(frozen=True, slots=True)
class NtsSettings:
    """The key exchange, and what clients are sent to."""

    certificate: str = ""
    """The server's certificate and those above it, PEM; empty: no NTS."""
    key: str = ""
    """The private key of the certificate, PEM."""
    listen: tuple[Address, ...] = ("0.0.0.0", "::")  # noqa: S104 - server.allow guards
    """Where keys are exchanged."""
    port: Annotated[int, Range(0, 65_535)] = 4460
    """TCP port for that; 0: any free one."""
    server: str = ""
    """Where clients are to ask for the time; empty: where they exchanged keys."""
    cookie_keys: str = "/var/lib/refclock/nts-keys"
    """The file of the server's own keys."""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key are set together or not at all")
        if not self.server.isascii():
            raise ValueError(f"server: {self.server!r} is not ASCII")
