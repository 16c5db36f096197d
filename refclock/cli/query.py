"""Ask an NTP server what time it is, and how well it knows."""

from __future__ import annotations

import argparse
import errno
import json
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from hw.net.ask import Asker
from refclock.app.asking import INTERRUPTED, Outcome, QueryError, Target, Wish, ask
from refclock.app.keys.authentication import read_keys
from refclock.app.keys.keyclient import Wanted, given
from refclock.cli import complain, say
from refclock.cli.values import number, port, whole
from refclock.ntp.exchange import reference_name
from refclock.ntp.mac import KeysSettings
from refclock.ntp.nts.fields import NtsClient
from refclock.observe.text import seconds
from refclock.timebase import SECOND, Utc
from refclock.upstream.sealing import Keyed, Plain, Sealing

HELP: Final = "ask an NTP server for the time, and show how far we are from it"

_PATIENCE: Final = 5 * SECOND
"""For an answer, unless `--timeout` is given."""
_NAME_WAIT_S: Final = 5.0
_LEAPS: Final = ("none", "insert", "delete", "unsynchronised")
_PLAIN: Final = str.maketrans({"±": "+-", "µ": "u"})

Place = tuple[Any, ...]
"""A socket address, as the resolver gives it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    parser.add_argument("server", metavar="HOST", help="name or address")
    parser.add_argument("--port", type=port, default=123, help="UDP port, 1 to 65535")
    parser.add_argument(
        "--count",
        type=whole(1, 10_000),
        default=1,
        help="measurements; the quickest counts",
    )
    parser.add_argument(
        "--interval",
        type=number(0, 86_400),
        default=0.25,
        metavar="S",
        help="seconds between two of them",
    )
    parser.add_argument(
        "--timeout",
        type=number(0.001, 3600),
        metavar="S",
        help="seconds to wait for each answer (default: 5)",
    )
    parser.add_argument("--version", type=int, choices=(1, 2, 3, 4))
    family = parser.add_mutually_exclusive_group()
    for option, only in (("-4", socket.AF_INET), ("-6", socket.AF_INET6)):
        family.add_argument(
            option,
            dest="family",
            action="store_const",
            const=only,
            default=socket.AF_UNSPEC,
            help=f"only its IPv{option[1]} addresses",
        )
    parser.add_argument(
        "--interleaved",
        action="store_true",
        help="have the server tell when its previous reply truly left (RFC 9769)",
    )
    proof = parser.add_mutually_exclusive_group()
    proof.add_argument(
        "--key",
        type=whole(1, 0xFFFF_FFFF),
        metavar="N",
        help="ask with that key of --keys, and believe only an answer with it",
    )
    proof.add_argument("--nts", action="store_true", help="ask with NTS")
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        default=Path("/etc/refclock/keys"),
        help="symmetric keys as of chrony or ntpd (default: %(default)s)",
    )
    parser.add_argument(
        "--nts-port", type=port, default=4460, help="TCP port of its key exchange"
    )
    parser.add_argument(
        "--authority",
        type=Path,
        metavar="PEM",
        help="who signs its certificate (default: the system's authorities)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask and print. 0: measured; 1: no usable answer; 130: interrupted."""
    try:
        sealing, host, at = _sealing(args)
    except QueryError as failure:
        complain("query", f"{args.server}: {failure}")
        return 1
    wish = Wish(
        args.version or (sealing.version if isinstance(sealing, Keyed) else 4),
        args.count,
        args.interval,
        _PATIENCE.seconds if args.timeout is None else args.timeout,
        args.interleaved,
    )
    try:
        with ExitStack() as opened:
            targets = _targets(_places(host, at, args.family), sealing, opened)
            outcome = ask(targets, wish)
    except QueryError as failure:
        complain("query", f"{args.server}: {failure}")
        return 1
    report = _report(args.server, outcome)
    if args.json:
        print(json.dumps(report))
    else:
        say(_text(report).split("\n"))
    if outcome.ended:
        complain("query", f"{args.server}: {outcome.ended}")
    return 130 if outcome.ended == INTERRUPTED else 0


def _sealing(args: argparse.Namespace) -> tuple[Sealing, str, int]:
    """How to authenticate, and where to ask then. QueryError: it cannot be."""
    if args.key is not None:
        try:
            keys = read_keys(KeysSettings(str(args.keys)))
        except OSError as error:
            raise QueryError(f"{args.keys}: {error.strerror or error}") from error
        if args.key not in keys:
            raise QueryError(f"there is no key {args.key} in {args.keys}")
        return Keyed(keys[args.key]), args.server, args.port
    if not args.nts:
        return Plain(), args.server, args.port
    now, authority = Utc(time.time_ns()), str(args.authority or "")
    found = given(Wanted(args.server, args.nts_port, authority, now))
    if found.why:
        raise QueryError(f"key exchange: {found.why}")
    agreed = found.agreed
    client = NtsClient(agreed.association, agreed.cookies, secrets.token_bytes)
    return client, agreed.server or args.server, agreed.port


def _targets(
    places: Sequence[Place], sealing: Sealing, opened: ExitStack
) -> list[Target]:
    """Every address of the server that can be sent to. QueryError: there is none."""
    targets: list[Target] = []
    why = "it has no address"
    for place in places if not isinstance(sealing, NtsClient) else places[:1]:
        try:
            asker = opened.enter_context(closing(Asker(place)))
            targets.append(Target(asker, str(place[0]), sealing))
        except OSError as error:
            why = f"{place[0]} cannot be reached: {error.strerror or error}"
            if error.errno == errno.EINVAL and ":" in place[0]:
                why += f"; a link-local address takes its interface, {place[0]}%eth0"
    if not targets:
        raise QueryError(why)
    return targets


def _places(host: str, port: int, family: int) -> Sequence[Place]:
    """The server's addresses. A resolver may hang for longer than a person waits."""
    found: dict[Place, None] = {}
    why: list[str] = ["the name could not be looked up in time"]

    def look_up() -> None:
        try:
            for *_, place in socket.getaddrinfo(
                host, port, family=family, type=socket.SOCK_DGRAM
            ):
                found[place] = None
        except (OSError, UnicodeError) as error:
            why[:] = [f"unknown name: {getattr(error, 'strerror', None) or error}"]

    looking = threading.Thread(target=look_up, daemon=True)
    looking.start()
    looking.join(_NAME_WAIT_S)
    if not found:
        raise QueryError(why[0])
    return [*found]


def _report(server: str, outcome: Outcome) -> dict[str, Any]:
    best = min(outcome.measured, key=lambda each: each.delay)
    packet, age = best.packet, best.reference_age
    set_at = None
    if age is not None:
        set_at = packet.reference.near(Utc(best.received.ns)).iso()
    return {
        "server": server,
        "address": outcome.address,
        "stratum": packet.stratum,
        "refid": reference_name(packet),
        "leap": packet.leap,
        "version": packet.version,
        "offset_s": best.offset.seconds,
        "error_s": best.error.seconds,
        "delay_s": best.delay.seconds,
        "root_delay_s": packet.root_delay.seconds,
        "root_dispersion_s": packet.root_dispersion.seconds,
        "reference_time": set_at,
        "reference_age_s": None if age is None else age.seconds,
        "samples": len(outcome.measured),
        "lost": outcome.lost,
    }


def _text(report: dict[str, Any]) -> str:
    server, address = report["server"], report["address"]
    at = "" if address == server else f" at {address}"
    lost = f"; {report['lost']} lost" if report["lost"] else ""
    age_s, set_at = report["reference_age_s"], report["reference_time"]
    reference = "unknown" if set_at is None else f"{seconds(age_s)} ago, {set_at}"
    return "\n".join(
        (
            f"server           {server}{at}, NTP version {report['version']}",
            f"offset           {seconds(report['offset_s'])}"
            f" ± {seconds(report['error_s'])}  (server - us: positive, we are behind)",
            f"delay            {seconds(report['delay_s'])}"
            f", the least of {report['samples']}{lost}",
            f"stratum          {report['stratum']}, reference {report['refid']}",
            f"leap             {_LEAPS[report['leap']]}",
            f"root delay       {seconds(report['root_delay_s'])}",
            f"root dispersion  {seconds(report['root_dispersion_s'])}",
            f"reference        {reference}",
        )
    )
