"""Symmetric keys with other people's programs: a key of each type, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.conftest import KEYS, Server
from tests.interop.test_chronyd import _PASSED, Chronyd, chronyd

__all__ = ["chronyd"]

pytestmark = pytest.mark.interop


def key_file(folder: Path, text: str = KEYS) -> Path:
    """Readable by its owner alone."""
    file = folder / "chrony.keys"
    file.write_text(text)
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("options", ["iburst", "iburst xleave"])
def test_chronyd_believes_our_signed_answers(
    server: Server, chronyd: Chronyd, number: int, options: str
) -> None:
    asks = (
        f"server 127.0.0.1 port {server.port} key {number}"
        f" minpoll -2 maxpoll -2 {options}"
    )
    keys = f"keyfile {key_file(chronyd.folder)}"
    with server.watched() as seen:
        said = chronyd.run(server, "-Q", "-t", "8", asks, keys)
    assert said.code == 0, said.text
    rows = chronyd.rows()
    assert rows[0].passed == _PASSED
    assert all(seen.holds(row.offset_s, row.error_s) for row in rows)


def test_chronyd_with_another_key_hears_nothing(
    server: Server, chronyd: Chronyd
) -> None:
    asks = f"server 127.0.0.1 port {server.port} key 1 minpoll -2 maxpoll -2 iburst"
    keys = f"keyfile {key_file(chronyd.folder, '1 MD5 another-secret')}"
    said = chronyd.run(server, "-Q", "-t", "2", asks, keys)
    assert said.code == 1
    assert chronyd.rows() == []
