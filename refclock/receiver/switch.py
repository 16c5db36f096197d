"""Receivers left in a binary protocol that is not read: sent back to NMEA.

One command each, from the vendor's documents, sent when frames of the protocol come and
no sentence does; another is kept that puts the protocol back. Nothing is saved in the
receiver. Where the command has the speed of the line in it, it is the present one.

SiRF binary protocol reference (1040-0041), message 129, and NMEA reference, PSRF100;
SkyTraq AN0028, message 9; Allystar GNSS receiver protocol, CFG-MSG; CASIC multimode
receiver protocol V4.2, CFG-MSG; Unicore N4 commands, RMC and UNLOG; NovAtel OEM7
commands, LOG and UNLOG; Septentrio SBF command line, setNMEAOutput.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from refclock.gnss.framer import Binary, Item
from refclock.gnss.frames import casic_sum, fletcher
from refclock.receiver.profile import Profile
from refclock.receiver.sentences import sealed
from refclock.receiver.setting import Vendor

_ALLYSTAR: Final = {"GGA": 0x00, "GSA": 0x02, "GSV": 0x04, "RMC": 0x05, "ZDA": 0x07}
"""Numbers in class F0."""
_CASIC: Final = {"GGA": 0x00, "GSA": 0x02, "GSV": 0x03, "RMC": 0x04, "ZDA": 0x08}
"""Numbers in class 4E."""
_SIRF: Final = ("GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "", "", "ZDA", "")
_SIRF_FASTEST: Final = 57_600
"""Bd that message 129 has room for."""
_LOGS: Final = ("GPRMC", "GPGGA", "GPZDA")


@dataclass(frozen=True, slots=True)
class Switch:
    """The protocol of the line: neither asked for nor acknowledged."""

    command: bytes
    inferred: bytes
    """Puts the binary protocol back."""
    name: str = "protocol"
    query: bytes = b""
    acknowledged: bool = False

    def current(self, item: Item) -> bytes | None:  # noqa: ARG002 - see `Setting`
        """It is not asked."""
        return None

    def answered(self, item: Item) -> bool:  # noqa: ARG002 - see `Setting`
        """It is not asked."""
        return False

    def wanted(self, current: bytes) -> bytes:  # noqa: ARG002 - see `Setting`
        """NMEA, whatever it is."""
        return self.command

    def verdict(self, item: Item) -> bool | None:  # noqa: ARG002 - see `Setting`
        """It is not acknowledged."""
        return None

    def unknown(self, item: Item) -> bool:  # noqa: ARG002 - see `Setting`
        """It is not asked."""
        return False

    def describe(self, command: bytes) -> str:
        """Which protocol."""
        return "NMEA" if command == self.command else "binary"


def recognise(item: Item, profile: Profile, heard: AbstractSet[str]) -> Vendor | None:
    """The vendor, by its frames, if it has a way back and no sentence was `heard`."""
    if not isinstance(item, Binary) or heard:
        return None
    commands = _commands(item.kind, profile)
    return None if commands is None else Vendor(item.kind, (Switch(*commands),))


def _commands(  # noqa: PLR0911 - a case for every protocol
    protocol: str, profile: Profile
) -> tuple[bytes, bytes] | None:
    """To NMEA, and back; None: no command is known, or none fits the line."""
    rates = profile.sentences
    match protocol:
        case "SiRF":
            return _sirf(profile)
        case "SkyTraq":
            return _skytraq(1), _skytraq(2)
        case "Allystar":
            on = (_allystar(_ALLYSTAR[kind], rates[kind]) for kind in _ALLYSTAR)
            off = (_allystar(number, 0) for number in _ALLYSTAR.values())
            return b"".join(on), b"".join(off)
        case "CASIC":
            on = (_casic(_CASIC[kind], rates[kind]) for kind in _CASIC)
            off = (_casic(number, 0) for number in _CASIC.values())
            return b"".join(on), b"".join(off)
        case "Unicore":
            return _lines("{} 1"), _lines("UNLOG {}")
        case "NovAtel":
            return _lines("LOG {} ONTIME 1"), _lines("UNLOG {}")
        case "SBF":
            port = "COM1" if profile.uart else "USB1"
            head = f"setNMEAOutput, Stream10, {port}, "
            ends = "RMC+GGA+ZDA+GSA+GSV, sec1\r\n", "none, off\r\n"
            return (head + ends[0]).encode(), (head + ends[1]).encode()
        case _:
            return None


def _sirf(profile: Profile) -> tuple[bytes, bytes] | None:
    speed = profile.bits_per_second or _SIRF_FASTEST
    if speed > _SIRF_FASTEST:
        return None
    pairs = bytes(
        byte for kind in _SIRF for byte in (profile.sentences.get(kind, 0), 1)
    )
    payload = b"\x81\x02" + pairs + speed.to_bytes(2, "big")
    head = b"\xa0\xa2" + len(payload).to_bytes(2, "big")
    total = (sum(payload) & 0x7FFF).to_bytes(2, "big")
    return head + payload + total + b"\xb0\xb3", sealed(f"PSRF100,0,{speed},8,1,0")


def _skytraq(kind: int) -> bytes:
    """Message 9: 1 is NMEA, 2 binary; 0 sets it until power is gone."""
    payload = bytes((9, kind, 0))
    head = b"\xa0\xa1" + len(payload).to_bytes(2, "big")
    return head + payload + bytes((reduce(xor, payload),)) + b"\r\n"


def _allystar(number: int, rate: int) -> bytes:
    body = bytes((0x06, 0x01, 3, 0, 0xF0, number, rate))
    return b"\xf1\xd9" + body + fletcher(body)


def _casic(number: int, rate: int) -> bytes:
    frame = b"\xba\xce" + bytes((4, 0, 0x06, 0x01, 0x4E, number, rate, 0))
    return frame + casic_sum(frame).to_bytes(4, "little")


def _lines(form: str) -> bytes:
    return "".join(f"{form.format(log)}\r\n" for log in _LOGS).encode()
