"""What the responder's program and this process share: the entries of the BPF maps.

Offsets are in bytes; all numbers are in the machine's byte order except addresses
and the parts of a reply, which are in network order.

    PARAMETERS  array, 1     the pace, and two slots with a statement of the time each
    PLACES      hash         interface and address of ours -> a place
    RULES       LPM trie     number of a rule set and a network of hosts -> a rule
    CLIENTS     LRU hash     number of a rule set and a host -> token buckets, counts
    NETWORKS    LRU hash     number of a rule set and an IPv6 /64 -> its token bucket
    COUNTERS    per CPU, 1   requests answered and refused
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple


class Entry(NamedTuple):
    """The layout of a map's key or value."""

    at: Mapping[str, int]
    """Offset by field."""
    struct: struct.Struct


def _entry(**fields: str) -> Entry:
    """Fields in order, each with its format; a name that begins with `_` is padding."""
    at, size = {}, 0
    for name, form in fields.items():
        at[name] = size
        size += struct.calcsize(f"={form}")
    named = {name: offset for name, offset in at.items() if not name.startswith("_")}
    return Entry(named, struct.Struct("=" + "".join(fields.values())))


ADDRESS_KEY: Final = _entry(WORD="I", ADDRESS="16s")
"""Key of PLACES (WORD: the interface's index) and of CLIENTS (the rule set's number).
IPv4 addresses are IPv4-mapped."""
PREFIX_KEY: Final = _entry(LENGTH="I", WORD="I", ADDRESS="16s")
"""Key of RULES; LENGTH: bits that count, those of WORD among them."""
NETWORK_KEY: Final = _entry(WORD="I", ADDRESS="8s")
PLACE: Final = _entry(RULES="I", STRATUM_LEAST="I", _="2x", MAC="6s")
"""RULES: the number of the rule set that holds there; MAC: the interface's address."""
RULE: Final = _entry(BITS="I")
ALLOWED, SHARED = 1, 2
"""BITS of a rule: the host is answered; its address stands for many hosts."""
CLIENT: Final = _entry(
    DUE="Q",  # when its token bucket is full again, CLOCK_MONOTONIC, ns
    LEAK_DUE="Q",  # the same of the bucket for requests beyond its pace
    LAST="Q",  # when its last request came, CLOCK_MONOTONIC, ns
    COUNT="Q",  # requests
    ANSWERED="Q",
    LIMITED="Q",  # refused for its pace
    VERSION="Q",  # NTP version of the last request
    RULE="Q",  # BITS of the rule that let it in
)
NETWORK: Final = _entry(DUE="Q")
COUNTED: Final = _entry(ANSWERED="Q", REFUSED="Q")
SLOT: Final = _entry(
    SINCE="Q",  # CLOCK_MONOTONIC, ns
    LASTS="Q",  # for so long after SINCE requests are answered, ns, below 2^32
    STAMP="Q",  # NTP timestamp at SINCE, 2^-32 s
    GAIN="Q",  # its rate: 2^-32 s per ns, minus 4, times 2^32
    BOUND="Q",  # root dispersion at SINCE, ns
    GROWTH="Q",  # its rate: ns per ns, times 2^32
    HEADER="24s",  # the first bytes of a reply: leap, 0, 0, stratum ... reference
)
HEADER: Final = {
    name: SLOT.at["HEADER"] + at
    for name, at in {
        "LEAP": 0,
        "STRATUM": 1,
        "PRECISION": 3,
        "ROOT_DELAY": 4,
        "REFERENCE_ID": 12,
        "REFERENCE": 16,
    }.items()
}
PACE: Final = _entry(
    EVERY="Q",  # a host's bucket gains a request, ns
    EVERY_NETWORK="Q",  # that of a /64, or of an address in `shared`, ns
    SLACK="Q",  # size of a bucket, ns
    LEAK="Q",  # share of requests beyond the pace that is answered, times 2^32
    LEAK_EVERY="Q",  # and their pace from one host, ns
    LEAK_SLACK="Q",  # and the size of the bucket for that, ns
)
PARAMETERS: Final = _entry(
    SEQUENCE="Q",  # statements written; the last is in slot SEQUENCE modulo 2
    PACE=f"{PACE.struct.size}s",
    SLOTS=f"{2 * SLOT.struct.size}s",
)

NAMES: Final = {
    **{f"PLACE_{name}": at for name, at in PLACE.at.items()},
    **{f"CLIENT_{name}": at for name, at in CLIENT.at.items()},
    **{f"SLOT_{name}": at for name, at in SLOT.at.items()},
    **{f"SLOT_{name}": at for name, at in HEADER.items()},
    **{name: PARAMETERS.at["PACE"] + at for name, at in PACE.at.items()},
    **PARAMETERS.at,
    **COUNTED.at,
    "SLOT_BYTES": SLOT.struct.size,
    "ALLOWED": ALLOWED,
    "SHARED": SHARED,
}
"""The same as names for the assembler."""
