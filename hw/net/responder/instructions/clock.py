"""When the request came, what time that is, and T2 and T3 of the reply.

With a = NOW - SINCE of the statement, in ns, and GAIN = (2^-32 s per ns - 4) 2^32:

    T2 = STAMP + 4 a + GAIN a / 2^32
    T3 = T2 + 4 d + GAIN d / 2^32       d: from NOW until the reply is ready, ns

both in 2^-32 s, exact to that unit: a is less than LASTS, so less than 2^32 ns.
"""

from __future__ import annotations

from typing import Final

NOW: Final = """
    call ktime_get_ns
    *(u64 *)(r10 + NOW) = r0
"""

TC_CAME: Final = """
    call ktime_get_tai_ns               # NOW was then: back by the frame's age since
    r1 = *(u64 *)(r6 + STAMP)           # its stamp, of CLOCK_REALTIME. TAI is ahead
    if r1 == 0 goto @came               # of that by whole seconds, 0 or 37
    r0 -= r1
    r0 %= 1000000000
    if r0 > LONGEST_WAIT goto @came     # the clock was stepped in between
    r1 = *(u64 *)(r10 + NOW)
    r1 -= r0
    *(u64 *)(r10 + NOW) = r1
@came:
"""

STATEMENT: Final = """
    r7 = value PARAMETERS
    r1 = *(u64 *)(r7 + SEQUENCE)
    *(u64 *)(r10 + READ) = r1
    r1 &= 1
    r1 *= SLOT_BYTES
    r7 += r1
    r7 += SLOTS                         # the last slot written
    r1 = *(u64 *)(r10 + NOW)
    r2 = *(u64 *)(r7 + SLOT_SINCE)
    r1 -= r2
    *(u64 *)(r10 + AGE) = r1
    r2 = *(u64 *)(r7 + SLOT_LASTS)
    if r1 >= r2 goto up                 # too old, or the time is not synchronised
"""

T2: Final = """
    r2 = *(u64 *)(r7 + SLOT_GAIN)
    *(u64 *)(r10 + GAIN) = r2
    r3 = *(u64 *)(r10 + AGE)
    r2 *= r3
    r2 >>= 32
    r3 <<= 2
    r2 += r3
    r3 = *(u64 *)(r7 + SLOT_STAMP)
    r2 += r3
    *(u64 *)(r10 + T2) = r2
    r2 = be64 r2
    *(u64 *)(r10 + AT + NTP + 32) = r2
"""

UNCHANGED: Final = """
    r2 = value PARAMETERS
    r2 = *(u64 *)(r2 + SEQUENCE)
    r3 = *(u64 *)(r10 + READ)
    r2 -= r3
    if r2 > 1 goto up                   # the slot was written while it was read
"""

T3: Final = """
    call ktime_get_ns
    r1 = *(u64 *)(r10 + NOW)
    r0 -= r1
    if r0 s>= 0 goto @later
    r0 = 0                              # another CPU's clock may be ns behind
@later:
    r2 = *(u64 *)(r10 + GAIN)
    r2 *= r0
    r2 >>= 32
    r0 <<= 2
    r2 += r0
    r0 = *(u64 *)(r10 + T2)
    r2 += r0
    r2 = be64 r2
    *(u64 *)(r10 + AT + NTP + 40) = r2
"""
