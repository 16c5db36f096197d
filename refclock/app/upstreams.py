"""The other time servers of the settings, as one device of the daemon."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

from hw.abi.addresses import interfaces
from hw.net.ask import Asker
from hw.net.resolve import Lookup
from refclock.app.keys.keyclient import KeyClient, Wanted
from refclock.board.ports import SystemClock
from refclock.config import Config
from refclock.daemon.supervise import Device, Driver
from refclock.drivers.servers.associations import Entry
from refclock.drivers.servers.driver import UpstreamDriver
from refclock.drivers.servers.network import Network
from refclock.events import UPSTREAM
from refclock.ntp.mac import Key
from refclock.published import ClockSnapshot
from refclock.timebase import Duration, Utc
from refclock.upstream.sealing import Keyed, Plain, Sealing
from refclock.upstream.settings import UpstreamSettings

log = logging.getLogger("refclock")


class OurTime:
    """What time it is, as far as anything here knows. For any thread."""

    def __init__(
        self,
        clock: SystemClock,
        snapshot: Callable[[], ClockSnapshot],
        floor: Utc,
    ) -> None:
        """`floor`: it is not earlier (the date of build)."""
        self._clock = clock
        self._snapshot = snapshot
        self._floor = floor

    def known(self) -> bool:
        """Is our own clock synchronised by its pulse?"""
        return self._snapshot().stratum == 1

    def utc(self) -> Utc:
        """The time of our own clock; before it has one, what the machine's shows, which
        its battery clock has set, or the floor if that is later."""
        snapshot, (local, mono) = self._snapshot(), self._clock.read()
        if snapshot.stratum != 1:
            return max(self._floor, Utc(local.ns))
        return snapshot.posix(snapshot.tai(local, Duration(local.ns - mono.ns)))


def upstream_devices(
    config: Config,
    keys: Mapping[int, Key],
    clock: SystemClock,
    snapshot: Callable[[], ClockSnapshot],
    floor: Utc,
) -> list[Device]:
    """One device for all servers, if there are any. OSError: a key is missing."""
    if not config.upstream:
        return []
    if all(name == "lo" for name in interfaces()):
        log.warning(
            "upstream: this process sees no network, so no server can be asked: take "
            "refclock.service.d/sockets.conf away as it says"
        )
    chance = random.SystemRandom()
    time = OurTime(clock, snapshot, floor)

    def exchange(settings: UpstreamSettings) -> tuple[KeyClient, bool]:
        known, now = time.known(), time.utc()
        wanted = Wanted(settings.host, settings.nts_port, settings.authority, now)
        return KeyClient(wanted), known

    network = Network(Lookup, exchange, time.known)
    sealings = [_sealing(each, keys) for each in config.upstream]

    def opened() -> tuple[Driver, str]:
        entries = [
            Entry(settings, sealing, network, chance)
            for settings, sealing in zip(config.upstream, sealings, strict=True)
        ]
        driver = UpstreamDriver(entries, Asker, clock, snapshot, chance)
        return driver, ", ".join(each.host for each in config.upstream)

    return [Device(UPSTREAM, opened)]


def _sealing(settings: UpstreamSettings, keys: Mapping[int, Key]) -> Sealing | None:
    if settings.nts:
        return None
    if not settings.key:
        return Plain()
    if settings.key not in keys:
        raise OSError(
            f"upstream {settings.host}: there is no key {settings.key} in keys.file"
        )
    return Keyed(keys[settings.key])
