"""The reply: the request's copy turned round, its header, its checksum, its way out.

The UDP checksum is not computed but changed by the difference between the NTP packets:
a request damaged on its way becomes a reply as damaged. The ports and the addresses
only change places, which leaves the sum as it is.
"""

from __future__ import annotations

from typing import Final

TURN: Final = """
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

IPV4_TURN: Final = """
    w2 = *(u32 *)(r10 + AT + 26)        # addresses
    w3 = *(u32 *)(r10 + AT + 30)
    *(u32 *)(r10 + AT + 26) = r3
    *(u32 *)(r10 + AT + 30) = r2
    w2 = *(u16 *)(r10 + AT + 22)        # time to live 64; RFC 1624, equation 3
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

IPV6_TURN: Final = """
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

SUM_OUT: Final = """
    r1 = r10                            # the request's NTP packet, subtracted
    r1 += AT + NTP
    r2 = 48
    r3 = 0
    r4 = 0
    r5 = 0
    call csum_diff
    *(u64 *)(r10 + SUM) = r0
"""

HEADER: Final = """
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
    r2 = *(u64 *)(r7 + SLOT_GROWTH)     # root dispersion: BOUND + GROWTH x AGE, ns,
    r3 = *(u64 *)(r10 + AGE)
    r2 *= r3
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
    *(u64 *)(r10 + AT + NTP + 24) = r2  # origin: the request's transmit timestamp
"""

SUM_IN: Final = """
    r1 = 0                              # the reply's, but for T3, added
    r2 = 0
    r3 = r10
    r3 += AT + NTP
    r4 = 40
    r5 = *(u64 *)(r10 + SUM)
    call csum_diff
    *(u64 *)(r10 + SUM) = r0
"""

COUNT: Final = """
    r2 = 1
    lock *(u64 *)(r9 + CLIENT_ANSWERED) += r2
    *(u32 *)(r10 + ZERO) = 0
    r1 = map COUNTERS
    r2 = r10
    r2 += ZERO
    call map_lookup_elem
    if r0 == 0 goto @counted
    r1 = *(u64 *)(r0 + ANSWERED)
    r1 += 1
    *(u64 *)(r0 + ANSWERED) = r1
@counted:
"""

SUM_T3: Final = """
    w2 = *(u32 *)(r10 + AT + NTP + 40)
    w3 = *(u32 *)(r10 + AT + NTP + 44)
    r9 = *(u64 *)(r10 + SUM)
    r9 += r2
    r9 += r3
    r2 = r9                             # below 2^34; folded, below 2^19
    r2 >>= 16
    r9 &= 0xffff
    r9 += r2
"""

TC_STORE: Final = """
    r1 = r6                             # all but T3: what takes long is done before it,
    r2 = 0                              # as is copying the frame if it is cloned
    r3 = r10
    r3 += AT
    r4 = FRAME
    r5 = 0
    call skb_store_bytes
    if r0 != 0 goto up
    r1 = r6                             # also where the device is to complete the sum
    r2 = UDP + 6
    r3 = 0
    r4 = *(u64 *)(r10 + SUM)
    r5 = MARK_MANGLED_0                 # "no checksum" stays what it is
    call l4_csum_replace
    *(u64 *)(r10 + SUM) = 0
    w1 = *(u32 *)(r6 + INTERFACE)
    r2 = 0
    call redirect                       # once this ends, by the interface it came in
"""

TC_SEND: Final = """
    r1 = r6
    r2 = NTP + 40
    r3 = r10
    r3 += AT + NTP + 40
    r4 = 8
    r5 = 0
    call skb_store_bytes
    r1 = r6
    r2 = UDP + 6
    r3 = 0
    r4 = r9
    r5 = MARK_MANGLED_0
    call l4_csum_replace
    r0 = REDIRECT
    exit
"""

XDP_SUM: Final = """
    w2 = *(u16 *)(r10 + AT + UDP + 6)
    if w2 == 0 goto @summed             # it has no checksum
    w2 ^= 0xffff
    r2 += r9
    r3 = r2                             # below 2^20; folded, below 2^16 + 2^4
    r3 >>= 16
    r2 &= 0xffff
    r2 += r3
    r3 = r2
    r3 >>= 16
    r2 += r3
    r2 ^= 0xffff
    r2 &= 0xffff
    if r2 != 0 goto @changed
    r2 = 0xffff                         # 0 would mean that there is none
@changed:
    *(u16 *)(r10 + AT + UDP + 6) = r2
@summed:
"""

XDP_SEND: Final = """
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
