"""Frozen dataclasses as plain values and as JSON text, and back. One for all.

    settings (plain values of TOML), state, recordings, control answers, workers

The type is the schema: fields, `Annotated` with `Range`, `Decimals` or `Form`,
`Literal`, enumerations, tuples, mappings by text, optional values and unions of
dataclasses, which a key `is` distinguishes. Instants and durations are written
in whole nanoseconds under a key that ends in `_ns`.

What comes in is refused whole, with the path of every fault: unknown, missing and
doubled keys, another type, a value out of range, NaN and infinity, an integer that
does not fit into 64 bits. What `encode` writes, `decode` reads.
"""

from refclock.codec.documents import decode, dumps, encode, loads, parsed
from refclock.codec.faults import CodecError, Fault, Path, dotted

__all__ = [
    "CodecError",
    "Fault",
    "Path",
    "decode",
    "dotted",
    "dumps",
    "encode",
    "loads",
    "parsed",
]
