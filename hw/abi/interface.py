"""What a network interface stamps, and having it do so.

<linux/if.h>, <linux/sockios.h>, <linux/ethtool.h>, <linux/net_tstamp.h>.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from dataclasses import dataclass
from typing import Final

SIOCSHWTSTAMP: Final = 0x89B0
SIOCGHWTSTAMP: Final = 0x89B1
TX_ON: Final = 1
"""HWTSTAMP_TX_ON"""
FILTER_ALL: Final = 1
FILTER_NTP_ALL: Final = 15
HWTSTAMP_CONFIG: Final = struct.Struct("=iii")
"""struct hwtstamp_config: flags, what is sent, what is received."""

_SIOCGIFINDEX: Final = 0x8933
_IFINDEX: Final = struct.Struct("@16si")
"""struct ifreq with ifr_ifindex."""
_SIOCETHTOOL: Final = 0x8946
_GET_TS_INFO: Final = 0x41
_TS_INFO: Final = struct.Struct("=IIiI12xI12x")
"""struct ethtool_ts_info: command, what sockets can ask for, clock, what can be sent,
what received."""
_IFREQ: Final = struct.Struct("@16sP16x")
"""struct ifreq with ifr_data: name, pointer; long enough for every machine."""


def interface_ioctl(interface: str, request: int, argument: bytes) -> bytes:
    """What the interface's driver made of the argument: struct ifreq, ifr_data."""
    memory = ctypes.create_string_buffer(argument, len(argument))
    pointed = _IFREQ.pack(interface.encode(), ctypes.addressof(memory))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, request, pointed)
    return memory.raw


def interface_index(name: str, network: socket.socket) -> int:
    """Of the interface with that name in the network of that socket; 0: none."""
    asked = _IFINDEX.pack(name.encode(), 0).ljust(_IFREQ.size, b"\0")
    try:
        answer = fcntl.ioctl(network, _SIOCGIFINDEX, asked)
    except OSError:
        return 0
    return int(_IFINDEX.unpack_from(answer)[1])


@dataclass(frozen=True, slots=True)
class Stamping:
    """What a network interface can stamp by itself; bits as in net_tstamp.h."""

    clock: int
    """N of the /dev/ptpN it stamps by; -1: it has none."""
    sent: int
    """1 << HWTSTAMP_TX_..."""
    received: int
    """1 << HWTSTAMP_FILTER_..."""


def stamping(interface: str) -> Stamping:
    """What the interface, or of a VLAN the card below it, can. OSError: not there."""
    asked = _TS_INFO.pack(_GET_TS_INFO, 0, 0, 0, 0)
    info = interface_ioctl(interface, _SIOCETHTOOL, asked)
    _, _, clock, sent, received = _TS_INFO.unpack_from(info)
    return Stamping(clock, sent, received)


def device_of(interface: str) -> str:
    """The hardware clock of a network interface. OSError: it has none."""
    if (number := stamping(interface).clock) < 0:
        lack = "has no hardware clock: name a card that has one (pulse.device)"
        raise OSError(f"{interface} {lack}")  # no number: it is said as it stands
    return f"/dev/ptp{number}"
