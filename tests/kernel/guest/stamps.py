"""Runs in the guest: what its second network card, QEMU's igb, stamps.

That is an Intel 82576: it stamps all it sends, but of what comes only PTP. So the
one way is tried on NTP and the other on PTP frames, by one and the same `Card`.
"""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from hw.abi.sockets import (
    RAW_HARDWARE,
    RX_HARDWARE,
    RX_SOFTWARE,
    SO_TIMESTAMPING,
    SOFTWARE,
    STAMPS,
)
from hw.linux.clock import FreeClock
from hw.net import card as card_room
from hw.net import hardware
from hw.net.card import Trust
from hw.net.hardware import Cards
from hw.net.udp import UdpSocket
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import ServerSettings
from refclock.timebase import MICROSECOND, MILLISECOND, SECOND
from tests.fakes.published import right
from tests.kernel.guest.phc import CARD

_PTP: Final = 0x88F7
_PTP_EVENTS: Final = (12,)
"""HWTSTAMP_FILTER_PTP_V2_EVENT."""
_IN_EMULATION: Final[dict[str, Any]] = {
    "_SLACK_NS": 100 * MICROSECOND.ns,
    "_STEADY_NS": 20 * MILLISECOND.ns,
    "_LONGEST_NS": 50 * MILLISECOND.ns,
}
"""Where an interrupt comes milliseconds after its cause."""


def up(ours: Sequence[str], peers: Sequence[str], peer_mac: str) -> int:
    """The card and a VLAN on it, each with an address and that of a peer.

    Where the card's registers are in the memory of the machine.
    """
    vlan = f"{CARD}.7"
    subprocess.run(  # noqa: S602 - our own words
        f"""ip link add link {CARD} name {vlan} type vlan id 7
        ip address add {ours[0]}/24 dev {CARD}
        ip address add {ours[1]}/24 dev {vlan}
        ip link set {CARD} up
        ip link set {vlan} up
        arp -i {CARD} -s {peers[0]} {peer_mac}
        arp -i {vlan} -s {peers[1]} {peer_mac}""",
        shell=True,
        check=True,
    )
    resources = Path(f"/sys/class/net/{CARD}/device/resource").read_text()
    return int(resources.split()[0], 16)


class Heard(Trust):
    """One that keeps what it heard."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[int] = []
        self.used = 0

    def observe(self, gaps: Sequence[int], doubt: int, now: int) -> bool:
        """As it does."""
        told = super().observe(gaps, doubt, now)
        self.gaps += gaps
        self.used += told
        return told


def serve(seconds: float) -> dict[str, Any]:
    """NTP on all addresses, and PTP frames heard, for so long; what was stamped."""
    told: list[str] = []
    cards = Cards(told.append)
    with patch.object(hardware, "_FILTERS", _PTP_EVENTS):  # it is what there is
        card = cards.of(socket.if_nametoindex(CARD))
        vlan = cards.of(socket.if_nametoindex(f"{CARD}.7"))
    assert card
    came, left = card._came, card._went = Heard(), Heard()
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("0.0.0.0", 123))  # noqa: S104 - all of the guest
    settings = ServerSettings(
        allow=("0.0.0.0/0",), rate_limit=RateLimitSettings(enabled=False)
    )
    until = time.monotonic() + seconds
    with (
        patch.multiple(card_room, **_IN_EMULATION),
        closing(
            NtpService(
                UdpSocket(made, cards), right, FreeClock(), settings, random.random
            )
        ) as ntp,
        closing(_ptp_socket()) as ptp,
    ):
        while time.monotonic() < until:
            ntp.serve(10 * MILLISECOND)
            for by_card, kernel in _stamps(ptp):
                card.received([by_card], [kernel])
        return {
            "told": told,
            "one card": card is vlan,
            "no card": cards.of(socket.if_nametoindex("eth0")) is None,
            "came": came.gaps,
            "left": left.gaps,
            "used": [came.used, left.used],
            "counters": ntp.counters(),
        }


def _ptp_socket() -> socket.socket:
    flags = SOFTWARE | RX_SOFTWARE | RAW_HARDWARE | RX_HARDWARE
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_PTP))
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    made.bind((CARD, _PTP))
    made.setblocking(False)
    return made


def _stamps(ptp: socket.socket) -> Iterator[tuple[int, int]]:
    """Of each frame that came: the card's stamp, the kernel's."""
    while True:
        try:
            _, control, _, _ = ptp.recvmsg(2048, 512)
        except BlockingIOError:
            return
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPING):
                seconds, ns, card_s, card_ns = STAMPS.unpack_from(content)
                if by_card := card_s * SECOND.ns + card_ns:
                    yield by_card, seconds * SECOND.ns + ns
