"""Ask an NTP server what time it is, and how well it knows."""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from hw.net.ask import Asker
from refclock.ntp.exchange import (
    Measurement,
    Question,
    ReplyFault,
    kiss_code,
    measure,
    reference_name,
)
from refclock.ntp.packet import Packet
from refclock.observe.text import seconds
from refclock.timebase import SECOND, Duration, Local, NtpTimestamp, Utc

HELP: Final = "ask an NTP server for the time, and show how far we are from it"

_TRIES: Final = 2
_INTRODUCTIONS: Final = 2
"""A server that keeps no stamps for strangers knows us from the third request on."""
_MOST_ADDRESSES: Final = 2
_PATIENCE: Final = 2 * SECOND
"""With all tries at all addresses together."""
_NAME_WAIT_S: Final = 2.5
_LEAPS: Final = ("none", "insert", "delete", "unsynchronised")

Place = tuple[Any, ...]
"""A socket address, as the resolver gives it."""


class QueryError(Exception):
    """No measurement, and why, in a sentence."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    parser.add_argument("server", metavar="HOST", help="name or address")
    parser.add_argument("--port", type=int, default=123)
    parser.add_argument(
        "--count", type=_count, default=1, help="measurements; the quickest counts"
    )
    parser.add_argument(
        "--interval", type=float, default=0.25, metavar="S", help="between two of them"
    )
    parser.add_argument("--version", type=int, choices=(1, 2, 3, 4), default=4)
    parser.add_argument(
        "--interleaved",
        action="store_true",
        help="have the server tell when its previous reply truly left (RFC 9769)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask and print. 0: measured; 1: no usable answer."""
    try:
        measured = _ask_any(args)
    except QueryError as failure:
        print(f"refclock query: {args.server}: {failure}", file=sys.stderr)
        return 1
    best = min(measured, key=lambda each: each.delay)
    report = _report(args.server, best, len(measured))
    print(json.dumps(report) if args.json else _text(report))
    return 0


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 10_000:
        raise argparse.ArgumentTypeError("1 to 10000")
    return count


def _ask_any(args: argparse.Namespace) -> Sequence[Measurement]:
    """Measurements from the first address of the server that answers."""
    failure = QueryError("it has no address")
    places = _places(args.server, args.port)[:_MOST_ADDRESSES]
    wait = Duration(_PATIENCE.ns // (_TRIES * len(places)))
    for place in places:
        try:
            with closing(Asker(place)) as asker:
                return list(_exchanges(asker, wait, args))
        except ConnectionRefusedError:
            failure = QueryError(f"nothing answers on UDP port {args.port} (refused)")
        except OSError as error:
            failure = QueryError(f"cannot be reached: {error.strerror or error}")
        except QueryError as told:
            failure = told
    raise failure


def _places(host: str, port: int) -> Sequence[Place]:
    """The server's addresses. A resolver may hang for longer than a person waits."""
    found: list[Place] = []
    why: list[str] = ["the name could not be looked up in time"]

    def look_up() -> None:
        try:
            for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
                found.append(place)
        except (OSError, UnicodeError) as error:
            why[:] = [f"unknown name: {getattr(error, 'strerror', None) or error}"]

    looking = threading.Thread(target=look_up, daemon=True)
    looking.start()
    looking.join(_NAME_WAIT_S)
    if not found:
        raise QueryError(why[0])
    return found


def _exchanges(
    asker: Asker, wait: Duration, args: argparse.Namespace
) -> Iterator[Measurement]:
    """As many measurements as were asked for; lost ones are tried again."""
    last: tuple[Packet, Local, Local] | None = None
    for number in range(args.count + (_INTRODUCTIONS if args.interleaved else 0)):
        if number:
            time.sleep(args.interval)
        previous = last[0].receive if last and args.interleaved else NtpTimestamp(0)
        question, reply, sent, received = _exchange(asker, wait, args, previous)
        measured: Measurement | ReplyFault | None = None
        if not args.interleaved:
            measured = measure(reply, sent, received)
        elif last and question.interleaved(reply):
            before, left, came = last
            measured = measure(before, left, came, reply.transmit)
        elif number >= _INTRODUCTIONS:
            raise QueryError("it does not know the interleaved mode")
        last = reply, sent, received
        if isinstance(measured, ReplyFault):
            raise QueryError(measured)
        if measured is not None:
            yield measured


def _exchange(
    asker: Asker, wait: Duration, args: argparse.Namespace, previous: NtpTimestamp
) -> tuple[Question, Packet, Local, Local]:
    """One question and its answer; QueryError says why there is none."""
    why = "no answer"
    for _ in range(_TRIES):
        other = secrets.randbits(64) if args.interleaved else 0
        question = Question.ask(args.version, secrets.randbits(64), previous, other)
        sent = asker.send(question.packet.encode())
        for data, received in asker.replies(wait):
            reply = question.judge(data)
            if isinstance(reply, Packet):
                return question, reply, sent, received
            why = str(reply)
            if reply is ReplyFault.KISS:
                why = f"{reply}: {kiss_code(Packet.decode(data))}"
            if not reply.stray:
                raise QueryError(why)
    raise QueryError(why)


def _report(server: str, best: Measurement, samples: int) -> dict[str, Any]:
    packet = best.packet
    return {
        "server": server,
        "stratum": packet.stratum,
        "refid": reference_name(packet),
        "leap": packet.leap,
        "version": packet.version,
        "offset_s": best.offset.seconds,
        "error_s": best.error.seconds,
        "delay_s": best.delay.seconds,
        "root_delay_s": packet.root_delay.seconds,
        "root_dispersion_s": packet.root_dispersion.seconds,
        "reference_time": packet.reference.near(Utc(best.received.ns)).iso(),
        "reference_age_s": best.reference_age.seconds,
        "samples": samples,
    }


def _text(report: dict[str, Any]) -> str:
    return "\n".join(
        (
            f"server           {report['server']}, NTP version {report['version']}",
            f"offset           {seconds(report['offset_s'])}"
            f" ± {seconds(report['error_s'])}  (server - us: positive, we are behind)",
            f"delay            {seconds(report['delay_s'])}"
            f", the least of {report['samples']}",
            f"stratum          {report['stratum']}, reference {report['refid']}",
            f"leap             {_LEAPS[report['leap']]}",
            f"root delay       {seconds(report['root_delay_s'])}",
            f"root dispersion  {seconds(report['root_dispersion_s'])}",
            f"reference        {seconds(report['reference_age_s'])} ago,"
            f" {report['reference_time']}",
        )
    )
