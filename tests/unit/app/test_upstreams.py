"""The other time servers of the settings, where there is a network and where not."""

import pytest

from hw.linux.clock import FreeClock
from refclock.app.upstreams import upstream_devices
from refclock.config import Config
from refclock.published import ClockSnapshot
from refclock.timebase import Utc
from refclock.upstream.settings import UpstreamSettings

CONFIG = Config(upstream=(UpstreamSettings(host="192.0.2.1"),))


@pytest.mark.parametrize(
    ("interfaces", "said"), [(["lo", "eth0"], False), (["lo"], True)]
)
def test_a_sandbox_without_a_network_is_told(
    interfaces: list[str],
    said: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("refclock.app.upstreams.interfaces", lambda: interfaces)
    unknown = ClockSnapshot.unknown(-20)
    upstream_devices(CONFIG, {}, FreeClock(), lambda: unknown, Utc(0))
    assert ("sockets.conf" in caplog.text) is said
