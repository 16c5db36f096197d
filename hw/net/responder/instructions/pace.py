"""Token buckets: is the host within its pace?

A bucket is the time when it will be full again, DUE: a request adds an interval to it,
and is within the pace if DUE is at most SLACK ahead of NOW. The bucket is charged for
every request to the port that the rules let in, plain or not, so that a host has one
pace, whether the kernel answers it or the socket does.
"""

from __future__ import annotations

from typing import Final

NO_NETWORK: Final = """
    r7 = 0
"""

IPV6_NETWORK: Final = """
    r7 = 0                              # 1: the bucket of its /64 is empty
    r2 = *(u64 *)(r9 + CLIENT_COUNT)
    if r2 > 1 goto @within              # hosts that come back have only their own
    r1 = map NETWORKS
    r2 = r10
    r2 += KEY + 4                       # the rule set, the address's first half
    call map_lookup_elem
    r1 = *(u64 *)(r10 + NOW)
    r2 = value PARAMETERS
    r4 = *(u64 *)(r2 + EVERY_NETWORK)
    if r0 != 0 goto @network
    r4 += r1
    *(u64 *)(r10 + NEWCOMER) = r4
    r1 = map NETWORKS
    r2 = r10
    r2 += KEY + 4
    r3 = r10
    r3 += NEWCOMER
    r4 = NOEXIST
    call map_update_elem
    goto @within
@network:
    r3 = *(u64 *)(r0 + 0)               # DUE
    if r3 > r1 goto @network_filling
    r4 += r1
    *(u64 *)(r0 + 0) = r4
    goto @within
@network_filling:
    r3 -= r1
    r5 = *(u64 *)(r2 + SLACK)
    if r3 > r5 goto @crowded
    lock *(u64 *)(r0 + 0) += r4
    goto @within
@crowded:
    r7 = 1
@within:
"""

CHARGE: Final = """
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
    r3 = *(u64 *)(r9 + CLIENT_RULE)
    w3 &= SHARED
    if w3 == 0 goto @paced
    r4 = *(u64 *)(r2 + EVERY_NETWORK)
@paced:
    r3 = *(u64 *)(r9 + CLIENT_DUE)
    if r3 > r1 goto @filling
    if r7 != 0 goto @beyond
    r4 += r1
    *(u64 *)(r9 + CLIENT_DUE) = r4      # two CPUs at the same time may charge once
    goto @admitted
@filling:
    r3 -= r1
    r5 = *(u64 *)(r2 + SLACK)
    if r3 > r5 goto @beyond
    if r7 != 0 goto @beyond
    lock *(u64 *)(r9 + CLIENT_DUE) += r4
    goto @admitted
@beyond:                                # a share is answered, at a pace of its own
    call get_prandom_u32
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

REFUSE: Final = """
refuse:
    *(u32 *)(r10 + ZERO) = 0
    r1 = map COUNTERS
    r2 = r10
    r2 += ZERO
    call map_lookup_elem
    if r0 == 0 goto drop
    r1 = *(u64 *)(r0 + REFUSED)
    r1 += 1
    *(u64 *)(r0 + REFUSED) = r1
drop:
    r0 = DROP
    exit
"""
