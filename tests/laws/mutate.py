"""Documents damaged as disks, editors and attackers damage them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
EXTREMES = (
    *(b"0 -1 1 NaN Infinity -Infinity nan inf 1e400 -1e308 5e-324 1e-320 0.0".split()),
    *(
        str(sign * 2**power + near).encode()
        for sign in (1, -1)
        for near in (-1, 0, 1)
        for power in (31, 32, 62, 63, 64)
    ),
    b"9" * 5_000,
    b"true",
    b"null",
    b'""',
    b"[]",
    b"{}",
    b'"\\u001b[2J"',
    b'"\\ud800"',
)
SIGNS = (
    b'{ } [ ] [[ ]] " """ \' , : = # \n \r \0 \\ \\u \xff \xef\xbb\xbf \xe2\x80\x9c is'
)
PIECES = (
    *SIGNS.split(b" "),
    b"[" * 3_000,
    b'{"a":' * 3_000,
    b"0x" + b"f" * 5_000,
    b"1979-02-30",
    b"version",
    b"\x1b]0;x\x07",
)


def mutated(documents: Sequence[bytes], chance: random.Random) -> bytes:
    """One of `documents`, damaged in one to four places."""
    document = bytearray(chance.choice(documents))
    for _ in range(chance.randrange(1, 5)):
        damage = chance.randrange(7)
        at = chance.randrange(len(document) + 1)
        if damage == 0:
            found = list(NUMBER.finditer(document))
            if found:
                start, end = chance.choice(found).span()
                document[start:end] = chance.choice(EXTREMES)
        elif damage == 1:
            document[at : at + chance.randrange(1, 9)] = b""
        elif damage == 2:
            document[at:at] = chance.choice(PIECES)
        elif damage == 3 and document:
            document[at % len(document)] ^= 1 << chance.randrange(8)
        elif damage == 4:
            document[at:] = b""
        elif damage == 5:
            other = chance.choice(documents)
            begin = chance.randrange(len(other) + 1)
            document[at : at + 40] = other[begin : begin + 80]
        else:
            lines = bytes(document).split(b"\n")
            chance.shuffle(lines)
            document[:] = b"\n".join(lines)
    return bytes(document)
