"""What the kernel makes of a frame, held against what the service would answer.

The kernel runs the loaded program on a frame (BPF_PROG_TEST_RUN), with its own clock;
so that is put between two readings of it. The service's reply to the same request is
written by `ReplyTemplate`, and whatever is no stamp must be the same.
"""

from __future__ import annotations

import random
import struct
import time
from collections import Counter
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hw.linux.clock import FreeClock
from hw.net.responder.program import PASS, REDIRECTED, XDP_PASS, XDP_TX
from hw.net.responder.responder import KernelResponder
from refclock.board.responder import Pace, Place, Rule
from refclock.ntp.packet import HEADER_LENGTH
from refclock.published import ClockSnapshot
from refclock.server.plain import statement
from refclock.server.reply import ReplyTemplate, answers
from refclock.timebase import (
    SECOND,
    ZERO,
    Duration,
    Mono,
    NtpShort,
)
from tests.fakes.frames import Frame, read
from tests.fakes.published import right_at

ANSWERED = {"tc": REDIRECTED, "xdp": XDP_TX}
PASSED = {"tc": PASS, "xdp": XDP_PASS}
NO_LIMIT = Pace(ZERO, ZERO, ZERO, 0.0, ZERO, ZERO)
KINDS = answers(symmetric=True)
PLAIN = b"\x23\0\x06\xec" + bytes(36) + b"asked me"
ALLOWED = [
    ip_network(each) for each in ("10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1")
]
EVERYWHERE = (IPv4Address("0.0.0.0"), IPv6Address("::"))  # noqa: S104
DENIED = [ip_network("10.9.0.0/16"), ip_network("fd00:9::/32")]


def loaded() -> KernelResponder:
    """At addresses of loopback; attached nowhere."""
    made = KernelResponder(123, KINDS, 4096, "none")
    rules = [Rule(each, True, False) for each in ALLOWED]
    rules += [Rule(each, False, False) for each in DENIED]
    made.admit([Place(EVERYWHERE, None, 1, rules)], NO_LIMIT)
    return made


@dataclass(frozen=True)
class Told:
    """What was published last, as the service would say it."""

    snapshot: ClockSnapshot
    template: ReplyTemplate

    def stamp(self, mono_ns: int) -> int:
        """The served time at that moment, 2^-32 s."""
        return self.template.wire(
            self.template.made_ns + mono_ns - self.template.mono_ns
        )

    def reply(self, request: bytes) -> bytes:
        """The service's, with both stamps 0."""
        requests, replies = bytearray(request), bytearray(HEADER_LENGTH)
        kinds = bytes([KINDS[request[0]]])
        self.template.begin(requests, replies, kinds, [self.template.made_ns])
        return bytes(replies[:32]) + bytes(16)


def publish(responder: KernelResponder, **other: object) -> Told:
    """The clock is right, and not just now set; `other`: what differs in it."""
    local, mono = FreeClock().read()
    snapshot = replace(
        right_at(local, mono),
        **{"ref_id": b"GPS\0", "rate": 12.5e-6, "bound_rate": 31e-6, **other},  # type: ignore[arg-type]
    )
    responder.state(statement(snapshot, local, mono))
    return Told(snapshot, ReplyTemplate(snapshot, local, mono))


def is_plain(data: bytes) -> bool:
    """Whether a frame is one that the kernel answers, by the words of the README."""
    ipv6 = data[12:14] == b"\x86\xdd"
    if ipv6:
        to, source, at = data[38:54], data[22:38], 54
        fits = data[14] >> 4 == 6 and data[18:21] == b"\0\x38\x11" and len(data) == 110
        fits = fits and to == bytes(15) + b"\1" and data[60:62] != b"\0\0"
    else:
        to, source, at = data[30:34], data[26:30], 34
        fits = data[12:15] == b"\x08\0\x45" and data[16:18] == b"\0\x4c"
        fits = fits and data[20] & 0x3F == data[21] == 0 and data[23] == 17
        fits = fits and len(data) == 90 and to[0] == 127 and 0 < source[0] < 224
    if not fits or data[:6] != bytes(6):
        return False
    source_port, port, length, _ = struct.unpack(">HHHH", data[at : at + 8])
    first, origin = data[at + 8], data[at + 32 : at + 40]
    host = ip_address(source)
    allowed = any(host in each for each in ALLOWED if each.version == host.version)
    denied = any(host in each for each in DENIED if each.version == host.version)
    return (
        (port, length) == (123, 56)
        and source_port != 0
        and first & 7 == 3
        and 1 <= first >> 3 & 7 <= 4
        and origin == bytes(8)
        and allowed
        and not denied
    )


def check_reply(asked: bytes, frame: bytes, told: Told, begun: int, done: int) -> None:
    """Between the readings `begun` and `done` of CLOCK_MONOTONIC, ns."""
    assert len(frame) == len(asked)
    request, reply = read(asked), read(frame)
    payload, said = request.frame.payload, reply.frame.payload
    root_dispersion, received, left = (
        int.from_bytes(said[at:end], "big") for at, end in ((8, 12), (32, 40), (40, 48))
    )
    expected = told.reply(payload)
    assert said[:8] + said[12:32] == expected[:8] + expected[12:32]
    assert said[24:32] == payload[40:48]
    assert told.stamp(begun) - 8 <= received <= left <= told.stamp(done) + 8
    least, most = (told.snapshot.bound_at(Mono(at)) for at in (begun, done))
    assert NtpShort.of(least).bits <= root_dispersion <= NtpShort.of(most).bits + 1
    assert reply.frame == replace(
        request.frame,
        payload=said,
        source=request.frame.to,
        to=request.frame.source,
        source_port=request.frame.port,
        port=request.frame.source_port,
        macs=request.frame.macs[6:] + request.frame.macs[:6],
        ttl=64,
    )
    assert reply.header_holds == request.header_holds
    assert reply.datagram_holds == request.datagram_holds


SEEDS = [
    replace(frame, **change)
    for frame in (
        Frame(PLAIN),
        Frame(PLAIN, source="10.0.0.7", to="127.9.9.9"),
        Frame(PLAIN, source="::1", to="::1"),
        Frame(PLAIN, source="fd00::7", to="::1"),
    )
    for change in (
        {},
        {},
        {},
        {"checksum": False},
        {"payload": b"\x1b" + PLAIN[1:]},
        {"payload": b"\xcb" + PLAIN[1:]},
        {"payload": PLAIN[:24] + b"origin\1\1" + PLAIN[32:]},
        {"payload": PLAIN + bytes(20)},
        {"payload": PLAIN[:47]},
        {"payload": b"\x16\2" + bytes(10)},
        {"options": bytes(4)},
        {"fragment": 0x2000},
        {"fragment": 1},
        {"trailer": b"\0\0"},
        {"port": 124},
        {"source_port": 0},
        {"protocol": 6},
        {"macs": b"\xff" * 6 + bytes(6)},
        {"macs": bytes(6) + b"abcdef", "ttl": 64, "tos": 0xB8},
    )
]
AWKWARD = [
    replace(Frame(PLAIN), source=source)
    for source in ("0.0.0.0", "224.0.0.1", "255.255.255.255", "10.9.1.1", "8.8.8.8")  # noqa: S104
] + [
    replace(Frame(PLAIN, to="::1"), source=source)
    for source in ("::", "ff02::1", "fd00:9::1", "2001:db8::1", "::ffff:10.0.0.1")
]


def mutant(draw: random.Random) -> bytes:
    """A seed with up to three changes, at any place."""
    data = bytearray(draw.choice(FRAMES))
    for _ in range(draw.choice((0, 0, 1, 1, 2, 3))):
        at = draw.randrange(len(data))
        match draw.randrange(5):
            case 0:
                data[at] = draw.randrange(256)
            case 1:
                data[at] ^= 1 << draw.randrange(8)
            case 2:
                data[-8:] = draw.randbytes(8)
            case 3 if at > 54:  # the test run takes no shorter ones
                del data[at:]
            case 4:
                data += draw.randbytes(draw.randrange(1, 5))
            case _:
                pass
    return bytes(data)


FRAMES = [frame.bytes() for frame in SEEDS + AWKWARD]


def run(responder: KernelResponder, hook: str, seed: int, frames: int) -> Counter[bool]:
    """How many were answered, and how many passed; the rest of the laws is checked."""
    draw = random.Random(seed)
    outcomes: Counter[bool] = Counter()
    told = publish(responder)
    for number in range(frames):
        slow = time.monotonic_ns() - told.template.mono_ns > SECOND.ns
        if number % 256 == 0 or slow:
            told = publish(
                responder,
                rate=draw.uniform(-5e-4, 5e-4),
                bound=Duration(draw.choice((0, 1_000, 15_259, 10**9, 3 * 10**13))),
                bound_rate=draw.choice((0.0, 1e-9, 31e-6, 0.5)),
                stratum=draw.choice((1, 1, 2, 15)),
                ref_id=draw.randbytes(4),
            )
        asked = mutant(draw)
        begun = time.monotonic_ns()
        verdict = responder.test(hook, asked)
        done = time.monotonic_ns()
        answered = is_plain(asked)
        outcomes[answered] += 1
        if answered:
            assert verdict.returned == ANSWERED[hook], asked.hex()
            check_reply(asked, verdict.frame, told, begun, done)
        else:
            assert verdict.returned == PASSED[hook], asked.hex()
            assert verdict.frame == asked
    return outcomes
