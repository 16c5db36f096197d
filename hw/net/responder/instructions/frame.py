"""Which frames are requests to the port, and which of those are plain.

Until `COPY` the frame is read where it lies, from r2; afterwards from its copy on the
stack, from r10 + AT.
"""

from __future__ import annotations

from typing import Final

TC_BEGIN: Final = """
    r6 = r1
    w2 = *(u32 *)(r6 + PACKET_TYPE)
    if w2 != 0 goto up                  # not PACKET_HOST: a broadcast, another's
    w2 = *(u32 *)(r6 + VLAN_PRESENT)
    if w2 != 0 goto up                  # belongs to the VLAN's interface
"""

XDP_BEGIN: Final = """
    r6 = r1
"""

IP_VERSION: Final = """
    r2 = *(u32 *)(r6 + DATA)
    r3 = *(u32 *)(r6 + DATA_END)
    r4 = r2
    r4 += 62                            # the end of UDP over IPv6; over IPv4 no
    if r4 > r3 goto up                  # request is that short either
    w4 = *(u16 *)(r2 + 12)
    if w4 == ETHERTYPE_IPV4 goto ipv4
    if w4 == ETHERTYPE_IPV6 goto ipv6
    goto up
"""

IPV4_UDP: Final = """
ipv4:
    w4 = *(u8 *)(r2 + 14)
    if w4 != 0x45 goto up               # IP options
    w4 = *(u16 *)(r2 + 20)
    w4 &= FRAGMENT
    if w4 != 0 goto up
    w4 = *(u8 *)(r2 + 23)
    if w4 != 17 goto up                 # not UDP
"""

IPV6_UDP: Final = """
ipv6:
    w4 = *(u8 *)(r2 + 14)
    w4 &= 0xf0
    if w4 != 0x60 goto up
    w4 = *(u8 *)(r2 + 20)
    if w4 != 17 goto up                 # not UDP, or behind extension headers
"""

TO_THE_PORT: Final = """
    w4 = *(u16 *)(r2 + UDP + 2)
    if w4 != PORT goto up
"""

COPY: Final = """
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += AT
    r4 = FRAME
    call load_bytes
    if r0 != 0 goto up                  # shorter than with an NTP header
"""

PLAIN: Final = """
    w2 = *(u8 *)(r10 + AT + NTP)
    w2 &= 7
    if w2 != CLIENT goto up             # the mode
    w2 = *(u16 *)(r10 + AT + UDP + 4)
    if w2 != PACKET_UDP goto up         # a MAC or extension fields
    w2 = *(u16 *)(r10 + AT + UDP)
    if w2 == 0 goto up                  # source port 0
    r2 = *(u64 *)(r10 + AT + NTP + 24)
    if r2 != 0 goto up                  # an origin timestamp: interleaved mode
"""

TC_NO_MORE: Final = """
    w2 = *(u32 *)(r6 + LENGTH)
    if w2 != FRAME goto up              # bytes behind the packet
"""

XDP_NO_MORE: Final = """
    r2 = *(u32 *)(r6 + DATA)
    r2 += FRAME
    r3 = *(u32 *)(r6 + DATA_END)
    if r2 < r3 goto up                  # bytes behind the packet
"""

IPV4_PLAIN: Final = """
    w2 = *(u16 *)(r10 + AT + 16)
    if w2 != PACKET_IPV4 goto up        # total length
"""

IPV6_PLAIN: Final = """
    w2 = *(u16 *)(r10 + AT + 18)
    if w2 != PACKET_UDP goto up         # payload length
    w2 = *(u16 *)(r10 + AT + UDP + 6)
    if w2 == 0 goto up                  # no checksum, which IPv6 requires
"""
