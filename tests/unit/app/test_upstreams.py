"""The other time servers of the settings, where there is a network and where not."""

import socket

import pytest

from hw.linux.clock import FreeClock
from refclock.app.upstreams import upstream_devices
from refclock.config import Config
from refclock.published import ClockSnapshot
from refclock.timebase import Utc
from refclock.upstream.settings import UpstreamSettings

CONFIG = Config(upstream=(UpstreamSettings(host="192.0.2.1"),))


def forbidden() -> list[tuple[int, str]]:
    raise OSError("address family not supported")


@pytest.mark.parametrize(
    ("interfaces", "said"),
    [
        (lambda: [(1, "lo"), (2, "eth0")], False),
        (lambda: [(1, "lo")], True),
        (forbidden, True),
    ],
)
def test_a_sandbox_without_a_network_is_told(
    interfaces: object,
    said: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(socket, "if_nameindex", interfaces)
    unknown = ClockSnapshot.unknown(-20)
    upstream_devices(CONFIG, {}, FreeClock(), lambda: unknown, Utc(0))
    assert ("sockets.conf" in caplog.text) is said
