"""Millions of packets, in the process, sweep by sweep; they are made by mutation.

The mutation is blind: a short run under trace shows that it reaches every line of
the packet's path, so that there is nothing for a guide by coverage to find.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

import refclock.ntp.auth
import refclock.ntp.extension
import refclock.ntp.mac
import refclock.ntp.packet
import refclock.published
import refclock.server.admission.access
import refclock.server.admission.admit
import refclock.server.admission.clients
import refclock.server.reply
import refclock.server.service
import refclock.server.transmit
from refclock.board.ports import BATCH
from refclock.events import Command
from refclock.ntp.auth import AuthFault, Opened, Proof, SymmetricKeys
from refclock.ntp.mac import key
from refclock.published import STALE_AFTER
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import Require, ServerSettings
from refclock.timebase import (
    DAY,
    HOUR,
    MILLISECOND,
    SECOND,
    Duration,
    LeapSecond,
    Local,
    Mono,
    NtpTimestamp,
    Tai,
    Utc,
)
from tests.fakes.published import right_at
from tests.fakes.wire import Wire

TURN = Tai(Utc.of(2036, 2, 7, 6, 28, 16).ns)
"""Of the era, within the run; the local clock as if it were TAI."""
BEGIN = TURN.ns - DAY.ns
TAI = 37 * SECOND
PAIRS = {(4, 3), (2, 1), (4, 0)}
ERA, SECOND_BITS = 1 << 64, 1 << 32

KEY = key(7, "SHA1", b"a secret of the two")
FIELD = b"\1\4\0\x1c" + bytes(24)
SEEDS = [
    first + bytes(39) + b"asked me" + tail
    for first in (
        b"\x23",
        b"\x1b",
        b"\x21",
        b"\x0b",
        b"\x08",
        b"\xe3",
        b"\x16\2",
        b"\x17",
    )
    for tail in (b"", bytes(20), FIELD, FIELD + bytes(24))
]
VALUES = [b"\0", b"\xff", b"\x80", b"\0\0\0\0", b"\0\x10", b"\xff\xff\xff\xff", b"\x23"]
NETWORK = bytes.fromhex("fd00000000000007")
PLACES = (
    [bytes([10, 0, 0, 1])] * 90
    + [bytes([10, 0, 0, host]) for host in range(100)]
    + [NETWORK + bytes([host] * 8) for host in (0, 1, *range(200, 230))]
    + [bytes([8, 8, 4, host]) for host in range(40)]
    + [bytes.fromhex("fd01") + bytes([host] * 14) for host in range(80)]
    + [bytes.fromhex("fe80") + bytes(13) + b"\7", bytes([8, 8, 8, 8])]
)
"""One that asks too often, more than there is room for, and some not let in."""


class Refusing:
    """As NTS with a cookie that cannot be opened."""

    def open(self, request: bytes) -> Opened | AuthFault | None:
        if len(request) >= 76 and request[48:52] == FIELD[:4]:
            return Opened(Proof.NTS, lambda _: FIELD[:28], nak=True)
        return AuthFault.NTS if request[48:50] == FIELD[:2] else None


class Machine(Wire):
    """Its clock, what is published of it, and a socket that checks what goes out."""

    era = 0

    def __init__(self, draw: random.Random) -> None:
        super().__init__(now_ns=BEGIN)
        self.draw = draw
        self.boot = BEGIN
        self.told = bytes(8)
        self.answered = self.kissed = self.interleaved = self.sealed = 0
        self.publish()

    def publish(self, stratum: int = 1, leap: LeapSecond | None = None) -> None:
        """The clock is right, and not always believed."""
        local, mono = self.read()
        self.snapshot = replace(
            right_at(local, mono), stratum=stratum, ref_id=b"GPS\0", leap=leap
        )

    def read(self) -> tuple[Local, Mono]:
        return Local(self.clock_ns), Mono(self.clock_ns - self.boot)

    def apply(self, command: Command) -> None:
        raise NotImplementedError

    def mutant(self) -> bytes:
        """A seed with up to four changes."""
        draw = self.draw
        data = bytearray(draw.choice(SEEDS))
        if draw.random() < 0.3:
            data[24:32] = self.told
        if draw.random() < 0.2:
            return bytes(data[:48]) + KEY.mac(bytes(data[:48]), data[0] >> 3 & 7)
        for _ in range(draw.randrange(5)):
            at = draw.randrange(len(data) + 1)
            match draw.randrange(6):
                case 0:
                    data[at : at + 1] = draw.randbytes(1)
                case 1:
                    data[at : at + 8] = draw.randbytes(draw.choice([4, 8]))
                case 2:
                    value = draw.choice(VALUES)
                    data[at : at + len(value)] = value
                case 3:
                    del data[at : at + draw.choice([1, 4, 20])]
                case 4:
                    data[at:at] = draw.choice(SEEDS)[-draw.randrange(1, 60) :]
                case _:
                    data[:1] = draw.randbytes(1)
        return bytes(data)

    def receive(self, limit: Duration) -> tuple[Sequence[bytes], Sequence[int]]:
        draw = self.draw
        count = draw.randint(0, BATCH)
        ages = [0] * 500 + [1_000, 10**6, 10**9, 10**10 + 1, 10**11, -1]
        self.datagrams = [
            (draw.choice(PLACES), self.clock_ns - draw.choice(ages), self.mutant())
            for _ in range(count)
        ]
        self.sent = []
        return super().receive(limit)

    def send(self, answered: Sequence[int]) -> int:
        """The laws."""
        self.sent.clear()
        count = super().send(answered)
        self._check()
        self.answered += count
        return count

    def _check(self) -> None:
        local, mono = self.read()
        realtime_offset = Duration(local.ns - mono.ns)
        known = self.snapshot.synchronised(mono, realtime_offset)
        begun = NtpTimestamp.of(self.snapshot.posix(Tai(self.clock_ns) + TAI)).bits
        for earlier, (place, reply) in enumerate(self.sent):
            request = self.datagrams[place][2]
            assert len(reply) <= len(request)
            if reply[12:16] == b"NTSN":
                assert reply[48:] == FIELD
                assert not reply[1]
                continue
            if len(reply) > 48:
                assert KEY.proves(request[:-24], request[-24:])
                assert KEY.proves(reply[:48], reply[48:])
                self.sealed += 1
            assert (reply[0] & 7, request[0] & 7) in PAIRS
            assert reply[0] >> 3 & 7 == request[0] >> 3 & 7 <= 4
            if not reply[1]:
                assert reply[0] >> 6 == 3
                assert reply[12:16] in {bytes(4), b"RATE", b"DENY"}
                assert known <= (reply[12:16] != bytes(4))
                self.kissed += reply[12:16] != bytes(4)
            else:
                assert known
                assert reply[1] == 1
                assert reply[0] >> 6 in {0, 1}
            received, left = (
                int.from_bytes(reply[at : at + 8], "big") for at in (32, 40)
            )
            assert (begun + 2 - received) % ERA < ERA >> 1
            if reply[24:32] != request[40:48]:
                self.interleaved += 1
                assert reply[12:16] not in {b"RATE", b"DENY"}
                assert reply[24:32] == request[32:40]
                # long gone, and before a leap second, it may be
                assert (begun + SECOND_BITS + 2 - left) % ERA < ERA >> 1
                continue
            assert (left - received) % ERA < ERA >> 1  # T2 <= T3
            leaves = begun + self.each_ns * earlier * SECOND_BITS // SECOND.ns
            assert (leaves + 8 - left) % ERA < ERA >> 1  # T3 <= when it leaves
            self.told = reply[32:40]

    def send_sealed(self, trailers: Mapping[int, bytes]) -> int:
        """The same laws."""
        self.sent.clear()
        count = super().send_sealed(trailers)
        self._check()
        self.answered += count
        return count


def fuzzed(packets: int, seed: int) -> tuple[NtpService, Machine]:
    """A service that so many were sent to, and the machine it runs on."""
    draw = random.Random(seed)
    machine = Machine(draw)
    pace = RateLimitSettings(
        interval_s=0.02, burst=8, clients=64, network=1, kiss=draw.random() < 0.5
    )
    settings = ServerSettings(
        deny=("fd00:0:0:7::/65",),
        require=Require.ANY,
        require_from=("10.0.0.64/26",),
        rate_limit=pace,
        tell_denied=not pace.kiss,
    )
    service = NtpService(
        machine,
        lambda: machine.snapshot,
        machine,
        settings,
        draw.random,
        authenticators=[Refusing(), SymmetricKeys({7: KEY})],
    )
    leaps = [None] * 6 + [
        LeapSecond(TURN + TAI + until, TAI, TAI + SECOND)
        for until in (-HOUR, SECOND, HOUR, 2 * DAY)
    ]
    sweeps = 0
    while service._requests < packets:
        sweeps += 1
        if sweeps == 100:
            machine.clock_ns = TURN.ns - 5_000
            machine.publish()
        service.serve(SECOND)
        machine.clock_ns += draw.choice([70_000, MILLISECOND.ns, 5 * MILLISECOND.ns])
        match draw.randrange(200):
            case 0:
                machine.publish(16)
            case 1:
                machine.clock_ns += draw.choice([STALE_AFTER, HOUR, 4 * HOUR]).ns
            case 2:
                machine.clock_ns += 10 * SECOND.ns
                machine.boot += 10 * SECOND.ns
            case other if other < 40:
                machine.publish(1, draw.choice(leaps))
    return service, machine


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1305, 5905, 9769])
def test_whatever_comes_the_laws_hold_and_nothing_grows(seed: int) -> None:
    service, machine = fuzzed(1_000_000, seed)
    counters = service.counters()
    reasons = {"malformed", "mode_or_version", "clock_stepped", "denied", "limited"}
    assert reasons < set(counters)
    assert counters["answered"] == machine.answered > 200_000
    assert machine.interleaved > 500
    assert machine.kissed > 100
    assert machine.sealed > 5_000
    clients = service._admission.clients()
    assert len(clients) <= 64
    assert all(len(each._chains) <= 8 and len(each._offers) <= 16 for each in clients)


PATH: dict[ModuleType, set[str]] = {
    refclock.server.service: {
        *("serve", "_refuse_by_form", "_refuse_out_of_reach", "_admit", "_send"),
        *("_template_at", "_open", "_known"),
    },
    refclock.ntp.extension: {"read"},
    refclock.ntp.auth: {"open"},
    refclock.ntp.mac: {"mac", "proves", "digest"},
    refclock.server.admission.access: {"allows", "unmapped"},
    refclock.server.admission.clients: {
        *("departed", "departure", "claim", "add", "_least", "take", "sit", "note"),
    },
    refclock.server.admission.admit: {
        *("admit", "admit_run", "_newcomer", "_network_affords", "_beyond_pace"),
        "_may_kiss",
    },
    refclock.server.transmit: {
        *("learn", "first", "last", "watch", "watch_places", "leave", "send"),
        *("send_sealed", "_send_group", "_interleave", "_keep_departure"),
    },
    refclock.server.reply: {
        *("__init__", "wire", "begin", "kiss", "finish", "_column"),
        *("asks_interleaved", "interleave", "origin_of", "received_as_told"),
    },
    refclock.published: {
        *(
            "realtime_offset",
            "synchronised",
            "_expected",
            "tai",
            "posix",
            "indicator",
            "bound_at",
        ),
    },
}
"""What is run for a packet."""


def test_blind_mutation_reaches_every_line_of_a_packets_path() -> None:
    with traced({str(module.__file__) for module in PATH}) as seen:
        for seed in (1, 2):
            fuzzed(25_000, seed)
    missed = {
        f"{Path(str(module.__file__)).name}:{line}"
        for module, names in PATH.items()
        for line in _lines(module, names) - set(seen[str(module.__file__)])
    }
    assert missed == set()


def _lines(module: ModuleType, names: set[str]) -> set[int]:
    """Those that can be run of the functions of these names."""
    path = str(module.__file__)
    source = compile(Path(path).read_text(), path, "exec")
    found = {code.co_name: code for code in _codes(source) if code.co_name in names}
    assert found.keys() == names
    return {
        line
        for code in found.values()
        for _, _, line in code.co_lines()
        if line and line != code.co_firstlineno
    }


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@contextmanager
def traced(paths: set[str]) -> Iterator[dict[str, Counter[int]]]:
    """How often each line of these files is run."""
    seen = {path: Counter[int]() for path in paths}

    def line(frame: FrameType, event: str, _: Any) -> Any:  # noqa: ANN401 - settrace's
        if event == "line":
            seen[frame.f_code.co_filename][frame.f_lineno] += 1
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:  # noqa: ANN401
        return line if frame.f_code.co_filename in paths else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield seen
    finally:
        sys.settrace(before)
