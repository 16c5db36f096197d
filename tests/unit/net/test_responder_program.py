"""The program's instructions at their limits, run by this machine's kernel."""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, ip_network
from itertools import product

import pytest

from hw.abi.addresses import LOOPBACK, Link, links
from hw.abi.bpf.assembler import assemble
from hw.abi.bpf.programs import XDP, Program
from hw.linux.clock import FreeClock
from hw.net.responder import places, program
from hw.net.responder.instructions import clock, reply
from hw.net.responder.layout import SLOT
from hw.net.responder.program import XDP_PASS
from hw.net.responder.responder import KernelResponder
from refclock.board.responder import Pace, Place, Rule
from refclock.timebase import HOUR, MILLISECOND, SECOND, ZERO
from tests.fakes.frames import Frame, ones_sum, read
from tests.fakes.responder import (
    ANSWERED,
    EVERYWHERE,
    KINDS,
    NO_LIMIT,
    PASSED,
    PLAIN,
    publish,
)
from tests.rig.networks import cabled

ALL = [Rule(ip_network(each), True, False) for each in ("0.0.0.0/0", "::/0")]
Admit = Callable[..., KernelResponder]


@pytest.fixture
def admit() -> Iterator[Admit]:
    """A responder with one place, attached nowhere."""
    made: list[KernelResponder] = []

    def fresh(
        rules: Sequence[Rule] = ALL,
        pace: Pace = NO_LIMIT,
        addresses: Sequence[IPv4Address] = EVERYWHERE,  # type: ignore[assignment]
        stratum_least: int = 1,
    ) -> KernelResponder:
        try:
            made.append(KernelResponder(123, KINDS, 4096, "none"))
        except OSError as error:
            pytest.skip(f"the kernel takes no program here: {error}")
        made[-1].admit([Place(addresses, None, stratum_least, rules)], pace)
        publish(made[-1])
        return made[-1]

    yield fresh
    for each in made:
        each.close()


def outcomes(responder: KernelResponder, frames: Sequence[Frame], hook: str) -> str:
    """`y` answered, `u` passed up, `n` dropped."""
    found = [responder.test(hook, frame.bytes()).returned for frame in frames]
    letters = {ANSWERED[hook]: "y", PASSED[hook]: "u"}
    return "".join(letters.get(each, "n") for each in found)


HOOKS = pytest.mark.parametrize("hook", ["tc", "xdp"])


@HOOKS
def test_a_place_of_one_address(admit: Admit, hook: str) -> None:
    responder = admit(addresses=[IPv4Address("127.0.0.2")])
    frames = [Frame(PLAIN, to=f"127.0.0.{host}") for host in (1, 2, 3, 0)]
    assert outcomes(responder, frames, hook) == "uyuu"


@HOOKS
def test_every_byte_of_the_address_on_the_wire(admit: Admit, hook: str) -> None:
    others = [bytes(at) + b"\4" + bytes(11 - at) for at in range(6)]
    frames = [Frame(PLAIN, macs=macs) for macs in (bytes(12), *others)]
    assert outcomes(admit(), frames, hook) == "yuuuuuu"


def test_at_the_xdp_hook_the_address_is_the_interface_s(
    admit: Admit, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = b"\1\2\3\4\5\6"
    lo = Link("lo", 1, LOOPBACK, 0, mac)
    monkeypatch.setattr(places, "links", lambda: iter([lo]))
    responder = admit()
    others = [mac[:at] + b"\xff" + mac[at + 1 :] for at in range(6)]
    frames = [Frame(PLAIN, macs=to + bytes(6)) for to in (mac, bytes(6), *others)]
    assert outcomes(responder, frames, "xdp") == "yuuuuuuu"


@HOOKS
@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("0.1.2.3", "1.0.0.0", "126.0.0.1", "127.0.0.1", "128.0.0.1"), "uyyyy"),
        (("223.255.255.255", "224.0.0.1", "255.255.255.255"), "yuu"),
        (("::", "::1", "::2", "::ffff:10.0.0.1"), "uyuu"),
        (("fe80::1", "feff::1", "ff02::1", "2001:db8::1"), "yyuy"),
    ],
)
def test_sources_of_packets_from_here(
    admit: Admit, hook: str, sources: tuple[str, ...], expected: str
) -> None:
    to = "::1" if ":" in sources[0] else "127.0.0.1"
    frames = [Frame(PLAIN, source=source, to=to) for source in sources]
    assert outcomes(admit(), frames, hook) == expected


def test_loopback_addresses_from_outside() -> None:
    with cabled() as (server, _), server.entered():
        server.ip("address add fd77::1/64 dev eth0 nodad")
        try:
            responder = KernelResponder(123, KINDS, 4096, "none")
        except OSError as error:
            pytest.skip(f"the kernel takes no program here: {error}")
        responder.admit([Place(EVERYWHERE, None, 1, ALL)], NO_LIMIT)
        publish(responder)
        found = ""
        for source in ("10.0.0.1", "127.0.0.1", "fd00::1", "::1"):
            to = "fd77::1" if ":" in source else "10.77.0.1"
            found += outcome_at_eth0(responder, Frame(PLAIN, source=source, to=to))
        responder.close()
    assert found == "yuyu"


def outcome_at_eth0(responder: KernelResponder, frame: Frame) -> str:
    """As if it had come by that interface."""
    (eth0,) = (link for link in links() if link.name == "eth0")
    context = struct.pack("=40xI148x", eth0.index)
    data = eth0.mac + bytes(6) + frame.bytes()[12:]
    returned = responder.test("tc", data, context).returned
    return {ANSWERED["tc"]: "y", PASSED["tc"]: "u"}.get(returned, "n")


@HOOKS
def test_a_shared_address_that_no_rule_allows(admit: Admit, hook: str) -> None:
    responder = admit([*ALL, Rule(ip_network("10.0.0.0/8"), False, True)])
    frames = [Frame(PLAIN, source=source) for source in ("10.0.0.1", "11.0.0.1")]
    assert outcomes(responder, frames, hook) == "uy"


@HOOKS
@pytest.mark.parametrize("first", [0x45, 0x70, 0x00])
def test_ipv6_by_name_only(admit: Admit, hook: str, first: int) -> None:
    responder = admit()
    data = bytearray(Frame(PLAIN, source="::1", to="::1").bytes())
    data[14] = first
    assert responder.test(hook, bytes(data)).returned == PASSED[hook]


@HOOKS
def test_the_least_stratum(admit: Admit, hook: str) -> None:
    responder = admit(stratum_least=3)
    for ours, expected in ((1, 3), (3, 3), (5, 5)):
        publish(responder, stratum=ours)
        verdict = responder.test(hook, Frame(PLAIN).bytes())
        assert read(verdict.frame).frame.payload[1] == expected


@HOOKS
def test_what_is_counted_of_a_host(admit: Admit, hook: str) -> None:
    """Leap bits are not its version; last is its last; what is refused is counted."""
    responder = admit(pace=Pace(HOUR, HOUR, HOUR, 0.0, ZERO, ZERO))
    frame = Frame(b"\xdb" + PLAIN[1:]).bytes()
    responder.test(hook, frame)
    time.sleep(0.01)
    begun = FreeClock().read()[1]
    returned = [responder.test(hook, frame).returned for _ in range(4)]
    done = FreeClock().read()[1]
    assert returned.count(ANSWERED[hook]) == 1
    (host,) = responder.hosts()
    assert (host.version, host.count, host.limited) == (3, 5, 3)
    assert begun <= host.last <= done
    assert responder.counters() == (2, 3)


def test_the_bucket_of_a_network_fills_again(admit: Admit) -> None:
    every = 60 * MILLISECOND
    responder = admit(pace=Pace(MILLISECOND, every, 2 * every, 0.0, ZERO, ZERO))
    hosts = iter(range(1, 99))
    for _ in range(2):
        frames = [
            Frame(PLAIN, source=f"fd00::{next(hosts):x}", to="::1") for _ in range(4)
        ]
        assert outcomes(responder, frames, "tc") == "yyyn"
        time.sleep(4 * every.seconds)


def test_a_host_of_a_crowded_network_that_asks_again(admit: Admit) -> None:
    """Its second request is charged to the network too, its third is not."""
    responder = admit(pace=Pace(SECOND, HOUR, HOUR, 0.0, ZERO, ZERO))
    first, *others = (
        Frame(PLAIN, source=f"fd00::{host:x}", to="::1") for host in range(1, 4)
    )
    assert outcomes(responder, [first, *others, first, first], "tc") == "yynny"


def test_the_pace_of_requests_beyond_the_pace(admit: Admit) -> None:
    every = 60 * MILLISECOND
    nearly_all = 1.0 - 2.0**-32
    beyond = Pace(HOUR, HOUR, ZERO, nearly_all, every, 2 * every)
    responder = admit(pace=beyond)
    frames = [Frame(PLAIN)] * 4
    assert outcomes(responder, frames, "tc") == "yynn"
    time.sleep(5 * every.seconds)
    assert outcomes(responder, frames, "tc") == "yyyn"


def test_the_share_of_requests_beyond_the_pace(admit: Admit) -> None:
    responder = admit(pace=Pace(HOUR, HOUR, ZERO, 0.5, ZERO, ZERO))
    found = outcomes(responder, [Frame(PLAIN)] * 1_000, "tc")
    assert 400 < found.count("y") < 600
    assert set(found) == {"y", "n"}


NAMES = {**program._NAMES, **program._XDP, **program._IPV4}
BEGIN = """
    r6 = r1
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += -256
    r4 = 256
    call xdp_load_bytes
    r7 = r10                            # the slot, in bytes no copy of a frame needs
    r7 += -256
    r8 = r10
    r8 += -180
    r9 = *(u64 *)(r10 - 8)
"""
END = """
    *(u64 *)(r10 - 8) = r9
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += -256
    r4 = 256
    call xdp_store_bytes
    r0 = 2                              # XDP_PASS
    exit
"""
AT, NTP, UDP = 256 + NAMES["AT"], NAMES["NTP"], NAMES["UDP"]


UP = """
up:
    r0 = 1
    exit
"""


def run_piece(
    text: str, stack: Mapping[int, bytes], r9: int = 0, **names: int
) -> bytes | None:
    """The stack's 256 bytes after one piece of the program, alone; None: passed up.

    `stack`: what lies at its offsets before; `names`: the descriptors of maps.
    """
    whole = BEGIN + text.replace("@", "at_") + END
    whole += UP if "goto up" in text else ""
    known = {**NAMES, **names}
    code = Program(XDP, assemble(program._with(whole, program._IPV4), known), "piece")
    room = bytearray(256)
    for at, data in stack.items():
        room[at : at + len(data)] = data
    room[248:256] = r9.to_bytes(8, sys.byteorder)
    try:
        verdict = code.test(bytes(room))
    finally:
        code.close()
    return verdict.frame if verdict.returned == XDP_PASS else None


@pytest.fixture
def pieces(admit: Admit) -> None:
    """The kernel takes programs here."""
    admit()


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize(
    ("bound", "growth", "age", "units"),
    [
        (0, 0, 0, 1),
        (15_257, 0, 0, 1),
        (15_258, 0, 0, 2),
        (1_953_123, 0, 0, 128),
        (1_953_124, 0, 0, 128),
        (1_953_125, 0, 0, 129),
        (0, 1 << 31, 4_000_000_000, 131_073),
    ],
)
def test_root_dispersion_is_rounded_up(
    bound: int, growth: int, age: int, units: int
) -> None:
    slot = SLOT.struct.pack(0, 0, 0, 0, bound, growth, bytes(24))
    stack = {0: slot, 256 + NAMES["AGE"]: struct.pack("=Q", age)}
    found = run_piece(reply.HEADER, stack)
    assert found is not None
    said = found[AT + NTP :][8:12]
    assert int.from_bytes(said, "big") == units


@pytest.mark.usefixtures("pieces")
def test_t3_is_never_before_t2() -> None:
    """Where the clock of another CPU is behind."""
    t2 = 0xABCD_0123_4567_89AB
    for ahead, exact in ((SECOND, True), (-SECOND, False)):
        now = time.monotonic_ns() + ahead.ns
        stack = {
            256 + NAMES["NOW"]: struct.pack("=Q", now),
            256 + NAMES["T2"]: struct.pack("=Q", t2),
            256 + NAMES["GAIN"]: struct.pack("=Q", 1 << 30),
        }
        found = run_piece(clock.T3, stack, r9=now)
        assert found is not None
        t3 = int.from_bytes(found[AT + NTP + 40 :][:8], "big")
        if exact:
            assert t3 == t2
        else:
            assert 4.25 * SECOND.ns <= t3 - t2 < 5 * SECOND.ns


@pytest.mark.parametrize(("written", "read"), [(0, True), (1, True), (2, False)])
def test_a_slot_written_while_it_is_read(
    admit: Admit, written: int, read: bool
) -> None:
    """The next statement goes to the other slot, the one after it to the same."""
    responder = admit()
    begun = responder._statements
    for _ in range(written):
        publish(responder)
    stack = {256 + NAMES["READ"]: struct.pack("=Q", begun)}
    maps = {"PARAMETERS": responder._maps["PARAMETERS"].fd}
    assert (run_piece(clock.UNCHANGED, stack, **maps) is not None) is read


EDGES = (0, 1, 2, 0x7FFF, 0x8000, 0xFFFD, 0xFFFE, 0xFFFF)


@pytest.mark.usefixtures("pieces")
def test_a_checksum_is_changed_by_any_difference() -> None:
    """As RFC 1624 has it; what was none stays none, and none becomes none."""
    for before, low, high in product(EDGES, EDGES, (0, 1, 7)):
        difference = high << 16 | low
        stack = {AT + UDP + 6: struct.pack("=H", before)}
        found = run_piece(reply.XDP_SUM, stack, r9=difference)
        assert found is not None
        (after,) = struct.unpack_from("=H", found, AT + UDP + 6)
        if before == 0:
            assert after == 0
            continue
        assert after != 0
        total = (0xFFFF - before) + difference
        assert (0xFFFF - after) % 0xFFFF == total % 0xFFFF


@pytest.mark.usefixtures("pieces")
def test_t3_in_the_checksum() -> None:
    words = (0, 1, 0xFFFF, 0x10000, 0xFFFF_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)
    for so_far, first, second in product(words, repeat=3):
        stack = {
            256 + NAMES["SUM"]: struct.pack("=Q", so_far),
            AT + NTP + 40: struct.pack("=II", first, second),
        }
        found = run_piece(reply.SUM_T3, stack)
        assert found is not None
        (difference,) = struct.unpack_from("=Q", found, 248)
        assert difference < 1 << 19
        assert difference % 0xFFFF == (so_far + first + second) % 0xFFFF


@pytest.mark.usefixtures("pieces")
def test_the_header_holds_after_any_time_to_live() -> None:
    for ttl, checked in product((0, 1, 63, 64, 65, 254, 255), EDGES):
        head = bytearray(struct.pack(">BBHHHBBH8s", 0x45, 0, 76, 0, 0, ttl, 17, 0, b""))
        head[4:6] = (~(ones_sum(bytes(head)) + checked) & 0xFFFF).to_bytes(2, "big")
        head[10:12] = (~ones_sum(bytes(head)) & 0xFFFF).to_bytes(2, "big")
        found = run_piece(reply.IPV4_TURN, {AT + 14: bytes(head)})
        assert found is not None
        turned = found[AT + 14 :][:20]
        assert turned[8] == 64
        assert ones_sum(turned) == 0xFFFF
