"""`refclock decode`: what a recorded receiver sent, and what is irregular in it."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Final

from refclock.cli import cause, complain, say
from refclock.diagnose.protocols import way_back
from refclock.diagnose.stream import EpochRow, StreamReport

HELP: Final = "explain what a recorded receiver sent: bytes from a file"

_BLOCK: Final = 1 << 16
_RECORDED: Final = re.compile(r"^recorded:\s*(\d{4}-\d\d-\d\d)", re.MULTILINE)
_DAMAGE: Final = 0.01
"""More than this share of sentences refused is not chance."""
_DAMAGED: Final = "noise, a line too slow, or two programs reading one port"
_WORDS: Final = {
    "time_went_back": "time went back",
    "date_jump": "the date jumped",
    "same_second_sent_twice": "a second was sent twice",
    "epoch_repeated": "an epoch was repeated",
    "gap": "a hole in time",
    "two_dates_in_epoch": "two dates for one moment",
    "status_contradicts_quality": "one sentence has a fix, another has none",
    "second_60": "second 60: a leap second",
    "midnight_ok": "midnight, date and time turned together",
    "midnight_without_date": "midnight, and no date to turn with it",
    "date_is_week_epoch": "a date at which a week counter starts",
    "date_before_gps_service": "a date before there was GPS time",
    "week_number_rollover": "a date 1024 weeks off: the week counter rolled over",
    "date_far_from_declared": "a date far from when it was recorded",
}


class ReadError(Exception):
    """The recording cannot be read: an error of its own, as printing has others."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="bytes of a receiver")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--recorded",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="when it was recorded, to judge its dates by"
        " (default: the line `recorded: DATE` in FILE.header.txt, if there is one)",
    )


def run(args: argparse.Namespace) -> int:
    """Decode the file and print what is in it."""
    report = StreamReport(args.recorded or _recorded(args.file))
    try:
        if args.json:
            _print_json(args.file, report)
        else:
            for _ in _rows(args.file, report):
                pass
            say(_lines(args.file, report))
    except ReadError as error:
        complain("decode", str(error))
        return 1
    return 0


def _recorded(file: Path) -> date | None:
    try:
        header = Path(f"{file}.header.txt").read_text("utf-8", "replace")
    except OSError:
        return None
    found = _RECORDED.search(header)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _rows(file: Path, report: StreamReport) -> Iterator[EpochRow]:
    for block in _blocks(file):
        yield from report.feed(block)
    yield from report.finish()


def _blocks(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
    except OSError as error:
        raise ReadError(cause(error, file)) from error


def _print_json(file: Path, report: StreamReport) -> None:
    """Epochs are printed as they come, so that a long file needs no memory."""
    rows = _rows(file, report)
    first = next(rows, None)  # a file that cannot be opened prints nothing
    print('{"epoch_list": [')
    if first is not None:
        print(json.dumps(asdict(first)), end="")
    for row in rows:
        print(",\n" + json.dumps(asdict(row)), end="")
    print("\n],", json.dumps(_summary(report), indent=1)[1:])


def _summary(report: StreamReport) -> dict[str, object]:
    first, last = report.valid_utc or (None, None)
    ubx_first, ubx_last = report.ubx_utc or (None, None)
    history = report.history
    return {
        "bytes": report.bytes,
        "receiver": report.names,
        "valid": report.types.total(),
        "valid_by_type": dict(sorted(report.types.items())),
        "rejected": report.rejected.total(),
        "rejected_by_reason": dict(sorted(report.rejected.items())),
        "fields_unreadable": report.unreadable,
        "binary_frames": dict(sorted(report.frames.items())),
        "texts": dict(report.texts),
        "epochs": history.epochs,
        "epoch_step_s": history.nominal and history.nominal.seconds,
        "fix_states": dict(sorted(report.fixes.items())),
        "first_valid_utc": first,
        "last_valid_utc": last,
        "ubx_first_valid_utc": ubx_first,
        "ubx_last_valid_utc": ubx_last,
        "anomaly_counts": dict(sorted(history.counts.items())),
        "anomalies": [
            {name: value for name, value in asdict(odd).items() if value is not None}
            for odd in history.anomalies
        ],
    }


def _lines(file: Path, report: StreamReport) -> Iterator[str]:
    history = report.history
    yield f"{file}: {report.bytes} bytes"
    yield f"receiver   {'; '.join(report.names) or 'does not say what it is'}"
    yield f"sentences  {report.types.total()} good{_listed(report.types)}"
    if report.rejected:
        yield f"refused    {report.rejected.total()}{_listed(report.rejected)}"
    if report.unreadable:
        yield f"unreadable {report.unreadable} with a good checksum and a bad field"
    if report.frames:
        yield f"binary     {report.frames.total()} frames{_listed(report.frames)}"
    step = f" every {history.nominal.seconds:g} s" if history.nominal else ""
    yield f"epochs     {history.epochs}{step}{_listed(report.fixes)}"
    for source, utc in ("time", report.valid_utc), ("UBX time", report.ubx_utc):
        if utc is not None:
            yield f"{source:<10} {utc[0]} to {utc[1]}"
    for kind, count in history.counts.items():
        first = next(odd for odd in history.anomalies if odd.type == kind)
        where = "" if first.epoch is None else f"epoch {first.epoch}, "
        yield f"odd        {_WORDS[kind]}: {count} (first: {where}{first.detail})"
    for advice in _advice(report):
        yield f"-> {advice}"


def _without_sentences(report: StreamReport) -> Iterator[str]:
    """Another protocol, a wrong speed, or nothing at all."""
    speaks = sorted({name.split("-")[0] for name in report.frames})
    if speaks:
        yield f"no sentences: the receiver speaks {' and '.join(speaks)} only"
        for name in speaks:
            yield f"{name}: {way_back(name)}"
    elif report.rejected:
        yield "nothing decodes, though sentences come: noise, or two on one line"
    elif report.bytes:
        yield "nothing decodes, and no other protocol is recognised: a wrong speed"
    else:
        yield "nothing decodes, for there is nothing: no receiver, or a wire amiss"


def _listed(counts: dict[str, int]) -> str:
    listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f" ({listed})" if listed else ""


def _advice(report: StreamReport) -> Iterator[str]:
    """What to do about what is amiss."""
    sentences, refused = report.types.total(), report.rejected.total()
    if not sentences:
        yield from _without_sentences(report)
    elif not report.history.epochs and report.ubx_utc is None:
        yield "no sentence names a time: let the receiver send RMC"
    elif report.valid_utc is None and report.ubx_utc is None:
        yield "no moment with date, time and fix: no sky, or RMC is missing"
    if refused > _DAMAGE * (sentences + refused):
        share = round((sentences + refused) / refused)
        yield f"one sentence in {share} is damaged: {_DAMAGED}"
    if any("txbuf" in text for text in report.texts):
        yield "the receiver throws its own output away: a faster line or less to say"
    if report.default_leaps:
        yield "its leap seconds were a firmware default: UTC may be whole seconds wrong"
    if report.history.counts["week_number_rollover"]:
        yield "its weeks are counted 1024 short: the time is right, the date is not"
