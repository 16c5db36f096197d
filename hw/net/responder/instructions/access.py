"""Is the request addressed to a place where we answer, from a host that may ask?

r8 becomes the entry of PLACES, r9 that of CLIENTS. The rules are looked up for hosts
without an entry only: an entry exists for hosts that were let in by the rule set whose
number is in its key, and each set of rules has a number of its own.
"""

from __future__ import annotations

from typing import Final

IPV4_PLACE: Final = """
    w7 = *(u32 *)(r6 + INTERFACE)
    *(u32 *)(r10 + KEY + 4) = r7
    *(u64 *)(r10 + KEY + 8) = 0
    *(u32 *)(r10 + KEY + 16) = MAPPED
    w2 = *(u32 *)(r10 + AT + 30)
    *(u32 *)(r10 + KEY + 20) = r2
    r1 = map PLACES
    r2 = r10
    r2 += KEY + 4
    call map_lookup_elem
    if r0 != 0 goto @placed
    w2 = *(u8 *)(r10 + AT + 30)
    if w2 != 127 goto up                # not an address of ours
    *(u32 *)(r10 + KEY + 20) = IPV4_LOOPBACK
    r1 = map PLACES
    r2 = r10
    r2 += KEY + 4
    call map_lookup_elem
    if r0 == 0 goto up
@placed:
    r8 = r0
    w2 = *(u32 *)(r8 + PLACE_RULES)
    *(u32 *)(r10 + KEY + 4) = r2
"""

IPV6_PLACE: Final = """
    w7 = *(u32 *)(r6 + INTERFACE)
    *(u32 *)(r10 + KEY + 4) = r7
    r2 = *(u64 *)(r10 + AT + 38)
    *(u64 *)(r10 + KEY + 8) = r2
    r2 = *(u64 *)(r10 + AT + 46)
    *(u64 *)(r10 + KEY + 16) = r2
    r1 = map PLACES
    r2 = r10
    r2 += KEY + 4
    call map_lookup_elem
    if r0 == 0 goto up                  # not an address of ours
    r8 = r0
    w2 = *(u32 *)(r8 + PLACE_RULES)
    *(u32 *)(r10 + KEY + 4) = r2
"""

XDP_FOR_US: Final = """
    w2 = *(u16 *)(r10 + AT)
    w3 = *(u16 *)(r8 + PLACE_MAC)
    if w2 != w3 goto up                 # a broadcast, or another host's frame
    w2 = *(u32 *)(r10 + AT + 2)
    w3 = *(u32 *)(r8 + PLACE_MAC + 2)
    if w2 != w3 goto up
"""

IPV4_HOST: Final = """
    w2 = *(u8 *)(r10 + AT + 26)
    if w2 == 0 goto up                  # 0/8 is no host
    if w2 >= 224 goto up                # multicast, broadcast
    if w2 != 127 goto @host
    if w7 != LOOPBACK goto up           # a loopback address from outside
@host:
    w2 = *(u32 *)(r10 + AT + 26)        # the key's bytes before it are as they were
    *(u32 *)(r10 + KEY + 20) = r2
"""

IPV6_HOST: Final = """
    w2 = *(u8 *)(r10 + AT + 22)
    if w2 == 0xff goto up               # multicast
    r2 = *(u64 *)(r10 + AT + 22)
    r3 = *(u64 *)(r10 + AT + 30)
    if r2 != 0 goto @host
    if w7 != LOOPBACK goto up           # ::, ::1 or IPv4-mapped, from outside
    r4 = IPV6_LOOPBACK ll
    if r3 != r4 goto up                 # on loopback only ::1
@host:
    *(u64 *)(r10 + KEY + 8) = r2
    *(u64 *)(r10 + KEY + 16) = r3
"""

LET_IN: Final = """
    w4 = *(u8 *)(r10 + AT + NTP)
    r2 = KINDS ll                       # a bit for each version and mode answered:
    r2 >>= r4                           # a shift takes 6 bits, so not the leap's
    w2 &= 1
    if w2 == 0 goto up
    r1 = map CLIENTS
    r2 = r10
    r2 += KEY + 4
    call map_lookup_elem
    if r0 != 0 goto @known
    *(u32 *)(r10 + KEY) = ALL_BITS
    r1 = map RULES
    r2 = r10
    r2 += KEY
    call map_lookup_elem
    if r0 == 0 goto up                  # in no rule's network
    w2 = *(u32 *)(r0 + 0)
    *(u64 *)(r10 + NEWCOMER + CLIENT_RULE) = r2
    w2 &= ALLOWED
    if w2 == 0 goto up
    r2 = *(u64 *)(r10 + NOW)
    *(u64 *)(r10 + NEWCOMER + CLIENT_DUE) = r2
    *(u64 *)(r10 + NEWCOMER + CLIENT_LEAK_DUE) = r2
    *(u64 *)(r10 + NEWCOMER + CLIENT_LAST) = r2
    *(u64 *)(r10 + NEWCOMER + CLIENT_COUNT) = 0
    *(u64 *)(r10 + NEWCOMER + CLIENT_ANSWERED) = 0
    *(u64 *)(r10 + NEWCOMER + CLIENT_LIMITED) = 0
    *(u64 *)(r10 + NEWCOMER + CLIENT_VERSION) = 0
    r1 = map CLIENTS
    r2 = r10
    r2 += KEY + 4
    r3 = r10
    r3 += NEWCOMER
    r4 = NOEXIST                        # unless another CPU has just done so
    call map_update_elem
    r1 = map CLIENTS
    r2 = r10
    r2 += KEY + 4
    call map_lookup_elem
    if r0 == 0 goto up                  # the map is full: the socket decides
@known:
    r9 = r0
"""
