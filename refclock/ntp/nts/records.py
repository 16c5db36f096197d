"""The records of NTS key exchange and what both sides make of them: RFC 8915 part 4.

A message is a sequence of records: critical bit and type (2 bytes), length (2 bytes),
body. The server takes the first algorithm of the client's list that it has.

AES-128-GCM-SIV is used only with a client that asks for the compliant exporter (record
1024, of chrony): others export its keys with another algorithm's number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct, pack, unpack
from typing import Final

from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association

ALPN: Final = b"ntske/1"
EXPORTER: Final = b"EXPORTER-network-time-security"
MOST_BYTES: Final = 4096
"""Of a request."""
MOST_ANSWER_BYTES: Final = 16_384
COOKIES: Final = 8
_NTPV4: Final = 0
_HEAD: Final = Struct(">HH")
_CRITICAL: Final = 0x8000
_COOKIE_LENGTHS: Final = range(16, 257, 4)


class Kind(IntEnum):
    """Types of records."""

    END = 0
    NEXT_PROTOCOL = 1
    ERROR = 2
    WARNING = 3
    ALGORITHMS = 4
    COOKIE = 5
    SERVER = 6
    PORT = 7
    COMPLIANT_EXPORTER = 1024


class ErrorCode(IntEnum):
    """Bodies of an error record."""

    UNKNOWN_CRITICAL = 0
    BAD_REQUEST = 1
    INTERNAL = 2


class ExchangeError(ValueError):
    """A message that is none, or that refuses."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record."""

    kind: int
    body: bytes
    critical: bool = False

    def encode(self) -> bytes:
        """As on the wire."""
        kind = self.kind | (_CRITICAL if self.critical else 0)
        return _HEAD.pack(kind, len(self.body)) + self.body


END: Final = Record(Kind.END, b"", critical=True)


def complete(data: bytes) -> bool:
    """Has the whole message come?"""
    at = 0
    while at + _HEAD.size <= len(data):
        kind, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        if kind & ~_CRITICAL == Kind.END and at <= len(data):
            return True
    return False


def decode(data: bytes) -> Sequence[Record]:
    """The records of a message, without its end. ExchangeError: it is none."""
    records: list[Record] = []
    at = 0
    while at + _HEAD.size <= len(data):
        kind, length = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(body) < length:
            break
        at += _HEAD.size + length
        record = Record(kind & ~_CRITICAL, body, critical=bool(kind & _CRITICAL))
        if record.kind == Kind.END:
            if at != len(data) or body:
                raise ExchangeError("something follows the end")
            return records
        records.append(record)
    raise ExchangeError("the end is missing")


def encode(records: Iterable[Record]) -> bytes:
    """A message, with its end."""
    return b"".join(record.encode() for record in (*records, END))


def context(algorithm: Algorithm, *, server_to_client: bool) -> bytes:
    """The context of the exporter, section 5.1."""
    return pack(">HHB", _NTPV4, algorithm, server_to_client)


Export = Callable[[bytes, int], bytes]
"""A key of the TLS session: for this context, of so many bytes."""


def association(
    algorithm: Algorithm, export: Export, named: Algorithm | None = None
) -> Association:
    """The keys of both directions; `named`: the algorithm in the exporter's context,
    if that is another."""
    c2s, s2c = (
        export(context(named or algorithm, server_to_client=back), algorithm.key_length)
        for back in (False, True)
    )
    return Association(algorithm, c2s, s2c)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers to a request."""

    algorithm: Algorithm | None
    """None: there is nothing both can, or the request is refused."""
    records: Sequence[Record]
    """Without cookies."""


def answer(data: bytes, *, server: str = "", port: int = 123) -> Answer:
    """What to answer to these bytes, whatever they are.

    `server`, `port`: where to ask for the time, unless it is here and 123.
    """
    try:
        records = decode(data)
    except ExchangeError:
        return _refusal(ErrorCode.BAD_REQUEST)
    known = {*Kind} - {Kind.END}
    if any(each.critical and each.kind not in known for each in records):
        return _refusal(ErrorCode.UNKNOWN_CRITICAL)
    kinds = [each.kind for each in records]
    protocols = [each for each in records if each.kind == Kind.NEXT_PROTOCOL]
    algorithms = [each for each in records if each.kind == Kind.ALGORITHMS]
    if (
        len(protocols) != 1
        or len(algorithms) != 1
        or not protocols[0].critical
        or any(len(each.body) % 2 or not each.body for each in protocols + algorithms)
        or {Kind.ERROR, Kind.WARNING, Kind.COOKIE} & {*kinds}
    ):
        return _refusal(ErrorCode.BAD_REQUEST)
    if _NTPV4 not in _numbers(protocols[0]):
        return Answer(None, [Record(Kind.NEXT_PROTOCOL, b"", critical=True)])
    compliant = Kind.COMPLIANT_EXPORTER in kinds
    protocol = Record(Kind.NEXT_PROTOCOL, pack(">H", _NTPV4), critical=True)
    usable = [Algorithm.SIV, Algorithm.GCM_SIV] if compliant else [Algorithm.SIV]
    wished = [each for each in _numbers(algorithms[0]) if each in usable]
    if not wished:
        return Answer(None, [protocol, Record(Kind.ALGORITHMS, b"", critical=True)])
    algorithm = Algorithm(wished[0])
    said = [protocol, Record(Kind.ALGORITHMS, pack(">H", algorithm), critical=True)]
    if algorithm is Algorithm.GCM_SIV:
        said.append(Record(Kind.COMPLIANT_EXPORTER, b""))
    if port != 123:
        said.append(Record(Kind.PORT, pack(">H", port), critical=True))
    if server:
        said.append(Record(Kind.SERVER, server.encode("ascii"), critical=True))
    return Answer(algorithm, said)


def question(algorithms: Sequence[Algorithm] = (*Algorithm,)) -> bytes:
    """What a client sends; the algorithms in the order it prefers."""
    return encode(
        [
            Record(Kind.NEXT_PROTOCOL, pack(">H", _NTPV4), critical=True),
            Record(
                Kind.ALGORITHMS,
                pack(f">{len(algorithms)}H", *algorithms),
                critical=True,
            ),
            Record(Kind.COMPLIANT_EXPORTER, b""),
        ]
    )


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a server answered to a client."""

    association: Association
    cookies: Sequence[bytes]
    server: str
    """Where to ask for the time; "": where the keys came from."""
    port: int


def agreed(
    data: bytes,
    export: Export,
    offered: Sequence[Algorithm] = (*Algorithm,),
) -> Agreed:
    """What the answer to `question` says. ExchangeError: it refuses, or is no answer.

    `export`: a key of the TLS session, for a context and of a length.
    """
    records = decode(data)
    by_kind: dict[int, list[Record]] = {}
    for each in records:
        by_kind.setdefault(each.kind, []).append(each)
        if each.critical and each.kind not in {*Kind}:
            raise ExchangeError(f"it answered a critical record of type {each.kind}")
    for kind in (Kind.ERROR, Kind.WARNING):
        for each in by_kind.get(kind, ()):
            code = int.from_bytes(each.body, "big")
            raise ExchangeError(f"it answered {kind.name.lower()} {code}")
    protocols = [*map(_numbers, by_kind.get(Kind.NEXT_PROTOCOL, ()))]
    if protocols != [[_NTPV4]]:
        raise ExchangeError("it does not serve NTP version 4")
    algorithms = [*map(_numbers, by_kind.get(Kind.ALGORITHMS, ()))]
    if len(algorithms) != 1 or len(algorithms[0]) != 1:
        raise ExchangeError("it has no algorithm that we have")
    if algorithms[0][0] not in offered:
        raise ExchangeError(f"it chose algorithm {algorithms[0][0]}, not offered")
    algorithm = Algorithm(algorithms[0][0])
    compliant = Kind.COMPLIANT_EXPORTER in by_kind or algorithm is Algorithm.SIV
    exporting = algorithm if compliant else Algorithm.SIV
    cookies = [
        each.body
        for each in by_kind.get(Kind.COOKIE, ())
        if len(each.body) in _COOKIE_LENGTHS
    ][:COOKIES]
    if not cookies:
        raise ExchangeError("it gave no cookie")
    return Agreed(
        association(algorithm, export, exporting),
        cookies,
        _server(by_kind.get(Kind.SERVER, ())),
        _port(by_kind.get(Kind.PORT, ())),
    )


def _refusal(code: ErrorCode) -> Answer:
    return Answer(None, [Record(Kind.ERROR, pack(">H", code), critical=True)])


def _numbers(record: Record) -> list[int]:
    count = len(record.body) // 2
    return [*unpack(f">{count}H", record.body[: 2 * count])]


def _server(records: Sequence[Record]) -> str:
    if not records:
        return ""
    try:
        return records[0].body.decode("ascii")
    except UnicodeDecodeError:
        raise ExchangeError("it names a server that is no name") from None


def _port(records: Sequence[Record]) -> int:
    if not records:
        return 123
    if len(records[0].body) != 2 or not any(records[0].body):
        raise ExchangeError("it names a port that is none")
    return int.from_bytes(records[0].body, "big")
