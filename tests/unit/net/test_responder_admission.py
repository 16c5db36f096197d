"""One table of requests against both paths: the service and the kernel."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from hw.linux.clock import FreeClock
from hw.net.responder.program import DROP, REDIRECTED
from hw.net.responder.responder import KernelResponder
from refclock.server.admission.admit import Admission, Decision
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.plain import Standing, pace, places, statement
from refclock.server.reply import answers
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings
from tests.fakes.frames import Frame
from tests.fakes.published import right_at

PLAIN = b"\x23\0\x06\xec" + bytes(36) + b"asked me"
ORIGIN = PLAIN[:24] + b"origin\1\1" + PLAIN[32:]
TO = {4: "127.0.0.1", 6: "::1"}
NEVER = RateLimitSettings(interval_s=3600, burst=8, leak=0.0)
"""Buckets of 8 that stay empty."""


@dataclass(frozen=True)
class Row:
    """Requests of some hosts, and which of them are answered."""

    name: str
    requests: list[tuple[str, bytes]]
    answered: str
    """A character for each: `y` or `n`."""
    rate_limit: RateLimitSettings = NEVER
    settings: dict[str, object] = field(default_factory=dict)


A, B, C = "10.0.0.1", "10.0.0.2", "10.5.0.1"
X, Y, Z = "fd00::1", "fd00::2", "fd00:0:0:1::1"
TABLE = [
    Row("a burst", [(A, PLAIN)] * 10, "yyyyyyyynn"),
    Row("another host is not charged", [(A, PLAIN)] * 9 + [(B, PLAIN)], "yyyyyyyyny"),
    Row("of IPv6 too", [(X, PLAIN)] * 9 + [(Y, PLAIN)], "yyyyyyyyny"),
    Row("whatever it asks", [(A, PLAIN), (A, ORIGIN)] * 5, "yyyyyyyynn"),
    Row("no limit", [(A, PLAIN)] * 50, "y" * 50, RateLimitSettings(enabled=False)),
    Row(
        "a network has a bucket for newcomers",
        [(f"fd00::{host:x}", PLAIN) for host in range(1, 19)] + [(Z, PLAIN)],
        "yyyyyyyyyyyyyyynnny",
        RateLimitSettings(interval_s=3600, burst=8, leak=0.0, network=2),
    ),
    Row(
        "who is remembered is not charged for the others",
        [(X, PLAIN)] * 3 + [(f"fd00::f{at}", PLAIN) for at in range(9)] + [(X, PLAIN)],
        "yyyyyyyyynnn" + "y",
        RateLimitSettings(interval_s=3600, burst=8, leak=0.0, network=1),
    ),
    Row(
        "a shared address has the pace of many",
        [("10.5.0.1", PLAIN)] * 34 + [(A, PLAIN)] * 9,
        "y" * 29 + "nnnnn" + "y" * 8 + "n",
        RateLimitSettings(
            interval_s=3600, burst=8, leak=0.0, network=4, shared=("10.5.0.0/16",)
        ),
    ),
    Row("who is in no rule", [("8.8.8.8", PLAIN), ("2001:db8::1", PLAIN)], "nn"),
    Row(
        "the longest prefix decides",
        [(host, PLAIN) for host in ("10.1.1.1", "10.1.2.1", "10.1.2.9", "10.2.0.1")],
        "ynyn",
        settings={
            "allow": ("10.0.0.0/8", "10.1.2.9/32"),
            "deny": ("10.1.2.0/24", "10.2.0.0/16"),
        },
    ),
    Row(
        "a denial of the same length wins, and a network in a network",
        [(host, PLAIN) for host in ("10.0.0.1", "10.1.0.0", "10.0.0.0", "fd00::1")],
        "nnyn",
        settings={
            "allow": ("10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/32", "fd00::/64"),
            "deny": ("10.1.0.0/16", "fd00::/64", "10.0.0.0/31"),
        },
    ),
    Row(
        "what is no host's address",
        [(host, PLAIN) for host in ("224.0.0.1", "255.255.255.255", "ff02::1")],
        "nnn",
        settings={"allow": ("0.0.0.0/0", "::/0")},
    ),
    Row(
        "everybody",
        [(host, PLAIN) for host in ("8.8.8.8", "2001:db8::1", "192.0.2.1")],
        "yyy",
        settings={"allow": ("0.0.0.0/0", "::/0")},
    ),
]


def settings_of(row: Row) -> ServerSettings:
    return ServerSettings(rate_limit=row.rate_limit, **row.settings)  # type: ignore[arg-type]


def by_admission(row: Row) -> str:
    """What the service answers."""
    settings = settings_of(row)
    access = settings.access(ListenerSettings())
    admission = Admission(access, settings.rate_limit, random.Random(1).random)
    now = time.monotonic_ns()
    return "".join(
        "y"
        if admission.admit(ip_address(host).packed, 4, now) is Decision.SERVE
        else "n"
        for host, _ in row.requests
    )


def prepared(responder: KernelResponder, settings: ServerSettings) -> None:
    """Answer by these settings, and the right time."""
    plain = ListenerSettings(leap=LeapMode.ANNOUNCE)
    standing = [Standing(each, None, plain) for each in ("0.0.0.0", "::")]  # noqa: S104
    responder.admit(places(standing, settings), pace(settings.rate_limit))
    local, mono = FreeClock().read()
    responder.state(statement(right_at(local, mono), local, mono))


def by_kernel(responder: KernelResponder, row: Row) -> str:
    """What the kernel answers; of what it passes on, what it did not refuse."""
    settings = settings_of(row)
    prepared(responder, settings)
    access = settings.access(ListenerSettings())
    told = ""
    for host, payload in row.requests:
        address = ip_address(host)
        frame = Frame(payload, source=host, to=TO[address.version]).bytes()
        returned = responder.test("tc", frame).returned
        assert (returned == REDIRECTED) <= (payload is PLAIN)
        passed_and_denied = not access.allows(address.packed)
        told += "n" if returned == DROP or passed_and_denied else "y"
        assert not (returned == REDIRECTED and passed_and_denied)
    return told


@pytest.fixture(scope="module")
def responder() -> Iterator[KernelResponder]:
    try:
        made = KernelResponder(123, answers(symmetric=True), 4096, "none")
    except OSError as error:
        pytest.skip(f"the kernel takes no program here: {error}")
    yield made
    made.close()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_service(row: Row) -> None:
    assert by_admission(row) == row.answered


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_kernel(responder: KernelResponder, row: Row) -> None:
    assert by_kernel(responder, row) == row.answered


def test_a_share_of_what_is_beyond_the_pace_is_answered(
    responder: KernelResponder,
) -> None:
    """At most 2,500 a second to one host, and of those asked a quarter."""
    limits = RateLimitSettings(interval_s=3600, burst=8, leak=0.25)
    prepared(responder, ServerSettings(rate_limit=limits))
    frame = Frame(PLAIN).bytes()
    returned = []
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        returned.append(responder.test("tc", frame).returned)
    leaked = returned[8:].count(REDIRECTED)
    assert returned.count(DROP) == len(returned) - 8 - leaked
    assert 0 < leaked < 0.3 * 2500 + 20
    assert leaked <= 0.35 * len(returned)
    (host,) = responder.hosts()
    assert (host.count, host.limited) == (len(returned), returned.count(DROP))
    assert (str(host.address), host.version) == ("127.0.0.1", 4)


def test_a_bucket_fills_again(responder: KernelResponder) -> None:
    limits = RateLimitSettings(interval_s=0.02, burst=8, leak=0.0)
    prepared(responder, ServerSettings(rate_limit=limits))
    frame = Frame(PLAIN, source="10.3.0.1").bytes()
    begun = time.monotonic()
    answered = 0
    while time.monotonic() < begun + 0.5:
        answered += responder.test("tc", frame).returned == REDIRECTED
    assert 28 <= answered <= 8 + (time.monotonic() - begun) / 0.02 + 1


def test_new_rules_make_all_hosts_new_and_old_ones_are_gone(
    responder: KernelResponder,
) -> None:
    frame = Frame(PLAIN, source=A).bytes()
    for _ in range(3):
        prepared(responder, ServerSettings(rate_limit=NEVER))
        assert responder.hosts() == []
        returned = [responder.test("tc", frame).returned for _ in range(9)]
        assert returned == [REDIRECTED] * 8 + [DROP]
    prepared(responder, ServerSettings(rate_limit=NEVER, deny=("10.0.0.0/16",)))
    assert responder.test("tc", frame).returned not in {REDIRECTED, DROP}
    rules = len(places_of(ServerSettings(deny=("10.0.0.0/16",))))
    assert len([*responder._maps["RULES"]]) == 2 * rules


def places_of(settings: ServerSettings) -> list[object]:
    """The rules of one place."""
    plain = Standing("::", None, ListenerSettings())
    return [*places([plain], settings)[0].rules]


def test_hosts_are_counted_by_address(responder: KernelResponder) -> None:
    prepared(responder, ServerSettings())
    for host, times in ((A, 3), (X, 2)):
        to = TO[ip_address(host).version]
        for _ in range(times):
            responder.test("tc", Frame(PLAIN, source=host, to=to).bytes())
    counted = {host.address: host.count for host in responder.hosts()}
    assert counted == {IPv4Address(A): 3, IPv6Address(X): 2}
