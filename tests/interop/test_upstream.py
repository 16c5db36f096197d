"""chronyd as our server: plain, interleaved, with keys of every type, with NTS."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from refclock.app.keys.certificates import make_ca, make_certificate
from tests.debian import MissingError
from tests.interop.conftest import KEYS
from tests.interop.programs import CAGE, program
from tests.rig.demo import free_port, query
from tests.rig.upstreams import daemon

pytestmark = pytest.mark.interop


@dataclass(frozen=True, slots=True)
class Chronyd:
    """A chronyd that serves this machine's time as stratum 1."""

    folder: Path
    port: int
    nts_port: int


@pytest.fixture(scope="module")
def chronyd() -> Iterator[Chronyd]:
    """On free ports of loopback, without the right to set a clock."""
    try:
        made = program("chronyd")
    except MissingError as missing:
        pytest.skip(str(missing))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "keys").write_text(KEYS)
        (folder / "keys").chmod(0o600)
        make_ca(folder, 2)
        make_certificate(folder, ["127.0.0.1"], 2)
        server = Chronyd(folder, free_port(), free_port())
        (folder / "chrony.conf").write_text(
            f"""port {server.port}
bindaddress 127.0.0.1
allow 127.0.0.0/8
local stratum 1
keyfile {folder}/keys
ntsport {server.nts_port}
ntsservercert {folder}/127.0.0.1.pem
ntsserverkey {folder}/127.0.0.1.key
ntsdumpdir {folder}
cmdport 0
bindcmdaddress /
pidfile {folder}/pid
"""
        )
        command = [*CAGE, *made.command, "-x", "-d", "-u", "root"]
        with subprocess.Popen(  # noqa: S603 - that is what these tests are for
            [*command, "-f", str(folder / "chrony.conf")],
            env={**os.environ, **made.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                time.sleep(1.0)
                if process.poll() is not None:
                    said = process.stdout.read() if process.stdout else b""
                    raise AssertionError(f"chronyd ended: {said.decode()}")
                yield server
            finally:
                process.terminate()
                process.wait(5)


HOW = {
    "plain": "trust = true",
    "interleaved": "trust = true\ninterleaved = true",
    **{f"key {n}": f"key = {n}" for n in range(1, 7)},
    "nts": 'nts = true\nnts_port = {nts}\nauthority = "{folder}/ca.pem"',
}


@pytest.mark.parametrize("how", HOW)
def test_we_follow_chronyd(chronyd: Chronyd, how: str, tmp_path: Path) -> None:
    """As stratum 2 within ten seconds, and as right as it is: both have this
    machine's clock."""
    block = HOW[how].format(nts=chronyd.nts_port, folder=chronyd.folder)
    upstream = f'host = "127.0.0.1"\nport = {chronyd.port}\n{block}'
    more = f'keys.file = "{chronyd.folder}/keys"'
    with daemon(tmp_path, upstream, more=more) as ours:
        status = ours.await_stratum(2)
        (row,) = status["servers"]
        assert row["mark"] == "*"
        assert row["stratum"] == 1
        assert abs(row["offset_s"]) < row["error_s"] < 0.1
        measured = query("127.0.0.1", ours.port)
        assert abs(measured.offset_s) < measured.error_s < 0.2
