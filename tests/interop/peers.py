"""Other people's clients and how they authenticate: run by test_peers, shown in README.

`python -m tests.interop.peers` draws the table into the README.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

README: Final = Path(__file__).parents[2] / "README.md"
_BEGIN: Final = "```text interop\n"
_END: Final = "```\n"
KEY_TYPES: Final = ("MD5", "SHA1", "SHA256", "SHA512", "AES128", "AES256")
"""In the order of their numbers in the keys of the tests."""


@dataclass(frozen=True, slots=True)
class Case:
    """One client that believes us, over one proof."""

    program: str
    shown: str
    debian: int
    proof: str
    option: str = ""
    """Of chronyd's `server` directive."""
    aead: int = 0
    """Of NTS; 0: without."""

    def __str__(self) -> str:
        return f"{self.shown} {self.proof}"


def _chronyd(debian: int, version: str, aeads: tuple[int, ...]) -> list[Case]:
    who = "chronyd", f"chronyd {version} (Debian {debian})", debian
    keys = enumerate(KEY_TYPES, 1)
    return [
        Case(*who, "none"),
        Case(*who, "none, interleaved", "xleave"),
        *(Case(*who, f"key {kind}", f"key {number}") for number, kind in keys),
        *(Case(*who, f"NTS, AEAD {aead}", aead=aead) for aead in aeads),
    ]


_NTPD_RS: Final = "ntp-daemon", "ntpd-rs 1.4.0 (Debian 13)", 13
CASES: Final = (
    *_chronyd(12, "4.3", (15,)),
    *_chronyd(13, "4.6.1", (15, 30)),
    Case(*_NTPD_RS, "none"),
    Case(*_NTPD_RS, "NTS, AEAD 15", aead=15),
)


def table() -> str:
    """A column a client, a line a proof; `x`: tested, `-`: the client lacks it."""
    clients = list(dict.fromkeys(case.shown for case in CASES))
    proofs = list(dict.fromkeys(case.proof for case in CASES))
    tested = {(case.shown, case.proof) for case in CASES}
    width = max(map(len, proofs))
    lines = [" " * width + "  " + "  ".join(clients)]
    for proof in proofs:
        marks = (
            ("x" if (client, proof) in tested else "-").ljust(len(client))
            for client in clients
        )
        lines.append(f"{proof:<{width}}  {'  '.join(marks)}".rstrip())
    return "\n".join([*lines, ""])


def drawn_into(readme: str) -> str:
    """The README's text with the table of today in its place."""
    before, found, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not found or not end:
        raise ValueError(f"README.md has no block {_BEGIN.strip()!r}")
    return before + _BEGIN + table() + _END + after


if __name__ == "__main__":
    README.write_text(drawn_into(README.read_text()))
