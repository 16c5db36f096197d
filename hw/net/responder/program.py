"""The responder's program: what the kernel does with each frame that comes in.

It runs at the tc hook (tcx) or, on older kernels, at the generic XDP hook. A plain
NTP request is turned round into its reply; every other frame goes the way it would
have gone, to the socket if it is for us.

    ours?      UDP to our port, at an address of ours, from an interface we serve
    admitted?  by the access rules, and by the sender's token bucket
    plain?     48 bytes, mode 3, no origin stamp, no options
    known?     what to say is recent
    turn       addresses swapped, both stamps written, checksum carried over

The bucket is charged for every request to our port that the rules let in, plain or
not, so that a client has one pace, whoever answers it. Where something is amiss the
frame goes up, and the socket decides.

The frame is copied to the stack, changed there and written back: a program that
writes into a frame directly makes the kernel copy every frame that has been cloned,
as all TCP on loopback is. The checksum is not made anew but changed by the
difference, so that a request damaged on its way becomes a reply as damaged.

The text exists once and is assembled once per IP version and hook: `_NAMES` gives the
offsets of each. Notation: hw/abi/bpf_asm.py. Registers:

    r6  the context       r7  the interface; whether the network is crowded; then what
                              to say: a slot of PARAMETERS
    r8  whom it is for: an entry of PLACES
    r9  who asked: an entry of CLIENTS; later how old the slot is, ns
    r10 the stack         r0 to r5  scratch

The stack, below r10; the rest is a copy of the frame, from AT:
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from typing import Final

from hw.abi.bpf import HELPERS
from hw.abi.bpf_asm import assemble

STACK: Final = {
    "NOW": -8,  # when the request came: CLOCK_MONOTONIC, ns
    "SEQUENCE": -16,  # of the slot
    "SUM": -24,  # checksum of what is replaced
    "KEY": -48,  # of PLACES and RULES: prefix length, interface or rules, address
    "ZERO": -48,  # later the key of COUNTERS
    "CLIENT_AT": -40,  # later where the entry of CLIENTS lies
    "CLIENT_KEY": -44,  # its end: rules, address
    "NEWCOMER": -104,  # a new entry of CLIENTS or NETWORKS
}

KEY_BYTES, CLIENT_KEY_BYTES, NETWORK_KEY_BYTES = 24, 20, 12
PLACE: Final = {"RULES": 0, "STRATUM_LEAST": 4, "MAC": 10}
"""An entry of PLACES: which rules hold there, what is said there, who it is for."""
PLACE_BYTES: Final = 16
ALLOWED, SHARED = 1, 2
"""Bits of an entry of RULES: allowed; the address stands for many hosts."""
RULE_BYTES: Final = 4
CLIENT: Final = {
    name: 8 * at
    for at, name in enumerate(
        ("DUE", "LEAK_DUE", "LAST", "COUNT", "ANSWERED", "LIMITED", "VERSION")
    )
}
"""An entry of CLIENTS: as refclock.server.admission.clients.Client."""
CLIENT_BYTES: Final = 56
NETWORK_BYTES: Final = 8
"""An entry of NETWORKS: when the bucket of a /64 for newcomers will be full again."""
SLOT: Final = {
    "SINCE": 0,  # CLOCK_MONOTONIC, ns
    "LASTS": 8,  # ns, below 2^32; 0: all goes up
    "STAMP": 16,  # the NTP timestamp at SINCE
    "GAIN": 24,  # 2^-32 s in a ns, less 4, times 2^32
    "BOUND": 32,  # root dispersion at SINCE, ns
    "GROWTH": 40,  # of it, times 2^32
    "LEAP": 48,  # a reply's first 24 bytes: leap; no version, no mode
    "STRATUM": 49,
    "PRECISION": 51,
    "ROOT_DELAY": 52,
    "REFERENCE_ID": 60,
    "REFERENCE": 64,
}
SLOT_BYTES: Final = 72
PARAMETERS: Final = {
    "SLOT": 0,  # how many slots were written; the last is that modulo 2
    "EVERY": 8,  # a host's bucket gains a request, ns
    "EVERY_NETWORK": 16,  # that of a /64, or of an address in `shared`
    "SLACK": 24,  # the size of a bucket, ns
    "LEAK": 32,  # share of the requests beyond the pace that is served, times 2^32
    "LEAK_EVERY": 40,  # and the pace of those of one host, ns
    "LEAK_SLACK": 48,
    "SLOTS": 56,
}
PARAMETERS_BYTES: Final = PARAMETERS["SLOTS"] + 2 * SLOT_BYTES
COUNTED: Final = {"ANSWERED": 0, "REFUSED": 8}
"""The entry of COUNTERS, one for each CPU."""
COUNTED_BYTES: Final = 16

NEXT, DROP, REDIRECTED = 0xFFFF_FFFF, 2, 7
"""What the tc program returns: TCX_NEXT (-1), TCX_DROP, TCX_REDIRECT."""
XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3

_TC: Final = {
    "UP": -1,
    "DROP": DROP,
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
_IPV4: Final = {"UDP": 34, "NTP": 42, "FRAME": 90, "AT": -194}
_IPV6: Final = {"UDP": 54, "NTP": 62, "FRAME": 110, "AT": -214}
"""Offsets in a frame, its length, and where on the stack its copy is, such that the
NTP packet lies on a multiple of 8."""
_NAMES: Final = {
    **HELPERS,
    **STACK,
    **{f"PLACE_{name}": at for name, at in PLACE.items()},
    **{f"CLIENT_{name}": at for name, at in CLIENT.items()},
    **{f"SLOT_{name}": at for name, at in SLOT.items()},
    **PARAMETERS,
    **COUNTED,
    "SLOT_BYTES": SLOT_BYTES,
    "ALLOWED": ALLOWED,
    "SHARED": SHARED,
    "ETHERTYPE_IPV4": socket.htons(0x0800),
    "ETHERTYPE_IPV6": socket.htons(0x86DD),
    "FRAGMENT": socket.htons(0x3FFF),  # its offset, and "more follow"
    "MAPPED": socket.htonl(0xFFFF),  # ::ffff:0:0/96
    "PACKET_IPV4": socket.htons(76),
    "PACKET_UDP": socket.htons(56),
    "UDP_IPV4_TTL": socket.htons(64 << 8 | 17),
    "SERVER": 4,
    "CLIENT": 3,
    "LOOPBACK": 1,
    "IPV6_LOOPBACK": int.from_bytes(bytes(7) + b"\1", sys.byteorder),
    "ALL_BITS": 32 + 128,
    "LONGEST_WAIT": 100_000_000,  # of a frame in the kernel's queue, ns
    "MARK_MANGLED_0": 0x20,  # keep "no checksum" what it is
}

_TC_BEGIN = """
    r6 = r1
    w2 = *(u32 *)(r6 + PACKET_TYPE)
    if w2 != 0 goto up                  # a broadcast, or for another: not for us
    w2 = *(u32 *)(r6 + VLAN_PRESENT)
    if w2 != 0 goto up                  # for the VLAN's own device
"""

_XDP_BEGIN = """
    r6 = r1
"""

_WHICH = """
    r2 = *(u32 *)(r6 + DATA)
    r3 = *(u32 *)(r6 + DATA_END)
    r4 = r2
    r4 += 62                            # to the end of UDP over IPv6
    if r4 > r3 goto up                  # too short to be a request, over IPv4 too
    w4 = *(u16 *)(r2 + 12)
    if w4 == ETHERTYPE_IPV4 goto ipv4
    if w4 == ETHERTYPE_IPV6 goto ipv6
    goto up
"""

_IPV4_OURS = """
ipv4:
    w4 = *(u8 *)(r2 + 14)
    if w4 != 0x45 goto up               # IP options
    w4 = *(u16 *)(r2 + 20)
    w4 &= FRAGMENT
    if w4 != 0 goto up
    w4 = *(u8 *)(r2 + 23)
    if w4 != 17 goto up                 # not UDP
"""

_IPV6_OURS = """
ipv6:
    w4 = *(u8 *)(r2 + 14)
    w4 &= 0xf0
    if w4 != 0x60 goto up
    w4 = *(u8 *)(r2 + 20)
    if w4 != 17 goto up                 # extension headers, fragments; not UDP
"""

_PORT = """
    w4 = *(u16 *)(r2 + UDP + 2)
    if w4 != PORT goto up
    call ktime_get_ns
    *(u64 *)(r10 + NOW) = r0
"""

_TC_CAME = """
    call ktime_get_tai_ns               # the kernel's stamp, of CLOCK_REALTIME: TAI
    r1 = *(u64 *)(r6 + STAMP)           # is ahead of it by whole seconds, 0 or 37
    if r1 == 0 goto @came
    r0 -= r1
    r0 %= 1000000000
    if r0 > LONGEST_WAIT goto @came     # the clock was stepped in between
    r1 = *(u64 *)(r10 + NOW)
    r1 -= r0
    *(u64 *)(r10 + NOW) = r1
@came:
"""

_OURS = """
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += AT
    r4 = FRAME
    call load_bytes
    if r0 != 0 goto up                  # less than an NTP header
    *(u32 *)(r10 + KEY) = ALL_BITS
    w7 = *(u32 *)(r6 + INTERFACE)
    *(u32 *)(r10 + KEY + 4) = r7
"""

_IPV4_TO = """
    *(u64 *)(r10 + KEY + 8) = 0
    *(u32 *)(r10 + KEY + 16) = MAPPED
    w2 = *(u32 *)(r10 + AT + 30)
    *(u32 *)(r10 + KEY + 20) = r2
"""

_IPV6_TO = """
    r2 = *(u64 *)(r10 + AT + 38)
    *(u64 *)(r10 + KEY + 8) = r2
    r2 = *(u64 *)(r10 + AT + 46)
    *(u64 *)(r10 + KEY + 16) = r2
"""

_PLACED = """
    r1 = map PLACES
    r2 = r10
    r2 += KEY
    call map_lookup_elem
    if r0 == 0 goto up                  # no address of ours there
    r8 = r0
    w2 = *(u32 *)(r8 + PLACE_RULES)
    *(u32 *)(r10 + KEY + 4) = r2
"""

_XDP_FOR_US = """
    w2 = *(u16 *)(r10 + AT)
    w3 = *(u16 *)(r8 + PLACE_MAC)
    if w2 != w3 goto up                 # a broadcast, or for another: not for us
    w2 = *(u32 *)(r10 + AT + 2)
    w3 = *(u32 *)(r8 + PLACE_MAC + 2)
    if w2 != w3 goto up
"""

_IPV4_FROM = """
    w2 = *(u8 *)(r10 + AT + 26)
    if w2 == 0 goto up                  # no address to answer to
    if w2 >= 224 goto up
    if w2 != 127 goto @from_ipv4
    if w7 != LOOPBACK goto up           # not from outside
@from_ipv4:
    w2 = *(u32 *)(r10 + AT + 26)        # the first 12 bytes of the key are as before
    *(u32 *)(r10 + KEY + 20) = r2
"""

_IPV6_FROM = """
    w2 = *(u8 *)(r10 + AT + 22)
    if w2 == 0xff goto up               # multicast
    r2 = *(u64 *)(r10 + AT + 22)
    r3 = *(u64 *)(r10 + AT + 30)
    if r2 != 0 goto @from_ipv6
    if w7 != LOOPBACK goto up           # from outside no ::, ::1 nor mapped IPv4,
    r4 = IPV6_LOOPBACK ll
    if r3 != r4 goto up                 # and from inside ::1 only
@from_ipv6:
    *(u64 *)(r10 + KEY + 8) = r2
    *(u64 *)(r10 + KEY + 16) = r3
"""

_LET_IN = """
    r1 = map RULES
    r2 = r10
    r2 += KEY
    call map_lookup_elem
    if r0 == 0 goto up                  # named by no rule: the socket denies
    w2 = *(u32 *)(r0 + 0)
    *(u32 *)(r10 + KEY) = r2            # the rule, where the prefix length was
    w2 &= ALLOWED
    if w2 == 0 goto up
    w4 = *(u8 *)(r10 + AT + NTP)
    w4 &= 63
    r2 = KINDS ll                       # by version and mode: is it answered at all?
    r2 >>= r4
    w2 &= 1
    if w2 == 0 goto up
    r1 = map CLIENTS
    r2 = r10
    r2 += CLIENT_KEY
    call map_lookup_elem
    if r0 != 0 goto @known
    r2 = *(u64 *)(r10 + NOW)            # a newcomer: its bucket is full
    *(u64 *)(r10 + NEWCOMER + CLIENT_DUE) = r2
    *(u64 *)(r10 + NEWCOMER + CLIENT_LEAK_DUE) = r2
    *(u64 *)(r10 + NEWCOMER + CLIENT_LAST) = r2
    *(u64 *)(r10 + NEWCOMER + CLIENT_COUNT) = 0
    *(u64 *)(r10 + NEWCOMER + CLIENT_ANSWERED) = 0
    *(u64 *)(r10 + NEWCOMER + CLIENT_LIMITED) = 0
    *(u64 *)(r10 + NEWCOMER + CLIENT_VERSION) = 0
    r1 = map CLIENTS
    r2 = r10
    r2 += CLIENT_KEY
    r3 = r10
    r3 += NEWCOMER
    r4 = 0
    call map_update_elem
    r1 = map CLIENTS
    r2 = r10
    r2 += CLIENT_KEY
    call map_lookup_elem
    if r0 == 0 goto up                  # no room for it: the socket may have some
@known:
    r9 = r0
    r7 = 0                              # is its network crowded?
"""

_IPV6_NETWORK = """
    r2 = *(u64 *)(r9 + CLIENT_COUNT)
    if r2 > 1 goto @affords             # it is remembered, and has only its own bucket
    r1 = map NETWORKS
    r2 = r10
    r2 += CLIENT_KEY                    # rules, and the first half of the address
    call map_lookup_elem
    r1 = *(u64 *)(r10 + NOW)
    r2 = value PARAMETERS
    r4 = *(u64 *)(r2 + EVERY_NETWORK)
    if r0 != 0 goto @network
    r4 += r1
    *(u64 *)(r10 + NEWCOMER) = r4
    r1 = map NETWORKS
    r2 = r10
    r2 += CLIENT_KEY
    r3 = r10
    r3 += NEWCOMER
    r4 = 0
    call map_update_elem
    goto @affords
@network:
    r3 = *(u64 *)(r0 + 0)               # when it will be full again
    if r3 > r1 goto @network_filling
    r4 += r1
    *(u64 *)(r0 + 0) = r4
    goto @affords
@network_filling:
    r3 -= r1
    r5 = *(u64 *)(r2 + SLACK)
    if r3 > r5 goto @crowded
    lock *(u64 *)(r0 + 0) += r4
    goto @affords
@crowded:
    r7 = 1
@affords:
"""

_CHARGE = """
    w3 = *(u8 *)(r10 + AT + NTP)
    w3 >>= 3
    w3 &= 7
    *(u64 *)(r9 + CLIENT_VERSION) = r3
    r1 = *(u64 *)(r10 + NOW)
    *(u64 *)(r9 + CLIENT_LAST) = r1
    r3 = 1
    lock *(u64 *)(r9 + CLIENT_COUNT) += r3
    r2 = value PARAMETERS
    r4 = *(u64 *)(r2 + EVERY)
    w3 = *(u32 *)(r10 + KEY)
    w3 &= SHARED
    if w3 == 0 goto @paced
    r4 = *(u64 *)(r2 + EVERY_NETWORK)
@paced:
    r3 = *(u64 *)(r9 + CLIENT_DUE)      # when its bucket will be full again
    if r3 > r1 goto @filling
    if r7 != 0 goto @beyond
    r4 += r1
    *(u64 *)(r9 + CLIENT_DUE) = r4      # two CPUs at once may charge it once
    goto @admitted
@filling:
    r3 -= r1
    r5 = *(u64 *)(r2 + SLACK)
    if r3 > r5 goto @beyond
    if r7 != 0 goto @beyond
    lock *(u64 *)(r9 + CLIENT_DUE) += r4
    goto @admitted
@beyond:                                # some of these are served all the same
    call get_prandom_u32
    w0 = w0
    r2 = value PARAMETERS
    r3 = *(u64 *)(r2 + LEAK)
    if r0 >= r3 goto @refuse
    r1 = *(u64 *)(r10 + NOW)
    r3 = r1
    r4 = *(u64 *)(r2 + LEAK_SLACK)
    r3 -= r4
    r4 = *(u64 *)(r9 + CLIENT_LEAK_DUE)
    if r4 > r3 goto @leaking
    r4 = r3
@leaking:
    if r4 > r1 goto @refuse
    r3 = *(u64 *)(r2 + LEAK_EVERY)
    r4 += r3
    *(u64 *)(r9 + CLIENT_LEAK_DUE) = r4
    goto @admitted
@refuse:
    r3 = 1
    lock *(u64 *)(r9 + CLIENT_LIMITED) += r3
    goto refuse
@admitted:
"""

_PLAIN = """
    w2 = *(u8 *)(r10 + AT + NTP)
    w2 &= 7
    if w2 != CLIENT goto up             # the mode
    w2 = *(u16 *)(r10 + AT + UDP + 4)
    if w2 != PACKET_UDP goto up         # a MAC, extension fields
    w2 = *(u16 *)(r10 + AT + UDP)
    if w2 == 0 goto up                  # no port to answer to
    r2 = *(u64 *)(r10 + AT + NTP + 24)
    if r2 != 0 goto up                  # an origin stamp: asks for the interleaved mode
"""

_TC_EXACT = """
    w2 = *(u32 *)(r6 + LENGTH)
    if w2 != FRAME goto up              # more than the packet
"""

_XDP_EXACT = """
    r2 = *(u32 *)(r6 + DATA)
    r2 += FRAME
    r3 = *(u32 *)(r6 + DATA_END)
    if r2 < r3 goto up                  # more than the packet
"""

_IPV4_PLAIN = """
    w2 = *(u16 *)(r10 + AT + 16)
    if w2 != PACKET_IPV4 goto up
"""

_IPV6_PLAIN = """
    w2 = *(u16 *)(r10 + AT + 18)
    if w2 != PACKET_UDP goto up
    w2 = *(u16 *)(r10 + AT + UDP + 6)
    if w2 == 0 goto up                  # IPv6 without a checksum
"""

_SAY = """
    *(u64 *)(r10 + CLIENT_AT) = r9
    r7 = value PARAMETERS
    r1 = *(u64 *)(r7 + SLOT)
    *(u64 *)(r10 + SEQUENCE) = r1
    r1 &= 1
    r1 *= SLOT_BYTES
    r7 += r1
    r7 += SLOTS
    r9 = *(u64 *)(r10 + NOW)
    r2 = *(u64 *)(r7 + SLOT_SINCE)
    r9 -= r2
    r2 = *(u64 *)(r7 + SLOT_LASTS)
    if r9 >= r2 goto up                 # too old: nobody tells us the time any more

    r1 = r10                            # out of the checksum with what was asked
    r1 += AT + NTP
    r2 = 48
    r3 = 0
    r4 = 0
    r5 = 0
    call csum_diff
    *(u64 *)(r10 + SUM) = r0

    w2 = *(u8 *)(r10 + AT + NTP)        # leap, version as asked, mode 4
    w2 &= 0x38
    w2 |= SERVER
    w3 = *(u8 *)(r7 + SLOT_LEAP)
    w2 |= w3
    *(u8 *)(r10 + AT + NTP) = r2
    w2 = *(u8 *)(r7 + SLOT_STRATUM)
    w3 = *(u32 *)(r8 + PLACE_STRATUM_LEAST)
    if w2 >= w3 goto @stratum
    w2 = w3
@stratum:
    *(u8 *)(r10 + AT + NTP + 1) = r2
    w2 = *(u8 *)(r7 + SLOT_PRECISION)   # the poll, between them, is as asked
    *(u8 *)(r10 + AT + NTP + 3) = r2
    w2 = *(u32 *)(r7 + SLOT_ROOT_DELAY)
    *(u32 *)(r10 + AT + NTP + 4) = r2
    r2 = *(u64 *)(r7 + SLOT_GROWTH)     # root dispersion: bound + growth x age, ns,
    r2 *= r9
    r2 >>= 32
    r3 = *(u64 *)(r7 + SLOT_BOUND)
    r2 += r3
    r2 += 1                             # rounded up,
    r2 <<= 16
    r2 += 999999999
    r2 /= 1000000000                    # in 2^-16 s
    r2 = be32 r2
    *(u32 *)(r10 + AT + NTP + 8) = r2
    w2 = *(u32 *)(r7 + SLOT_REFERENCE_ID)
    *(u32 *)(r10 + AT + NTP + 12) = r2
    r2 = *(u64 *)(r7 + SLOT_REFERENCE)
    *(u64 *)(r10 + AT + NTP + 16) = r2
    r2 = *(u64 *)(r10 + AT + NTP + 40)
    *(u64 *)(r10 + AT + NTP + 24) = r2  # origin: his transmit stamp

    r2 = *(u64 *)(r7 + SLOT_GAIN)       # T2 = stamp + 4 x age + gain x age / 2^32
    r2 *= r9
    r2 >>= 32
    r3 = r9
    r3 <<= 2
    r2 += r3
    r3 = *(u64 *)(r7 + SLOT_STAMP)
    r2 += r3
    r2 = be64 r2
    *(u64 *)(r10 + AT + NTP + 32) = r2

    r1 = 0                              # into the checksum with what is said
    r2 = 0
    r3 = r10
    r3 += AT + NTP
    r4 = 40                             # all but T3
    r5 = *(u64 *)(r10 + SUM)
    call csum_diff
    *(u64 *)(r10 + SUM) = r0
    *(u32 *)(r10 + ZERO) = 0            # COUNTERS has one entry, 0
    r1 = map COUNTERS
    r2 = r10
    r2 += ZERO
    call map_lookup_elem
    if r0 == 0 goto up
    r1 = *(u64 *)(r0 + ANSWERED)
    r1 += 1
    *(u64 *)(r0 + ANSWERED) = r1
    r1 = *(u64 *)(r10 + CLIENT_AT)
    r2 = 1
    lock *(u64 *)(r1 + CLIENT_ANSWERED) += r2

    call ktime_get_ns                   # T3 likewise, as late as can be
    r2 = *(u64 *)(r7 + SLOT_SINCE)
    r0 -= r2
    if r0 s>= r9 goto @later
    r0 = r9                             # not before T2
@later:
    r2 = *(u64 *)(r7 + SLOT_LASTS)
    if r0 >= r2 goto up
    r2 = *(u64 *)(r7 + SLOT_GAIN)
    r2 *= r0
    r2 >>= 32
    r0 <<= 2
    r2 += r0
    r3 = *(u64 *)(r7 + SLOT_STAMP)
    r2 += r3
    r2 = be64 r2
    *(u64 *)(r10 + AT + NTP + 40) = r2

    r2 = value PARAMETERS
    r2 = *(u64 *)(r2 + SLOT)
    r3 = *(u64 *)(r10 + SEQUENCE)
    r2 -= r3
    if r2 > 1 goto up                   # the slot was written anew meanwhile
    w2 = *(u32 *)(r10 + AT + NTP + 40)  # T3 into the checksum
    w3 = *(u32 *)(r10 + AT + NTP + 44)
    r9 = *(u64 *)(r10 + SUM)
    r9 += r2
    r9 += r3
    r2 = r9
    r2 >>= 32
    w9 = w9
    r9 += r2
    r2 = r9
    r2 >>= 32
    w9 = w9
    r9 += r2
"""

_TURN = """
    w2 = *(u16 *)(r10 + AT + UDP)       # ports
    w3 = *(u16 *)(r10 + AT + UDP + 2)
    *(u16 *)(r10 + AT + UDP) = r3
    *(u16 *)(r10 + AT + UDP + 2) = r2
    w0 = *(u16 *)(r10 + AT)             # MAC addresses
    w1 = *(u16 *)(r10 + AT + 2)
    w2 = *(u16 *)(r10 + AT + 4)
    w3 = *(u16 *)(r10 + AT + 6)
    w4 = *(u16 *)(r10 + AT + 8)
    w5 = *(u16 *)(r10 + AT + 10)
    *(u16 *)(r10 + AT) = r3
    *(u16 *)(r10 + AT + 2) = r4
    *(u16 *)(r10 + AT + 4) = r5
    *(u16 *)(r10 + AT + 6) = r0
    *(u16 *)(r10 + AT + 8) = r1
    *(u16 *)(r10 + AT + 10) = r2
"""

_IPV4_TURN = """
    w2 = *(u32 *)(r10 + AT + 26)        # addresses
    w3 = *(u32 *)(r10 + AT + 30)
    *(u32 *)(r10 + AT + 26) = r3
    *(u32 *)(r10 + AT + 30) = r2
    w2 = *(u16 *)(r10 + AT + 22)        # time to live: 64 again; RFC 1624, equation 3
    w2 ^= 0xffff
    w3 = *(u16 *)(r10 + AT + 24)
    w3 ^= 0xffff
    w2 += w3
    w2 += UDP_IPV4_TTL
    w3 = w2
    w3 >>= 16
    w2 &= 0xffff
    w2 += w3
    w3 = w2
    w3 >>= 16
    w2 += w3
    w2 ^= 0xffff
    *(u16 *)(r10 + AT + 24) = r2
    *(u16 *)(r10 + AT + 22) = UDP_IPV4_TTL
"""

_IPV6_TURN = """
    r2 = *(u64 *)(r10 + AT + 22)        # addresses
    r3 = *(u64 *)(r10 + AT + 30)
    r4 = *(u64 *)(r10 + AT + 38)
    r5 = *(u64 *)(r10 + AT + 46)
    *(u64 *)(r10 + AT + 22) = r4
    *(u64 *)(r10 + AT + 30) = r5
    *(u64 *)(r10 + AT + 38) = r2
    *(u64 *)(r10 + AT + 46) = r3
    *(u8 *)(r10 + AT + 21) = 64         # hop limit
"""

_TC_SEND = """
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += AT
    r4 = FRAME
    r5 = 0
    call skb_store_bytes
    if r0 != 0 goto up
    r1 = r6                             # also where the device is to complete the sum
    r2 = UDP + 6
    r3 = 0
    r4 = r9
    r5 = MARK_MANGLED_0
    call l4_csum_replace
    w1 = *(u32 *)(r6 + INTERFACE)
    r2 = 0
    call redirect                       # out by the interface it came in
    exit
"""

_XDP_SEND = """
    w2 = *(u16 *)(r10 + AT + UDP + 6)
    if w2 == 0 goto @summed              # it has none
    w2 ^= 0xffff
    w9 = w9
    r2 += r9
    r3 = r2
    r3 >>= 16
    r2 &= 0xffff
    r2 += r3
    r3 = r2
    r3 >>= 16
    r2 &= 0xffff
    r2 += r3
    r3 = r2
    r3 >>= 16
    r2 += r3
    w2 ^= 0xffff
    w2 &= 0xffff
    if w2 != 0 goto @changed
    w2 = 0xffff
@changed:
    *(u16 *)(r10 + AT + UDP + 6) = r2
@summed:
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += AT
    r4 = FRAME
    call xdp_store_bytes
    if r0 != 0 goto up
    r0 = TX
    exit
"""

_END = """
refuse:
    *(u32 *)(r10 + ZERO) = 0
    r1 = map COUNTERS
    r2 = r10
    r2 += ZERO
    call map_lookup_elem
    if r0 == 0 goto up
    r1 = *(u64 *)(r0 + REFUSED)
    r1 += 1
    *(u64 *)(r0 + REFUSED) = r1
    r0 = DROP
    exit
up:
    r0 = UP
    exit
"""


def tc_program(names: Mapping[str, int]) -> bytes:
    """For the tc hook. `names`: the descriptors of the six maps, PORT (as in the
    frame) and KINDS (a bit for each version and mode that is answered)."""
    text = _TC_BEGIN + _WHICH + _both(_TC_CAME, "", _TC_EXACT, _TC_SEND) + _END
    return assemble(text, {**_NAMES, **_TC, **names})


def xdp_program(names: Mapping[str, int]) -> bytes:
    """For the generic XDP hook; `names` as for the tc hook."""
    text = _XDP_BEGIN + _WHICH + _both("", _XDP_FOR_US, _XDP_EXACT, _XDP_SEND) + _END
    return assemble(text, {**_NAMES, **_XDP, **names})


def _both(came: str, for_us: str, exact: str, send: str) -> str:
    """The program between its beginning and its end, for IPv4, then for IPv6."""
    ipv4 = (
        *(_IPV4_OURS, _PORT, came, _OURS, _IPV4_TO, _PLACED, for_us, _IPV4_FROM),
        *(_LET_IN, _CHARGE, _PLAIN, exact, _IPV4_PLAIN, _TURN, _IPV4_TURN, _SAY, send),
    )
    ipv6 = (
        *(_IPV6_OURS, _PORT, came, _OURS, _IPV6_TO, _PLACED, for_us, _IPV6_FROM),
        *(_LET_IN, _IPV6_NETWORK, _CHARGE, _PLAIN, exact, _IPV6_PLAIN, _TURN),
        *(_IPV6_TURN, _SAY, send),
    )
    return _for_one("".join(ipv4), _IPV4) + _for_one("".join(ipv6), _IPV6)


def _for_one(text: str, offsets: Mapping[str, int]) -> str:
    """With labels (`@`) of its own and its own offsets."""
    text = text.replace("@", f"at{offsets['UDP']}_")
    return re.sub(
        rf"\b({'|'.join(offsets)})\b", lambda name: str(offsets[name[1]]), text
    )
