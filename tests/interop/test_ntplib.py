"""ntplib: the client that Python programs ask the time with."""

import ntplib
import pytest

from tests.interop.conftest import Server

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_is_answered_in_its_own_version(
    server: Server, host: str, version: int
) -> None:
    with server.watched(host) as seen:
        told = ntplib.NTPClient().request(host, version, server.port)
    assert (told.version, told.mode, told.stratum) == (version, 4, 1)
    assert ntplib.leap_to_text(told.leap) == "no warning"
    reference = ntplib.ref_id_to_text(told.ref_id, told.stratum)
    assert reference == "Generic pulse-per-second"
    assert told.root_dispersion < 1e-3
    assert seen.holds(told.offset, told.delay / 2 + told.root_dispersion)
