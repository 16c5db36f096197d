"""The servers behind one [[upstream]]: their addresses, keys and sockets.

An address that brought no time four times running is given up for another one of the
same name. The name is looked up anew at most each minute at first and each hour later,
and again for an address of two weeks' standing, which is kept if it is still listed. Of
the addresses any may be first, whatever its family.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from refclock.drivers.servers.network import (
    Exchange,
    Job,
    Network,
    Place,
    RefusedError,
    Socket,
)
from refclock.events import Event, NoReply, ServerAdded, ServerRemoved
from refclock.ntp.nts.fields import NtsClient
from refclock.ntp.nts.records import Agreed
from refclock.timebase import DAY, MINUTE, SECOND, Duration, Mono
from refclock.upstream.association import Association, reference_id
from refclock.upstream.poll import Poll
from refclock.upstream.sealing import Sealing
from refclock.upstream.settings import UpstreamSettings

BAD_ROUNDS: Final = 4
POOL: Final = 4
_REFRESH: Final = 14 * DAY
_LOOK_AGAIN: Final = MINUTE
_DOUBLINGS: Final = 6
_UNANSWERED: Final = 3
"""So many questions with cookies that nobody answered: keys are exchanged anew."""
_KEYS_LAST: Final = 28 * DAY
_UNREACHED: Final = 16 * SECOND
_MOST_DOUBLINGS: Final = 12
_REFUSED: Final = 1024 * SECOND


@dataclass
class Slot:
    """One address that is asked."""

    name: str
    place: Place
    association: Association
    due: Mono
    since: Mono
    socket: Socket | None = None

    def close(self) -> None:
        """No answer is waited for any more."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


@dataclass
class _Keys:
    """Keys from an NTS key exchange, and when to have others."""

    agreed: Agreed | None = None
    job: Exchange | None = None
    checked: bool = False
    """Its certificate was checked at the true time."""
    checking: bool = False
    since: Mono = field(default_factory=lambda: Mono(0))
    again: Mono = field(default_factory=lambda: Mono(0))
    failures: int = 0
    useless: int = 0
    """Exchanges in a row whose keys brought no answer."""


class Entry:
    """What one [[upstream]] stands for. Used by one thread."""

    def __init__(
        self,
        settings: UpstreamSettings,
        sealing: Sealing | None,
        network: Network,
        chance: Random,
    ) -> None:
        """`sealing`: None with NTS, for it comes by a key exchange."""
        self._settings = settings
        self._sealing = sealing
        self._network = network
        self._chance = chance
        self.slots: list[Slot] = []
        self._lookup: Job[Sequence[Place]] | None = None
        self._look_at = Mono(0)
        self._looks = 0
        self._dead: set[Place] = set()
        self._keys = _Keys()

    @property
    def busy(self) -> bool:
        """Is something done elsewhere that may end any moment?"""
        return self._lookup is not None or self._keys.job is not None

    def added(self, now: Mono) -> ServerAdded:
        """Before any address is known."""
        return ServerAdded(now, self._settings.host, "", self._settings.proof)

    def step(self, now: Mono) -> Iterator[Event]:
        """Go on with addresses and keys."""
        if self._settings.nts:
            yield from self._exchange(now)
            if self._keys.agreed is None:
                return
        if self._lookup is None and now >= self._look_at and self._wants(now):
            host, port = self._where()
            self._lookup = self._network.look_up(host, port, self._settings.family)
        if self._lookup is not None:
            yield from self._looked_up(now)

    def close(self) -> None:
        """Ask no more."""
        if self._keys.job is not None:
            self._keys.job.end()
            self._keys.job = None
        for slot in self.slots:
            slot.close()

    def _where(self) -> tuple[str, int]:
        """Where to ask for the time."""
        agreed = self._keys.agreed
        if agreed is None:
            return self._settings.host, self._settings.port
        return agreed.server or self._settings.host, agreed.port

    def _wants(self, now: Mono) -> bool:
        """Is an address missing, bad or old?"""
        wanted = POOL if self._settings.pool else 1
        return len(self.slots) < wanted or any(
            each.association.bad_rounds >= BAD_ROUNDS or now - each.since > _REFRESH
            for each in self.slots
        )

    def _looked_up(self, now: Mono) -> Iterator[Event]:
        try:
            places = self._lookup.result() if self._lookup else None
        except OSError as error:
            self._later(now)
            if not self.slots:
                yield NoReply(now, self._settings.host, str(error))
            return
        if places is None:
            return
        self._later(now)
        used = {each.place for each in self.slots}
        fresh = [each for each in places if each not in used]
        self._chance.shuffle(fresh)
        fresh.sort(key=lambda each: each in self._dead)
        for slot in list(self.slots):
            bad = slot.association.bad_rounds >= BAD_ROUNDS
            gone = now - slot.since > _REFRESH and slot.place not in places
            if (bad or gone) and fresh:
                self._dead.add(slot.place)
                yield from self._drop(slot, now)
            elif slot.place in places and not bad:
                slot.since = now
        wanted = POOL if self._settings.pool else 1
        for place in fresh[: wanted - len(self.slots)]:
            yield from self._begin(place, now)

    def _later(self, now: Mono) -> None:
        """The next look-up, the more often it was needed the later."""
        self._lookup = None
        self._look_at = now + _LOOK_AGAIN * 2 ** min(self._looks, _DOUBLINGS)
        self._looks += 1

    def _drop(self, slot: Slot, now: Mono) -> Iterator[Event]:
        slot.close()
        self.slots.remove(slot)
        if self._settings.pool:
            yield ServerRemoved(now, slot.name)

    def _begin(self, place: Place, now: Mono) -> Iterator[Event]:
        settings, address = self._settings, str(place[0])
        name = address if settings.pool else settings.host
        sealing = self._sealing or self._client()
        if sealing is None:
            return
        if settings.pool and not self.slots:
            yield ServerRemoved(now, settings.host)
        association = Association(
            name,
            sealing,
            Poll(settings.least_s, settings.most_s, burst=settings.burst),
            server_id=reference_id(address),
            interleaved=settings.interleaved,
        )
        self.slots.append(Slot(name, place, association, now, now))
        yield ServerAdded(now, name, address, settings.proof)

    # NTS

    def _client(self) -> NtsClient | None:
        agreed = self._keys.agreed
        if agreed is None:
            return None
        return NtsClient(agreed.association, agreed.cookies, secrets.token_bytes)

    def _exchange(self, now: Mono) -> Iterator[Event]:
        keys = self._keys
        if keys.job is None:
            if now >= keys.again and self._wants_keys(now):
                keys.job, keys.checking = self._network.exchange(self._settings)
            return
        try:
            agreed = keys.job.result()
        except OSError as error:
            keys.job = None
            keys.failures += 1
            first = _REFUSED if isinstance(error, RefusedError) else _UNREACHED
            wait_s = first.seconds * 2 ** min(keys.failures - 1, _MOST_DOUBLINGS)
            keys.again = now + min(Duration.from_seconds(wait_s), DAY)
            if isinstance(error, RefusedError) and keys.checking:
                keys.agreed = None
                self.close()
                self.slots.clear()
                yield self.added(now)
            yield NoReply(now, self._settings.host, f"key exchange: {error}")
            return
        if agreed is None:
            return
        moved = keys.agreed is not None and (
            (agreed.server, agreed.port) != (keys.agreed.server, keys.agreed.port)
        )
        proven = not self.slots or any(s.association.proven for s in self.slots)
        useless = 0 if proven else keys.useless + 1
        self._keys = _Keys(agreed, None, keys.checking, since=now, useless=useless)
        if moved:
            self.close()
            self.slots.clear()
        for slot in self.slots:
            if (client := self._client()) is not None:
                slot.close()
                slot.association.renew(client)
                slot.due = now

    def _wants_keys(self, now: Mono) -> bool:
        keys = self._keys
        if keys.agreed is None or now - keys.since > _KEYS_LAST:
            return True
        if not keys.checked and self._network.true_time():
            return True
        rest_s = _UNREACHED.seconds * 2 ** min(keys.useless, _MOST_DOUBLINGS)
        if now - keys.since < Duration.from_seconds(rest_s):
            return False
        return any(
            each.association.renewal or each.association.bad_rounds >= _UNANSWERED
            for each in self.slots
        )
