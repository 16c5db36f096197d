"""NTS with other people's programs."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Server
from tests.interop.test_chronyd import _PASSED, Chronyd, chronyd

__all__ = ["chronyd"]

pytestmark = pytest.mark.interop


def asks(server: Server, options: str, host: str = "127.0.0.1") -> str:
    """chronyd's directive, for a server whose keys and time are on ports of ours."""
    assert server.nts is not None
    return (
        f"server {host} nts ntsport {server.nts.port} port {server.port}"
        f" minpoll -2 maxpoll -2 {options}"
    )


def trusted(server: Server) -> str:
    """chronyd trusts our authority."""
    assert server.nts is not None
    return f"ntstrustedcerts {server.nts.authority}"


@pytest.mark.parametrize("options", ["iburst", "iburst xleave"])
def test_chronyd_has_keys_of_us_and_believes_our_answers(
    server: Server, chronyd: Chronyd, options: str
) -> None:
    with server.watched() as seen:
        said = chronyd.run(
            server, "-Q", "-t", "10", asks(server, options), trusted(server)
        )
    assert said.code == 0, said.text
    rows = chronyd.rows()
    assert rows[0].passed == _PASSED
    assert all(seen.holds(row.offset_s, row.error_s) for row in rows)


def test_chronyd_that_does_not_trust_us_has_no_keys(
    server: Server, chronyd: Chronyd
) -> None:
    said = chronyd.run(server, "-Q", "-t", "3", asks(server, "iburst"))
    assert said.code == 1
    assert chronyd.rows() == []
