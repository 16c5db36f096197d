"""The service on a socket made of lists: who gets what, and how it is counted."""

import random
from dataclasses import replace
from ipaddress import ip_address

import pytest

from refclock.events import Command
from refclock.ntp.packet import Packet, PacketMode
from refclock.server.admission.clients import ClientStatus
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from refclock.timebase import (
    HOUR,
    MICROSECOND,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    NtpShort,
    NtpTimestamp,
    Tai,
    Utc,
)
from tests.fakes.published import right_at
from tests.fakes.wire import Received, Wire

UTC = Utc.of(2036, 2, 7, 6, 28, 16)
"""The first second of the second era."""
LOCAL, MONO = Local(UTC.ns), Mono(77 * SECOND.ns)
SERVED = replace(right_at(LOCAL, MONO), ref_id=b"GPS\0")
NEAR, FAR = bytes([10, 0, 0, 1]), bytes([8, 8, 8, 8])
REQUEST = bytes([0x23, 0, 6, 0]) + bytes(36) + b"whatever"
TOOK = 20 * MICROSECOND


class Clock:
    """Both clocks stand at the moment of the test."""

    era = 0

    def read(self) -> tuple[Local, Mono]:
        return LOCAL, MONO

    def apply(self, command: Command) -> None:
        raise NotImplementedError


class Running(Clock):
    """Both run when told to, and the local one can be stepped."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._now = LOCAL, MONO
        self.reads = 0

    def read(self) -> tuple[Local, Mono]:
        self.reads += 1
        return self._now

    def run(self, local: Duration, mono: Duration | None = None) -> None:
        """On by that much, and a request comes."""
        was_local, was_mono = self._now
        self._now = was_local + local, was_mono + (local if mono is None else mono)
        self._wire.clock_ns += local.ns
        self._wire.datagrams = (asked(at=self._wire.clock_ns - (LOCAL + TOOK).ns),)


def wire_with(*datagrams: Received) -> Wire:
    return Wire(*datagrams, now_ns=(LOCAL + TOOK).ns)


def sent(wire: Wire) -> list[tuple[int, Packet]]:
    return [(place, Packet.decode(reply)) for place, reply in wire.sent]


def asked(request: bytes = REQUEST, source: bytes = NEAR, at: int = 0) -> Received:
    return source, LOCAL.ns - TOOK.ns + at, request


def service(wire: Wire, settings: ServerSettings | None = None) -> NtpService:
    return NtpService(
        wire, lambda: SERVED, Clock(), settings or ServerSettings(), lambda: 0.1
    )


def test_a_sweep_answers_each_request_to_its_sender() -> None:
    other = replace(Packet.decode(REQUEST), version=3, transmit=NtpTimestamp(99))
    wire = wire_with(asked(), asked(b"junk"), asked(other.encode()))
    answering = service(wire)
    answering.serve(SECOND)
    (first, one), (second, two) = sent(wire)
    assert (first, second) == (0, 2)
    assert one.origin == Packet.decode(REQUEST).transmit
    assert (two.origin, two.version) == (NtpTimestamp(99), 3)
    for packet in (one, two):
        assert packet.mode is PacketMode.SERVER
        assert packet.receive.near(UTC) == UTC - TOOK
        assert packet.transmit.near(UTC) == UTC + TOOK
    counters = answering.counters()
    assert (counters["requests"], counters["answered"]) == (3, 2)
    assert counters["malformed"] == 1
    assert counters["kernel_dropped"] == 7


REFUSED = [
    pytest.param(asked(bytes(10)), "malformed", id="short"),
    pytest.param(asked(b""), "malformed", id="empty"),
    pytest.param(asked(REQUEST + bytes(5)), "malformed", id="tail"),
    pytest.param(asked(b"\x2b" + REQUEST[1:]), "mode_or_version", id="version 5"),
    *(
        pytest.param(
            asked(bytes([0x20 | mode]) + REQUEST[1:]), "mode_or_version", id=mode.name
        )
        for mode in PacketMode
        if mode not in {PacketMode.CLIENT, PacketMode.SYMMETRIC_ACTIVE}
    ),
    pytest.param(asked(source=FAR), "denied", id="denied"),
    pytest.param(asked(at=SECOND.ns), "clock_stepped", id="from the future"),
    pytest.param(asked(at=-11 * SECOND.ns), "clock_stepped", id="from the past"),
]


@pytest.mark.parametrize(("datagram", "why"), REFUSED)
def test_a_refusal_is_silent_and_counted(datagram: Received, why: str) -> None:
    wire = wire_with(datagram)
    answering = service(wire)
    answering.serve(SECOND)
    assert wire.sent == []
    usual = service(wire_with()).counters()
    counters = answering.counters()
    assert {name: counters[name] for name in counters.keys() - usual.keys()} == {why: 1}


def test_of_a_sweep_only_what_came_before_the_clock_was_stepped_is_refused() -> None:
    wire = wire_with(asked(at=-11 * SECOND.ns), asked())
    service(wire).serve(SECOND)
    assert [place for place, _ in sent(wire)] == [1]


def test_a_mac_or_field_is_answered_without() -> None:
    wire = wire_with(
        asked(REQUEST + bytes(20)), asked(REQUEST + b"\1\4\0\x1c" + bytes(24))
    )
    service(wire).serve(SECOND)
    assert [slot for slot, _ in sent(wire)] == [0, 1]


def test_who_asks_too_often_is_told_so_if_that_is_wished() -> None:
    wire = wire_with(*[asked()] * 9)
    pace = RateLimitSettings(burst=8, leak=0, kiss=True)
    answering = service(wire, ServerSettings(rate_limit=pace))
    answering.serve(SECOND)
    (*_, (slot, last)) = sent(wire)
    assert slot == 8
    assert (last.stratum, last.ref_id, last.poll) == (0, b"RATE", 7)
    assert answering.counters()["warned"] == 1


def test_of_a_sweep_all_that_is_answered_is_charged() -> None:
    control = asked(b"\x26" + REQUEST[1:])
    wire = wire_with(*[asked()] * 2)
    pace = RateLimitSettings(burst=8, leak=0)
    answering = service(wire, ServerSettings(rate_limit=pace))
    answering.serve(SECOND)
    wire.datagrams = [*[control] * 9, *[asked(b"\x1b" + REQUEST[1:])] * 6]
    answering.serve(SECOND)
    (client,) = answering.clients(9)
    assert (client.count, client.version) == (8, 3)
    assert "limited" not in answering.counters()
    wire.datagrams = [asked()]
    answering.serve(SECOND)
    assert answering.counters()["limited"] == 1


def test_the_denied_are_told_only_if_asked_for() -> None:
    wire = wire_with(asked(source=FAR))
    service(wire, ServerSettings(tell_denied=True)).serve(SECOND)
    ((_, packet),) = sent(wire)
    assert (packet.stratum, packet.ref_id) == (0, b"DENY")


def serve_and_learn(answering: NtpService, wire: Wire) -> list[Packet]:
    """Nine sweeps, a rest apart; what the last replied."""
    wire.leaves_after_ns = 9_000
    for _ in range(9):
        wire.clock_ns += 10 * MILLISECOND.ns
        answering.serve(SECOND)
    return [packet for _, packet in sent(wire)[-len(wire.datagrams) :]]


def test_t3_is_when_the_reply_will_leave_as_learned() -> None:
    wire = wire_with(asked(), asked(), asked())
    for place, packet in enumerate(serve_and_learn(service(wire), wire)):
        lead = packet.transmit.near(UTC) - Utc(wire.clock_ns)
        assert abs(lead - (9 + place) * MICROSECOND) <= Duration(1)


def test_learning_can_be_switched_off() -> None:
    wire = wire_with(asked(), asked())
    answering = service(wire, ServerSettings(learn_transmit_delay=False))
    for packet in serve_and_learn(answering, wire):
        assert packet.transmit.near(UTC) == Utc(wire.clock_ns)


def ask_again(wire: Wire, receive: int, *, origin: NtpTimestamp | None = None) -> None:
    """The next request refers to when the last was received."""
    told = sent(wire)[-1][1].receive if origin is None else origin
    request = replace(
        Packet.decode(REQUEST), origin=told, receive=NtpTimestamp(receive)
    )
    wire.datagrams = (asked(request.encode(), at=receive),)


def test_interleaved_the_reply_tells_when_the_previous_one_left() -> None:
    wire = wire_with(asked())
    answering = service(wire)
    answering.serve(SECOND)
    for receive in (101, 102, 103):
        ask_again(wire, receive)
        wire.leaves_after_ns = receive
        answering.serve(SECOND)
    *_, basic, second, third = [packet for _, packet in sent(wire)]
    assert basic.origin == Packet.decode(REQUEST).transmit
    for packet, receive in ((second, 102), (third, 103)):
        assert packet.origin == NtpTimestamp(receive)
        left = packet.transmit.near(UTC) - UTC
        assert left == TOOK + Duration(receive - 1)
    (client,) = answering._admission.clients()
    assert (client.interleaved, len(client._chains)) == (2, 3)


def test_who_was_never_here_is_answered_in_basic_mode_whatever_it_asks() -> None:
    known = replace(Packet.decode(REQUEST), origin=NtpTimestamp(1)).encode()
    wire = wire_with(asked(known))
    service(wire).serve(SECOND)
    ((_, packet),) = sent(wire)
    assert packet.origin == Packet.decode(REQUEST).transmit


def test_of_what_gets_no_answer_no_departure_is_kept() -> None:
    wire = wire_with(asked(), asked())
    answering = service(wire)
    answering.serve(SECOND)
    again = replace(Packet.decode(REQUEST), origin=NtpTimestamp(1)).encode()
    wire.datagrams = [asked(b"\x26" + again[1:]), asked(again)]
    answering.serve(SECOND)
    (client,) = answering._admission.clients()
    assert [place for place, _ in sent(wire)] == [0, 1, 1]
    assert len(client._offers) == 1


def test_an_origin_we_never_told_is_answered_in_basic_mode() -> None:
    wire = wire_with(asked())
    answering = service(wire)
    answering.serve(SECOND)
    for receive in (101, 102):
        ask_again(wire, receive, origin=NtpTimestamp(12345))
        answering.serve(SECOND)
    for _, packet in sent(wire):
        assert packet.origin == Packet.decode(REQUEST).transmit


def test_a_request_whose_two_cookies_are_one_is_answered_in_basic_mode() -> None:
    """Else the client could not tell the one kind of reply from the other."""
    wire = wire_with(asked())
    answering = service(wire)
    answering.serve(SECOND)
    for _ in range(3):
        ask_again(wire, Packet.decode(REQUEST).transmit.bits)
        wire.datagrams = (asked(wire.datagrams[0][2]),)
        answering.serve(SECOND)
    (client,) = answering._admission.clients()
    assert (client.interleaved, client._chains, client._offers) == (0, {}, {})


def test_the_interleaved_mode_can_be_switched_off() -> None:
    wire = wire_with(asked())
    answering = service(wire, ServerSettings(interleaved=False))
    answering.serve(SECOND)
    for receive in (101, 102, 103):
        ask_again(wire, receive)
        answering.serve(SECOND)
    assert {packet.origin for _, packet in sent(wire)} == {
        Packet.decode(REQUEST).transmit
    }


def test_who_asks_again_is_in_the_table_of_clients_the_busiest_first() -> None:
    once, often, twice = (bytes([10, 0, 0, n]) for n in (2, 3, 4))
    wire = wire_with(*map(asked, [REQUEST] * 14, [FAR] * 3 + [twice] * 2 + [often] * 9))
    pace = RateLimitSettings(burst=8, leak=0)
    answering = service(wire, ServerSettings(rate_limit=pace))
    answering.serve(SECOND)
    wire.datagrams = [
        asked(b"\x1b" + REQUEST[1:], ip_address("2001:db8::7").packed),
        asked(b"\x1b" + REQUEST[1:], ip_address("2001:db8::7").packed),
        asked(source=once),
    ]
    rules = ServerSettings(allow=("0.0.0.0/0", "::/0"))
    assert answering.clients(9) == [
        ClientStatus("10.0.0.3", 0.0, 9, 4, 0, 1),
        ClientStatus("10.0.0.4", 0.0, 2, 4, 0, 0),
    ]
    assert answering.clients(1) == answering.clients(9)[:1]
    assert answering.counters()["newcomers"] == 0
    answering.reload_access(rules)
    answering.serve(SECOND)
    assert answering.clients(9) == [ClientStatus("2001:db8::7", 0.0, 2, 3, 0, 0)]
    counters = answering.counters()
    assert (counters["clients"], counters["newcomers"]) == (1, 1)


def test_of_a_client_it_is_told_how_long_ago_it_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = wire_with(asked(), asked())
    answering = service(wire)
    answering.serve(SECOND)
    for passed, told in ((Duration(1_500_000_000), 1.5), (ZERO - SECOND, 0.0)):
        now = LOCAL + passed, MONO + passed
        monkeypatch.setattr(Clock, "read", lambda _, now=now: now)
        assert [client.age_s for client in answering.clients(9)] == [told]


def test_a_host_that_is_denied_is_listed_as_such() -> None:
    near, far = (ip_address(f"2001:db8::{n}").packed for n in (7, 8))
    wire = wire_with(*[asked(source=near)] * 2, *[asked(source=far)] * 3)
    answering = service(wire, ServerSettings(allow=("2001:db8::7/128",)))
    answering.serve(SECOND)
    assert answering.clients(9) == [ClientStatus("2001:db8::7", 0.0, 2, 4, 0, 0)]
    assert answering.denied(9) == [ClientStatus("2001:db8::8", 0.0, 3, 4, 0, 0)]
    assert answering.denied(0) == []


def test_what_is_published_is_told_at_once() -> None:
    """No time passes between one sweep and the next."""
    wire = wire_with(asked())
    published = [SERVED]
    answering = NtpService(
        wire, lambda: published[-1], Clock(), ServerSettings(), random.random
    )
    bound = MILLISECOND * 70
    for each in (SERVED, replace(SERVED, stratum=16), replace(SERVED, bound=bound)):
        published.append(each)
        answering.serve(SECOND)
    (_, before), (_, lost), (_, again) = sent(wire)
    assert (before.leap, before.stratum) == (0, 1)
    assert (lost.leap, lost.stratum, lost.ref_id) == (3, 0, bytes(4))
    assert (lost.reference.bits, lost.root_dispersion.seconds) == (0, 16)
    assert (again.leap, again.stratum) == (0, 1)
    assert again.root_dispersion == NtpShort.of(bound)


def test_between_two_publications_the_bound_grows() -> None:
    wire = wire_with(asked())
    clock = Running(wire)
    snapshot = replace(SERVED, bound_rate=1e-3)
    answering = NtpService(
        wire, lambda: snapshot, clock, ServerSettings(), random.random
    )
    for passed in (ZERO, 100 * MILLISECOND, SECOND):
        clock.run(passed)
        answering.serve(SECOND)
    assert [packet.root_dispersion for _, packet in sent(wire)] == [
        NtpShort.of(snapshot.bound_at(MONO + passed))
        for passed in (ZERO, 100 * MILLISECOND, 1100 * MILLISECOND)
    ]


@pytest.mark.parametrize("step", [50 * MILLISECOND, -50 * MILLISECOND])
def test_when_another_steps_the_clock_the_time_served_is_not(step: Duration) -> None:
    wire = wire_with(asked())
    clock = Running(wire)
    answering = NtpService(wire, lambda: SERVED, clock, ServerSettings(), random.random)
    answering.serve(SECOND)
    clock.run(step, ZERO)
    answering.serve(SECOND)
    assert [packet.receive.near(UTC) for _, packet in sent(wire)] == [UTC - TOOK] * 2


def test_what_all_replies_of_a_millisecond_say_is_worked_out_once() -> None:
    wire = wire_with(asked())
    clock = Running(wire)
    answering = NtpService(wire, lambda: SERVED, clock, ServerSettings(), random.random)
    reads = []
    for passed in (300, 300, 300, 300, 2000):
        clock.run(passed * MICROSECOND)
        answering.serve(SECOND)
        reads.append(clock.reads)
    assert reads == [1, 1, 1, 2, 3]


def test_silence_is_nothing_and_close_closes() -> None:
    wire = wire_with()
    answering = service(wire)
    answering.serve(SECOND)
    assert answering.counters()["requests"] == 0
    assert answering.name == wire.name
    answering.close()
    assert wire.closed


LEAP = LeapSecond(Tai(UTC.ns + 37 * SECOND.ns) + HOUR, 37 * SECOND, 38 * SECOND)


def test_a_listener_that_smears_says_nothing_of_the_leap_it_spreads() -> None:
    said = []
    for leap in (None, LeapMode.ANNOUNCE, LeapMode.SMEAR):
        wire = wire_with(asked())
        NtpService(
            wire,
            lambda: replace(SERVED, leap=LEAP),
            Clock(),
            ServerSettings(),
            random.random,
            listener=ListenerSettings(leap=leap),
        ).serve(SECOND)
        ((_, packet),) = sent(wire)
        said.append((packet.leap, packet.transmit.near(UTC) - UTC < ZERO))
    assert said == [(1, False), (1, False), (0, True)]


def test_a_leap_second_long_known_is_smeared_after_it_was() -> None:
    begun = replace(LEAP, at=LEAP.at - 2 * HOUR)
    wire = wire_with(asked())
    NtpService(
        wire,
        lambda: replace(SERVED, utc_behind_tai=38 * SECOND),
        Clock(),
        ServerSettings(),
        random.random,
        listener=ListenerSettings(leap=LeapMode.SMEAR),
        leaps=[begun],
    ).serve(SECOND)
    ((_, packet),) = sent(wire)
    ahead = packet.transmit.near(UTC) - UTC + SECOND
    assert abs(ahead - Duration(458_338_000)) < MILLISECOND


@pytest.mark.parametrize(("stratum", "said"), [(1, 4), (16, 0)])
def test_a_listener_says_at_least_its_stratum(stratum: int, said: int) -> None:
    wire = wire_with(asked())
    NtpService(
        wire,
        lambda: replace(SERVED, stratum=stratum),
        Clock(),
        ServerSettings(),
        random.random,
        listener=ListenerSettings(stratum_least=4),
    ).serve(SECOND)
    ((_, packet),) = sent(wire)
    assert packet.stratum == said


def test_a_listener_has_its_own_rules_also_after_a_reload() -> None:
    open_to_all = ListenerSettings(("10.0.0.9",), 123, allow=("0.0.0.0/0",))
    wire = wire_with(asked(source=NEAR), asked(source=FAR))
    answering = NtpService(
        wire,
        lambda: SERVED,
        Clock(),
        ServerSettings(),
        random.random,
        listener=open_to_all,
    )

    def answered() -> list[int]:
        wire.sent.clear()
        answering.serve(SECOND)
        return [slot for slot, _ in sent(wire)]

    assert answered() == [0, 1]
    for listener, who in (
        (replace(open_to_all, deny=("10.0.0.0/8",)), [1]),
        (replace(open_to_all, allow=None), [0]),
        (replace(open_to_all, port=1123, allow=()), [0, 1]),
    ):
        settings = ServerSettings(listen=("10.0.0.8",), listener=(listener,))
        answering.reload_access(settings)
        assert answered() == who
    answering.reload_access(ServerSettings(deny=("8.0.0.0/8",)))
    assert answered() == [0]


def test_the_least_stratum_said_is_read_anew() -> None:
    listener = ListenerSettings(("10.0.0.9",), stratum_least=3)
    wire = wire_with(asked())
    answering = NtpService(
        wire,
        lambda: SERVED,
        Clock(),
        ServerSettings(),
        random.random,
        listener=listener,
    )
    said = []
    for least in (3, 5, 1):
        fresh = replace(listener, stratum_least=least)
        answering.reload_access(ServerSettings(("10.0.0.8",), listener=(fresh,)))
        answering._moment = answering.template_now()  # what is made each millisecond
        answering.serve(SECOND)
        said.append(sent(wire)[-1][1].stratum)
    assert said == [3, 5, 1]
