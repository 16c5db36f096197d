"""USB devices made of Python, plugged into the guest's kernel (USB/IP, vhci-hcd).

The kernel's own drivers bind to them, so that ours meet real device nodes. The
wire: Documentation/usb/usbip_protocol.rst; one end of a socket pair is handed to
the kernel, the other is served by a thread.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from socket import socket, socketpair
from typing import Final

from hw.emu.i2c import Chip

_ROOT: Final = Path("/sys/devices/platform/vhci_hcd.0")
_SUBMIT, _UNLINK, _SUBMITTED, _UNLINKED = 1, 2, 3, 4
_HEAD: Final = struct.Struct(">5I28s")
"""Command, number, device, direction, endpoint; then what the command needs."""
_ANSWER: Final = struct.Struct(">5Iii12x8x")
_FULL_SPEED: Final = 2
_STALL: Final = -32
_RESET: Final = -104
_VENDOR: Final = 0x40
_IN: Final = 0x80
_GET_DESCRIPTOR: Final = 6
_COMMUNICATION, _DATA, _PRIVATE = 0x02, 0x0A, 0xFF
"""Classes of interfaces."""
_BULK: Final = (bytes((7, 5, 0x81, 2, 64, 0, 0)), bytes((7, 5, 0x02, 2, 64, 0, 0)))
"""Endpoints in and out (USB 2.0, 9.6.6)."""
_PLUG_S: Final = 10
_PACKET: Final = 62
"""Bytes received that fit beside the state of the lines."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A control request (USB 2.0, 9.3), and what came with it."""

    request: int
    value: int
    index: int
    room: int
    data: bytes


def _face(number: int, kind: int, *endpoints: bytes, more: bytes = b"") -> bytes:
    """An interface (USB 2.0, 9.6.5), what is peculiar to its class, its endpoints."""
    own = bytes(
        (9, 4, number, 0, len(endpoints), kind, 2 * (kind == _COMMUNICATION), 0, 0)
    )
    return own + more + b"".join(endpoints)


class Device:
    """One device. A subclass says what it is and what its vendor's requests do."""

    vendor_id = 0x403
    product = 0
    release = 0
    faces: tuple[bytes, ...] = ()
    """Its interfaces, each with what belongs to it."""

    def __init__(self) -> None:
        self._ours, self._kernels = socketpair()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, int]] = deque()
        """Requests for bulk data: number and room."""

    def plug(self, port: int) -> None:
        """Into that port of the virtual hub."""
        self._port = port
        threading.Thread(target=self._serve, daemon=True).start()
        words = f"{port} {self._kernels.fileno()} {port + 1} {_FULL_SPEED}"
        (_ROOT / "attach").write_text(words)
        self._kernels.close()

    def unplug(self) -> None:
        """Out again."""
        (_ROOT / "detach").write_text(str(self._port))

    def vendor(self, asked: Asked) -> bytes:
        """Answer a request of the vendor's own kind."""
        raise NotImplementedError

    def gives(self) -> bytes | None:
        """What a waiting bulk request gets; None: nothing yet."""
        return None

    def tell(self) -> None:
        """There is something new to give."""
        with self._lock:
            while self._waiting and (given := self.gives()) is not None:
                number, room = self._waiting.popleft()
                self._answer(number, given[:room])

    def _serve(self) -> None:
        with self._ours:
            while head := _exactly(self._ours, _HEAD.size):
                command, number, _, inward, endpoint, rest = _HEAD.unpack(head)
                if command == _UNLINK:
                    self._unlink(number, *struct.unpack_from(">I", rest))
                    continue
                (room,) = struct.unpack_from(">4xi", rest)
                data = b"" if inward else _exactly(self._ours, room)
                if endpoint == 0:
                    self._control(number, rest[20:], data)
                elif inward:
                    with self._lock:
                        self._waiting.append((number, room))
                    self.tell()
                else:  # what the kernel sends to a receiver is not needed
                    self._send(_SUBMITTED, number, 0, room)

    def _control(self, number: int, setup: bytes, data: bytes) -> None:
        kind, request, value, index, room = struct.unpack("<BBHHH", setup)
        told: bytes | None
        if kind & _VENDOR:
            told = self.vendor(Asked(request, value, index, room, data))
        elif request == _GET_DESCRIPTOR:
            told = self._descriptor(value >> 8)
        else:
            told = bytes(2 * bool(kind & _IN))
        if told is None:
            self._send(_SUBMITTED, number, _STALL, 0)
        elif kind & _IN:
            self._answer(number, told[:room])
        else:
            self._send(_SUBMITTED, number, 0, len(data))

    def _descriptor(self, kind: int) -> bytes | None:
        """USB 2.0, 9.6: of the device, or of its one configuration."""
        if kind == 1:
            told = (18, 1, 0x200, 0, 0, 0, 64, self.vendor_id, self.product)
            return struct.pack("<BBHBBBBHHHBBBB", *told, self.release, 0, 0, 0, 1)
        if kind == 2:
            body = b"".join(self.faces)
            head = (9, 2, 9 + len(body), len(self.faces), 1, 0, 0x80, 50)
            return struct.pack("<BBHBBBBB", *head) + body
        return None

    def _unlink(self, number: int, unwanted: int) -> None:
        with self._lock:
            kept = deque(each for each in self._waiting if each[0] != unwanted)
            found = len(kept) < len(self._waiting)
            self._waiting = kept
        self._send(_UNLINKED, number, _RESET if found else 0, 0)

    def _answer(self, number: int, data: bytes) -> None:
        self._send(_SUBMITTED, number, 0, len(data), data)

    def _send(
        self, command: int, number: int, status: int, length: int, data: bytes = b""
    ) -> None:
        head = _ANSWER.pack(command, number, 0, 0, 0, status, length)
        self._ours.sendall(head + data)


class I2cAdapter(Device):
    """i2c-tiny-usb, by its firmware's protocol (drivers/i2c/busses/i2c-tiny-usb.c)."""

    product = 0xC631
    faces = (_face(0, _PRIVATE),)
    _I2C_AND_SMBUS: Final = 0x0EFF_0009
    _ACK, _NAK = 1, 2

    def __init__(self, chips: Iterable[Chip]) -> None:
        super().__init__()
        self._chips = {chip.address: chip for chip in chips}
        self._status = 0
        self.silent = False
        """Nobody acknowledges his address."""

    def vendor(self, asked: Asked) -> bytes:
        """Echo, what it can do, how it went, or (from 4 on) a transfer."""
        if asked.request >= 4:
            return self._transfer(asked)
        return {
            0: asked.value.to_bytes(2, "little"),
            1: self._I2C_AND_SMBUS.to_bytes(4, "little"),
            3: bytes((self._status,)),
        }.get(asked.request, b"")

    def _transfer(self, asked: Asked) -> bytes:
        chip = self._chips.get(asked.index)
        if chip is None or self.silent:
            self._status = self._NAK
            return bytes(asked.room)
        self._status = self._ACK
        if asked.value & 1:  # I2C_M_RD
            return chip.read(asked.room)
        chip.write(asked.data)
        return b""


class SerialAdapter(Device):
    """An FT232BM whose DCD moves (drivers/usb/serial/ftdi_sio.c)."""

    product = 0x6001
    release = 0x400
    faces = (_face(0, _PRIVATE, *_BULK),)
    _GET_MODEM_STATUS, _SET_LATENCY, _GET_LATENCY = 5, 9, 10

    def __init__(self) -> None:
        super().__init__()
        self._latency_ms = 16
        self._carrier = False
        self._told: bool | None = None
        self._words = b""

    def carrier(self, there: bool) -> None:
        """Raise or lower DCD."""
        self._carrier = there
        self.tell()

    def say(self, words: bytes) -> None:
        """Have them received."""
        with self._lock:
            self._words += words
        self.tell()

    def vendor(self, asked: Asked) -> bytes:
        """How the lines are, how long bytes are kept; all else is accepted."""
        if asked.request == self._GET_MODEM_STATUS:
            return self._lines()
        if asked.request == self._SET_LATENCY:
            self._latency_ms = asked.value
        return bytes((self._latency_ms,))

    def gives(self) -> bytes | None:
        """The state of the lines, when it changed, and what was received."""
        if self._carrier == self._told and not self._words:
            return None
        self._told = self._carrier
        words, self._words = self._words[:_PACKET], self._words[_PACKET:]
        return self._lines() + words

    def _lines(self) -> bytes:
        return bytes((0x31 | 0x80 * self._carrier, 0x60))


class GnssReceiver(Device):
    """A Sierra Wireless XM1210, which the kernel's GNSS class has (drivers/gnss/usb.c):
    /dev/gnssN, and no serial port."""

    vendor_id = 0x1199
    product = 0xB000
    faces = (_face(0, _PRIVATE, *_BULK),)

    def __init__(self) -> None:
        super().__init__()
        self._words = b""

    def say(self, words: bytes) -> None:
        """Have them received."""
        with self._lock:
            self._words += words
        self.tell()

    def gives(self) -> bytes | None:
        """What was said, 64 bytes at once."""
        if not self._words:
            return None
        words, self._words = self._words[:64], self._words[64:]
        return words


class UbloxUsb(Device):
    """A u-blox on USB, as far as the kernel looks at it (USB CDC 1.2, PSTN 1.2)."""

    vendor_id = 0x1546
    product = 0x01A8
    faces = (
        _face(
            0,
            _COMMUNICATION,
            bytes((7, 5, 0x83, 3, 64, 0, 255)),
            more=bytes.fromhex("0524001001 04240202 0524060001 0524010301"),
        ),
        _face(1, _DATA, *_BULK),
    )


def _exactly(line: socket, count: int) -> bytes:
    """So many bytes; fewer only at the end."""
    got = b""
    while len(got) < count:
        more = line.recv(count - len(got))
        if not more:
            return b""
        got += more
    return got


def appeared(pattern: str, before: set[str]) -> str:
    """The device node of that pattern that was not there before."""
    ends = time.monotonic() + _PLUG_S
    while time.monotonic() < ends:
        if new := nodes(pattern) - before:
            return new.pop()
        time.sleep(0.05)
    raise TimeoutError(f"no new /dev/{pattern} in {_PLUG_S} s")


def nodes(pattern: str) -> set[str]:
    """The device nodes of that pattern."""
    return {str(path) for path in Path("/dev").glob(pattern)}
