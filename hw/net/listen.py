"""Opening the sockets to serve on: bound here, or handed over by systemd.

An error says what to do about it: who holds the port, or which right is missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hw.abi.addresses import interfaces
from hw.abi.interface import interface_index
from hw.abi.sockets import (
    FILTER_INSTRUCTION,
    FILTER_PROGRAM,
    IP_FREEBIND,
    IP_PKTINFO,
    IPV6_FREEBIND,
    SO_ATTACH_REUSEPORT_CBPF,
    SO_RCVBUFFORCE,
)

_INTERFACE_ROOM: Final = 16
"""IFNAMSIZ, linux/if.h."""
_RECEIVE_BUFFER: Final = 4 << 20
"""Bytes; the default holds 277 requests and overflows when we are held up."""
_SKF_NET_OFF: Final = -0x100000
_ANY: Final = {"0.0.0.0", "::"}  # noqa: S104 - to be told from others
_NO_IPV6: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
_SD_LISTEN_FDS_START: Final = 3
_PROC: Final = Path("/proc")


def listen(
    addresses: Iterable[str], port: int, interface: str | None = None
) -> list[socket.socket]:
    """One bound UDP socket per address; with an `interface`, heard only there.

    OSError says what is in the way. A machine without IPv6 has no `::`, which is
    then left out.
    """
    return [made for (made,) in _groups(addresses, port, interface, 1)]


def listen_shared(
    addresses: Iterable[str], port: int, interface: str | None, count: int
) -> list[list[socket.socket]]:
    """As `listen`, but per address a socket for each of `count` processes, and also
    where the address is not there yet."""
    groups = _groups(addresses, port, interface, count)
    for group in groups:
        _deal_by_sender(group)
    return groups


class Place:
    """One address to listen at, whether it is there yet or not. Used by one thread.

    `bound` hears as soon as the address is an address of this machine. Where an
    interface is named that does not exist, or is deleted and made again, `again`
    opens a new socket.
    """

    def __init__(
        self,
        address: str,
        port: int,
        interface: str | None,
        report: Callable[[str], None],
    ) -> None:
        """OSError says what is in the way, other than that it is not there.

        `report` is passed what is waited for, and that it came.
        """
        self._place = address, port, interface
        self._name = interface or address.partition("%")[2]
        self._report = report
        self._index = 0
        self._fault = ""
        self.bound = self._open()

    def again(self) -> socket.socket | None:
        """The new socket, if the interface came or is another one now. The old one is
        not closed. None: all is as it was, or the new one cannot be had yet."""
        index = interface_index(self._name, self.bound) if self._name else 0
        if index in {0, self._index}:
            return None
        address, port, _ = self._place
        try:
            self.bound = self._open()
        except OSError as error:
            self._index = 0
            if self._fault != str(error):
                self._fault = str(error)
                self._report(self._fault)
            return None
        self._fault = ""
        self._report(f"listening at {address} port {port}: {self._name} is there")
        return self.bound

    def _open(self) -> socket.socket:
        address, port, interface = self._place
        if self._name:
            deaf = socket.socket(_family(address), socket.SOCK_DGRAM)
            self._index = interface_index(self._name, deaf)
            if not self._index:
                self._report(f"to listen at {address} waits for {self._name}")
                return deaf
            deaf.close()
        try:
            made = _bound(address, port, interface, shared=False)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL or address == "::":
                raise
            made = _bound(address, port, interface, shared=False, absent=True)
            self._report(f"{address} is no address of this machine yet")
        return made


def places(
    addresses: Iterable[str],
    port: int,
    interface: str | None,
    report: Callable[[str], None],
) -> list[Place]:
    """One for each address. OSError: as `Place`; as in `listen`, `::` is left out on a
    machine without IPv6."""
    made: list[Place] = []
    with contextlib.ExitStack() as opened:
        for address in addresses:
            try:
                place = Place(address, port, interface, report)
            except OSError as error:
                if address == "::" and made and error.errno in _NO_IPV6:
                    continue
                raise
            opened.enter_context(place.bound)
            made.append(place)
        opened.pop_all()
    return made


def _groups(
    addresses: Iterable[str], port: int, interface: str | None, count: int
) -> list[list[socket.socket]]:
    """For each address `count` sockets on the same port."""
    groups: list[list[socket.socket]] = []
    with contextlib.ExitStack() as opened:
        for address in addresses:
            group: list[socket.socket] = []
            try:
                for _ in range(count):
                    at = group[0].getsockname()[1] if group else port
                    made = _bound(
                        address,
                        at,
                        interface,
                        shared=count > 1,
                        absent=count > 1 and address not in _ANY,
                    )
                    group.append(opened.enter_context(made))
            except OSError as error:
                if address == "::" and groups and error.errno in _NO_IPV6:
                    continue
                raise
            groups.append(group)
        opened.pop_all()
    return groups


def _deal_by_sender(group: list[socket.socket]) -> None:
    """Have the kernel choose the socket by the sender, so that it is always the same.

    By its IPv4 address, or by the last four bytes of its IPv6 address: the hosts of
    one /64 have different sockets.
    """
    source = 20 if group[0].family == socket.AF_INET6 else 12  # in the IP header
    load, modulo, done = 0x20, 0x94, 0x16  # linux/bpf_common.h: LD|W|ABS, ALU|MOD|K
    code = b"".join(
        FILTER_INSTRUCTION.pack(operation, 0, 0, operand & 0xFFFF_FFFF)
        for operation, operand in (
            (load, _SKF_NET_OFF + source),
            (modulo, len(group)),
            (done, 0),
        )
    )
    memory = ctypes.create_string_buffer(code, len(code))
    count = len(code) // FILTER_INSTRUCTION.size
    program = FILTER_PROGRAM.pack(count, ctypes.addressof(memory))
    group[0].setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _bound(
    address: str,
    port: int,
    interface: str | None,
    *,
    shared: bool,
    absent: bool = False,
) -> socket.socket:
    """`absent`: even if no interface has the address yet."""
    family = _family(address)
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if absent and family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        elif absent:
            made.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        make_room(made)
        if interface is not None:
            made.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode()
            )
        made.bind(_place(address, port, family))
    except OSError as error:
        made.close()
        advice = _advice(error, address, port, interface)
        raise OSError(error.errno, advice) from error
    return made


def _place(address: str, port: int, family: int) -> tuple[str | int, ...]:
    """The socket address; an IPv6 one may name its interface."""
    host, _, interface = address.partition("%")
    if family == socket.AF_INET:
        return host, port
    if not interface:
        return host, port, 0, 0
    try:
        return host, port, 0, socket.if_nametoindex(interface)
    except OSError as error:
        raise OSError(errno.ENODEV, interface) from error


def make_room(bound: socket.socket) -> None:
    """Give it a receive buffer of 4 MiB, or as much of it as we may."""
    try:
        bound.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except PermissionError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


class BroadcastSender:
    """Sends to broadcast or multicast addresses from the port of a bound socket.

    From sockets of its own, each bound to where it sends to, so that it takes no
    request away. The bound one may not send there, and so never answers a request
    that was forged with such a source. Used by one thread.
    """

    def __init__(self, bound: Callable[[], socket.socket], to: Sequence[str]) -> None:
        """`bound`: the socket whose port and interface are to be used, as of now."""
        self._bound = bound
        host, self._port = bound().getsockname()
        source = socket.inet_aton(host)
        info = struct.pack("=i4s4x", 0, source)  # linux/in.h, in_pktinfo
        self._from = [(socket.IPPROTO_IP, IP_PKTINFO, info)] if any(source) else []
        self._waiting = {
            address: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for address in to
        }
        """Not bound yet: their networks are not there."""
        self._ready: dict[str, socket.socket] = {}

    def send(self, data: bytes) -> None:
        """Send to all. OSError: one cannot be reached; all others were sent to."""
        fault: OSError | None = None
        interface = interface_of(self._bound())
        for address in [*self._ready, *self._waiting]:
            try:
                if address in self._waiting:
                    self._bind(address)
                sender = self._ready[address]
                if interface is not None:
                    sender.setsockopt(
                        socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode()
                    )
                sender.sendmsg([data], self._from, 0, (address, self._port))
            except OSError as error:
                fault = OSError(error.errno, f"{address}: {error.strerror}")
        if fault is not None:
            raise fault

    def close(self) -> None:
        """Give the sockets back."""
        for each in (*self._waiting.values(), *self._ready.values()):
            each.close()

    def _bind(self, address: str) -> None:
        """OSError: none of our networks has that address."""
        sender, bound = self._waiting[address], self._bound()
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for each in (sender, bound):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sender.bind((address, self._port))
        finally:  # nobody else may share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self._ready[address] = self._waiting.pop(address)


def inherited() -> list[socket.socket]:
    """The sockets that systemd passed to us, if any: sd_listen_fds(3)."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    sockets: list[socket.socket] = []
    for fd in range(int(os.environ.get("LISTEN_FDS", "0"))):
        passed = socket.socket(fileno=_SD_LISTEN_FDS_START + fd)
        passed.set_inheritable(False)
        make_room(passed)
        sockets.append(passed)
    return sockets


def interface_of(bound: socket.socket) -> str | None:
    """The interface it hears on; None: on every one."""
    name = bound.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _INTERFACE_ROOM)
    return name.rstrip(b"\0").decode() or None


def _advice(error: OSError, address: str, port: int, interface: str | None) -> str:
    where = f"UDP port {port} of {address}"
    if interface is not None:
        where += f" on {interface}"
    if error.errno == errno.EADDRINUSE:
        holder = ", ".join(_holders(port)) or "another process"
        return f"{where} is taken by {holder}: stop that, or choose another port"
    if error.errno == errno.EACCES:
        return (
            f"{where}: not permitted; ports below 1024 need the capability"
            " CAP_NET_BIND_SERVICE (the systemd unit grants it)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address"
    if error.errno == errno.ENODEV:
        known = ", ".join(interfaces())
        return f"{where}: this machine has no such interface; it has {known}"
    if error.errno == errno.EPERM:
        return f"{where}: to choose an interface takes Linux 5.7, or CAP_NET_RAW"
    return f"{where}: {error.strerror}"


def _holders(port: int) -> Iterator[str]:
    """Processes with a UDP socket on `port`, as far as /proc lets us see them."""
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("udp", "udp6")
        if (path := _PROC / "net" / table).exists()
        for fields in map(str.split, path.read_text().splitlines()[1:])
        if int(fields[1].rpartition(":")[2], 16) == port
    }
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                yield f"{name} (process {process.name})"
