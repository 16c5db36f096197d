"""Opening the sockets to serve on: bound here, or handed over by systemd.

An error says what to do about it: who holds the port, or which right is missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hw.abi.sockets import (
    FILTER_INSTRUCTION,
    FILTER_PROGRAM,
    SO_ATTACH_REUSEPORT_CBPF,
    SO_RCVBUFFORCE,
)

_INTERFACE_ROOM: Final = 16
"""IFNAMSIZ, linux/if.h."""
_RECEIVE_BUFFER: Final = 4 << 20
"""Bytes; the default holds 277 requests and overflows when we are held up."""
_SKF_NET_OFF: Final = -0x100000
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
    """As `listen`, but per address a socket for each of `count` processes."""
    groups = _groups(addresses, port, interface, count)
    for group in groups:
        _deal_by_sender(group)
    return groups


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
                    made = _bound(address, at, interface, shared=count > 1)
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


def _bound(
    address: str, port: int, interface: str | None, *, shared: bool
) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
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


def broadcast_sender(
    bound: socket.socket, to: Sequence[str]
) -> tuple[Callable[[bytes], None], Callable[[], None]]:
    """Sends to all these broadcast addresses, from where `bound` listens to the same
    port there; and the end of that. OSError: a network is not there, but all others
    were told."""
    voice, port = bound.dup(), bound.getsockname()[1]
    voice.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(data: bytes) -> None:
        with contextlib.ExitStack() as said:
            for address in to:
                said.callback(voice.sendto, data, (address, port))

    return send, voice.close


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


def interfaces() -> Iterator[str]:
    """Their names, from /proc: if_nameindex(3) would ask by netlink, which the
    service may not use."""
    for line in (_PROC / "thread-self/net/dev").read_text().splitlines()[2:]:
        yield line.partition(":")[0].strip()


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
