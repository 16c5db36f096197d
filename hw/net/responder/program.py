"""The responder's program: what the kernel does with each frame that comes in.

It runs at the tc hook (tcx) or, on kernels before 6.6, at the generic XDP hook. A plain
NTP request becomes its reply; every other frame is passed on, to the socket if it is
for us. The order, once for IPv4 and once for IPv6:

    frame   UDP to the port?
    clock   when it came
    access  to an address of ours, from a host the rules let in?
    pace    within the host's pace? if not, it is dropped
    frame   plain: 48 bytes, mode 3, no origin timestamp, no options?
    clock   is the statement of the time recent?
    reply   addresses turned round, header, T2, checksum; T3; sent

Where a check fails the frame is passed on unchanged and the socket decides, except
beyond the pace. The frame is copied to the stack, changed there and written back: a
program that writes into a frame directly makes the kernel copy every cloned frame, as
all TCP on loopback is.

Notation: hw/abi/bpf/assembler.py. Names that differ between the hooks or between the
IP versions are given below, as is the stack; labels with `@` are of one piece of one
IP version. Registers:

    r6  the context     r7  interface; whether its /64 is crowded; slot of PARAMETERS
    r8  place           r9  client; the checksum's difference
    r10 the stack       r0 to r5  scratch
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from typing import Final

from hw.abi.bpf.assembler import assemble
from hw.abi.bpf.programs import HELPERS
from hw.net.responder.instructions import access, clock, frame, pace, reply
from hw.net.responder.layout import NAMES

PASS, DROP, REDIRECTED = 0xFFFF_FFFF, 2, 7
"""What the tc program returns: TCX_NEXT (-1), TCX_DROP, TCX_REDIRECT."""
XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3

_STACK: Final = {
    "NOW": -8,  # when the request came: CLOCK_MONOTONIC, ns
    "READ": -16,  # SEQUENCE when the slot was read
    "SUM": -24,  # the checksum's difference so far
    "KEY": -48,  # as layout.PREFIX_KEY; from its second word, as layout.ADDRESS_KEY
    "ZERO": -48,  # later the key of COUNTERS
    "NEWCOMER": -112,  # a new entry of CLIENTS or NETWORKS
    "AGE": -56,  # later NOW - SINCE
    "T2": -64,
    "GAIN": -72,
}
_IPV4: Final = {"UDP": 34, "NTP": 42, "FRAME": 90, "AT": -202}
_IPV6: Final = {"UDP": 54, "NTP": 62, "FRAME": 110, "AT": -222}
"""Offsets in a frame, its length, and where on the stack its copy is: the NTP packet
is aligned to 8 bytes."""
_TC: Final = {
    "UP": -1,
    "DROP": DROP,
    "REDIRECT": REDIRECTED,
    "LENGTH": 0,
    "PACKET_TYPE": 4,
    "VLAN_PRESENT": 20,
    "INTERFACE": 40,
    "DATA": 76,
    "DATA_END": 80,
    "STAMP": 152,
    "load_bytes": HELPERS["skb_load_bytes"],
}
"""<linux/bpf.h>: struct __sk_buff."""
_XDP: Final = {
    "UP": XDP_PASS,
    "DROP": XDP_DROP,
    "DATA": 0,
    "DATA_END": 4,
    "INTERFACE": 12,
    "TX": XDP_TX,
    "load_bytes": HELPERS["xdp_load_bytes"],
}
"""<linux/bpf.h>: struct xdp_md."""
_NAMES: Final = {
    **HELPERS,
    **NAMES,
    **_STACK,
    "ETHERTYPE_IPV4": socket.htons(0x0800),
    "ETHERTYPE_IPV6": socket.htons(0x86DD),
    "FRAGMENT": socket.htons(0x3FFF),  # offset, and "more follow"
    "MAPPED": socket.htonl(0xFFFF),  # ::ffff:0:0/96
    "IPV4_LOOPBACK": socket.htonl(0x7F00_0000),  # 127.0.0.0: stands for 127/8
    "IPV6_LOOPBACK": int.from_bytes(bytes(7) + b"\1", sys.byteorder),
    "PACKET_IPV4": socket.htons(76),
    "PACKET_UDP": socket.htons(56),
    "UDP_IPV4_TTL": socket.htons(64 << 8 | 17),
    "CLIENT": 3,  # modes
    "SERVER": 4,
    "LOOPBACK": 1,  # the index of lo
    "ALL_BITS": 32 + 128,
    "LONGEST_WAIT": 100_000_000,  # of a frame in the kernel's queue, ns
    "MARK_MANGLED_0": 0x20,
    "NOEXIST": 1,
}
_END: Final = """
up:
    r0 = UP
    exit
"""


def tc_program(names: Mapping[str, int]) -> bytes:
    """For the tc hook. `names`: the descriptors of the six maps, PORT (as in the
    frame) and KINDS (a bit for each version and mode that is answered)."""
    send = reply.COUNT + reply.TC_STORE + clock.T3 + reply.SUM_T3 + reply.TC_SEND
    text = _both(frame.TC_BEGIN, clock.TC_CAME, "", frame.TC_NO_MORE, send)
    return assemble(text, {**_NAMES, **_TC, **names})


def xdp_program(names: Mapping[str, int]) -> bytes:
    """For the generic XDP hook; `names` as for the tc hook."""
    send = reply.COUNT + clock.T3 + reply.SUM_T3 + reply.XDP_SUM + reply.XDP_SEND
    text = _both(frame.XDP_BEGIN, "", access.XDP_FOR_US, frame.XDP_NO_MORE, send)
    return assemble(text, {**_NAMES, **_XDP, **names})


def _both(begin: str, came: str, for_us: str, no_more: str, send: str) -> str:
    """The whole text, from what differs between the hooks."""
    arrived = frame.TO_THE_PORT + clock.NOW + came + frame.COPY
    statement = (
        *(clock.STATEMENT, reply.SUM_OUT, reply.HEADER, clock.T2, reply.SUM_IN),
        *(clock.UNCHANGED, send),
    )
    ipv4 = (
        *(frame.IPV4_UDP, arrived, access.IPV4_PLACE, for_us, access.IPV4_HOST),
        *(access.LET_IN, pace.NO_NETWORK, pace.CHARGE),
        *(frame.PLAIN, no_more, frame.IPV4_PLAIN),
        *(reply.TURN, reply.IPV4_TURN, *statement),
    )
    ipv6 = (
        *(frame.IPV6_UDP, arrived, access.IPV6_PLACE, for_us, access.IPV6_HOST),
        *(access.LET_IN, pace.IPV6_NETWORK, pace.CHARGE),
        *(frame.PLAIN, no_more, frame.IPV6_PLAIN),
        *(reply.TURN, reply.IPV6_TURN, *statement),
    )
    return "".join(
        (
            *(begin, frame.IP_VERSION),
            *(_with("".join(ipv4), _IPV4), _with("".join(ipv6), _IPV6)),
            *(pace.REFUSE, _END),
        )
    )


def _with(text: str, offsets: Mapping[str, int]) -> str:
    """With these offsets, and with labels (`@`) of its own."""
    text = text.replace("@", f"at{offsets['UDP']}_")
    return re.sub(
        rf"\b({'|'.join(offsets)})\b", lambda name: str(offsets[name[1]]), text
    )
