"""Everything that may stand among a receiver's sentences, by its form.

    RMC, GGA ...        a sentence as the standard has it
    UBX-NAV-PVT ...     a binary message
    $..., or any text   a template: `{hhmmss}` and its likes are filled in
    hex:B562...         these bytes, as they are

A template that begins with `$` and has no `*` gets its checksum and line end. One that
has a `*` writes its own, as `*{sum:X}` (without a leading zero) or `*{sum:02x}`.
"""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from typing import Final

from hw.emu.gnss.frames import FRAMES
from hw.emu.gnss.sentences import WRITERS, FixState, sealed, write
from refclock.timebase import SECOND, Utc

_HEX: Final = "hex:"
_TEMPLATE: Final = frozenset("${%!:,")
"""What holds one of these is no misspelt name of a form."""


def written(form: str, talker: str, report: FixState) -> list[bytes]:
    """What is said in that form. ValueError: no such form, or not a template."""
    if form in WRITERS:
        return write(form, talker, report)
    if form in FRAMES:
        return [FRAMES[form](report)]
    if form.startswith(_HEX):
        return [bytes.fromhex(form.removeprefix(_HEX))]
    if not _TEMPLATE & set(form):
        known = [*WRITERS, *FRAMES]
        near = difflib.get_close_matches(form, known, 1)
        told = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"{form!r} is no form of sentence; {told}")
    return [_filled(form, talker, report)]


def _filled(template: str, talker: str, report: FixState) -> bytes:
    fields = _fields(talker, report)
    body, star, rest = template.partition("*")
    try:
        text = body.format_map(fields)
        raw = text.encode("latin-1")
        fields["sum"] = reduce(xor, raw[1:], 0)
        tail = (star + rest).format_map(fields).encode("latin-1")
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(
            f"{template!r}: {error} cannot be filled in; known: {', '.join(fields)}"
        ) from error
    if star:
        return raw + tail + b"\r\n"
    return sealed(text[1:]) if text.startswith("$") else raw


def _fields(talker: str, report: FixState) -> dict[str, str | int]:
    utc = report.utc or Utc(0)
    at = datetime.fromtimestamp(utc.ns // SECOND.ns, UTC)
    return {
        "talker": talker,
        "hhmmss": f"{at:%H%M%S}",
        "hmmss": f"{at:%H%M%S}".lstrip("0") or "0",
        "cc": f"{utc.ns % SECOND.ns // 10_000_000:02d}",
        "ddmmyy": f"{at:%d%m%y}",
        "day": f"{at:%d}",
        "month": f"{at:%m}",
        "year": f"{at.year:04d}",
        "status": "A" if report.fixed else "V",
        "mode": report.mode,
        "quality": 1 if report.fixed else 0,
        "sum": 0,
    }


def with_field(sentence: bytes, number: int, text: str) -> bytes:
    """The sentence with `text` in its field of that number, the checksum right."""
    fields = sentence[1:].split(b"*")[0].split(b",")
    if number >= len(fields):
        return sentence
    fields[number] = text.encode("latin-1")
    return sealed(b",".join(fields).decode("latin-1"))
