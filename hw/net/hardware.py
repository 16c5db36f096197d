"""Which network cards stamp the packets of a socket, and having them do so.

A socket that listens on all addresses hears by several cards, each with a clock of
its own; VLANs share the one of the card below them. Only a card that stamps both
ways is used (see `card`). What another program told a card stands if it suffices.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from hw.abi.addresses import interfaces
from hw.abi.interface import (
    FILTER_ALL,
    FILTER_NTP_ALL,
    HWTSTAMP_CONFIG,
    SIOCGHWTSTAMP,
    SIOCSHWTSTAMP,
    TX_ON,
    Stamping,
    interface_ioctl,
    stamping,
)
from hw.abi.ptp import PtpClock
from hw.net.card import Card, Tell

_FILTERS: Final = (FILTER_ALL, FILTER_NTP_ALL)
_NETWORK: Final = Path("/sys/class/net")
_FRAME_BITS: Final = 8 * (14 + 20 + 8 + 48 + 4)
"""Ethernet, IPv4, UDP, NTP, checksum: what comes after the bit that is stamped."""


class Cards:
    """The cards packets come and go by. Used by one thread."""

    def __init__(self, tell: Tell) -> None:
        """`tell`: where to say what becomes of each."""
        self._tell = tell
        self._by_interface: dict[int, Card | None] = {0: None}
        """By index; 0: it was not told."""
        self._by_clock: dict[int, Card | None] = {}

    def received(
        self, interfaces: Sequence[int], card: Sequence[int], kernel: list[int]
    ) -> list[int]:
        """When packets came to these interfaces (by index), as well as is known.

        `card`: as it stamped them by its own clock; 0: it did not.
        """
        for index in set(interfaces):
            by = self.of(index)
            places = [
                place
                for place, at in enumerate(interfaces)
                if at == index and card[place]
            ]
            if by is None or not places:
                continue
            better = by.received(
                [card[place] for place in places], [kernel[place] for place in places]
            )
            for place, ns in zip(places, better, strict=True):
                kernel[place] = ns
        return kernel

    def of(self, interface: int) -> Card | None:
        """The card below the interface of that index; None: none that can be used."""
        if interface not in self._by_interface:
            try:
                self._by_interface[interface] = self._found(interface)
            except OSError as error:
                self._by_interface[interface] = None
                self._tell(f"{error}; the kernel's stamps are used")
        return self._by_interface[interface]

    def close(self) -> None:
        """Let go of all."""
        for card in self._by_clock.values():
            if card is not None:
                card.close()

    def _found(self, interface: int) -> Card | None:
        """Also of several interfaces, as VLANs are, on one card."""
        name = socket.if_indextoname(interface)
        can = stamping(name)
        if not stamps_both_ways(can):
            return None
        switch_on(name, can)
        if can.clock not in self._by_clock:
            self._by_clock[can.clock] = None
            clock = PtpClock(f"/dev/ptp{can.clock}", os.O_RDONLY)
            try:
                card = Card(name, clock, self._tell, frame_ns(name))
                self._by_clock[can.clock] = card
            except OSError:
                clock.close()
                raise
        return self._by_clock[can.clock]


def cards_here(wanted: bool, tell: Tell) -> Cards | None:
    """For one socket; None: they are not wanted, or no card stamps both ways."""
    with contextlib.suppress(OSError):  # where nothing can be looked up, none is
        if wanted and any_card(interfaces()):
            return Cards(tell)
    return None


def stamps_both_ways(can: Stamping) -> bool:
    """All that is sent, and all NTP that comes."""
    stamps_ntp = any(can.received >> kind & 1 for kind in _FILTERS)
    return can.clock >= 0 and bool(can.sent >> TX_ON & 1) and stamps_ntp


def any_card(names: Iterable[str]) -> bool:
    """Whether one of these interfaces can stamp both ways."""
    for name in names:
        with contextlib.suppress(OSError):  # most drivers know nothing of it
            if stamps_both_ways(stamping(name)):
                return True
    return False


def switch_on_all(names: Iterable[str]) -> None:
    """Have the cards of these interfaces stamp, where they can and it is allowed."""
    for name in names:
        with contextlib.suppress(OSError):
            if stamps_both_ways(can := stamping(name)):
                switch_on(name, can)


def frame_ns(interface: str) -> int:
    """How long an NTP packet takes on its wire; 0: nobody knows."""
    with contextlib.suppress(OSError, ValueError):
        megabits = int((_NETWORK / interface / "speed").read_text())
        return max(0, _FRAME_BITS * 1000 // megabits)
    return 0


def switch_on(interface: str, can: Stamping) -> None:
    """Have all stamped, if it is not already. OSError: not allowed, or refused."""
    try:
        told = interface_ioctl(interface, SIOCGHWTSTAMP, bytes(HWTSTAMP_CONFIG.size))
        _, sent, received = HWTSTAMP_CONFIG.unpack(told)
        if sent == TX_ON and received in _FILTERS:
            return
    except OSError:
        pass  # a driver that only sets it
    wanted = next(kind for kind in _FILTERS if can.received >> kind & 1)
    try:
        interface_ioctl(
            interface, SIOCSHWTSTAMP, HWTSTAMP_CONFIG.pack(0, TX_ON, wanted)
        )
    except PermissionError as error:
        why = "having its card stamp needs the capability CAP_NET_ADMIN"
        raise OSError(error.errno, why, interface) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, interface) from error
