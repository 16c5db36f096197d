"""Key exchanges with other servers, each in a process of its own that ends with it.

TLS takes as much time as a hundred replies and 20 MB of memory; neither is the time
service's to lose. The process runs at the lowest priority.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from refclock.codec import CodecError, dumps, loads
from refclock.drivers.servers.network import RefusedError
from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association
from refclock.ntp.nts.records import Agreed, ExchangeError
from refclock.timebase import Utc

PATIENCE_S: Final = 16.0
_NICE: Final = 19
_MISSING: Final = "the packages of NTS are missing: pip install 'refclock[nts]'"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to exchange keys with."""

    host: str
    port: int
    authority: str
    """PEM; "": the system's authorities."""
    now: Utc
    """When its certificate must be valid."""


@dataclass(frozen=True, slots=True)
class Given:
    """What came of it."""

    why: str = ""
    """Why there are no keys; "": there are."""
    refused: bool = False
    """Of a server that was reached."""
    algorithm: int = 0
    c2s: bytes = b""
    s2c: bytes = b""
    cookies: tuple[bytes, ...] = ()
    server: str = ""
    port: int = 123

    @property
    def agreed(self) -> Agreed:
        """The keys. ValueError: there are none."""
        association = Association(Algorithm(self.algorithm), self.c2s, self.s2c)
        return Agreed(association, self.cookies, self.server, self.port)


class KeyClient:
    """One key exchange. Used by one thread."""

    def __init__(self, wanted: Wanted) -> None:
        """Begin. OSError: no process can be started."""
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main"
        command = [sys.executable, "-I", "-c", f"{code}; main(sys.argv[1])"]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, dumps(Wanted, wanted)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def result(self) -> Agreed | None:
        """Keys and cookies; None: not done yet. OSError: it cannot be reached;
        RefusedError: it can, and gives none."""
        if self._process.poll() is None:
            return None
        said, _ = self._process.communicate()
        try:
            given = loads(Given, said.decode("ascii", "replace"))
        except CodecError as error:
            raise OSError("its process ended without an answer") from error
        if given.why:
            raise (RefusedError if given.refused else OSError)(given.why)
        return given.agreed

    def end(self) -> None:
        """Give it up: no process of it is left."""
        self._process.kill()
        self._process.communicate()


def given(wanted: Wanted) -> Given:
    """Exchange keys; what came of it."""
    try:
        from refclock.app.keys.tlsclient import exchange  # noqa: PLC0415 - may be missing
    except ImportError:
        return Given(_MISSING)
    authority = Path(wanted.authority) if wanted.authority else None
    try:
        agreed = exchange(wanted.host, wanted.port, authority, wanted.now, PATIENCE_S)
    except ExchangeError as error:
        return Given(str(error), refused=True)
    except (OSError, ValueError) as error:
        return Given(str(error) or type(error).__name__)
    keys = agreed.association
    return Given(
        algorithm=keys.algorithm,
        c2s=keys.c2s,
        s2c=keys.s2c,
        cookies=tuple(agreed.cookies),
        server=agreed.server,
        port=agreed.port,
    )


def main(wanted: str) -> None:
    """Exchange keys, and write what came of it to standard output."""
    os.nice(_NICE)
    sys.stdout.write(dumps(Given, given(loads(Wanted, wanted))))
