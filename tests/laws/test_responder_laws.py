"""What the kernel answers, beside what the service would: frame by fuzzed frame."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from hw.linux.clock import FreeClock
from hw.net.responder.responder import KernelResponder
from refclock.ntp.packet import Packet
from refclock.published import STALE_AFTER
from refclock.timebase import (
    DAY,
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    LeapSecond,
    Local,
    Mono,
    Tai,
    Utc,
)
from tests.fakes.frames import Frame, read
from tests.fakes.responder import (
    ANSWERED,
    FRAMES,
    PASSED,
    PLAIN,
    is_plain,
    loaded,
    publish,
    run,
)


@pytest.fixture(scope="module", params=["tc", "xdp"])
def hook(request: pytest.FixtureRequest) -> str:
    named: str = request.param
    return named


@pytest.fixture(scope="module")
def responder() -> Iterator[KernelResponder]:
    try:
        made = loaded()
    except OSError as error:
        pytest.skip(f"the kernel takes no program here: {error}")
    yield made
    made.close()


def test_the_kernel_answers_plain_requests_as_the_service_does(
    responder: KernelResponder, hook: str
) -> None:
    outcomes = run(responder, hook, seed=1, frames=5_000)
    assert min(outcomes[True], outcomes[False]) > 1_000


@pytest.mark.slow
def test_it_does_so_over_hundreds_of_thousands_of_frames(
    responder: KernelResponder, hook: str
) -> None:
    outcomes = run(responder, hook, seed=2, frames=150_000)
    assert min(outcomes[True], outcomes[False]) > 30_000


def passes(responder: KernelResponder, hook: str) -> bool:
    """Is a plain request left to the service?"""
    verdict = responder.test(hook, Frame(PLAIN).bytes())
    assert verdict.returned in {ANSWERED[hook], PASSED[hook]}
    return verdict.returned == PASSED[hook]


def test_what_is_not_synchronised_is_never_told(
    responder: KernelResponder, hook: str
) -> None:
    publish(responder)
    assert not passes(responder, hook)
    now = Mono(time.monotonic_ns())
    for other in (
        {"stratum": 16},
        {"at": now - 31 * SECOND},
        {"bound": 70_000 * SECOND},
        {"bound_rate": 2.0},
        {"local": Local(time.time_ns() + 3 * SECOND.ns)},
    ):
        publish(responder, **other)
        assert passes(responder, hook), other


@pytest.mark.parametrize(
    ("away", "leap", "answered"),
    [
        (DAY + 5 * SECOND, 0, True),
        (DAY - SECOND, 1, True),
        (3 * SECOND, 1, True),
        (2 * SECOND, 1, False),
        (MILLISECOND, 1, False),
        (ZERO, 0, False),
        (-SECOND, 0, False),
        (-3 * SECOND, 0, True),
    ],
)
def test_near_a_leap_second_the_service_answers(
    responder: KernelResponder, hook: str, away: Duration, leap: int, answered: bool
) -> None:
    local, _ = FreeClock().read()
    at = Tai(local.ns) + 37 * SECOND + away
    publish(responder, leap=LeapSecond(at, 37 * SECOND, 38 * SECOND))
    verdict = responder.test(hook, Frame(PLAIN).bytes())
    assert (verdict.returned == ANSWERED[hook]) is answered
    if answered:
        reply = Packet.decode(read(verdict.frame).frame.payload)
        assert reply.leap == leap
        behind = 38 if away < ZERO else 37
        expected = Utc(local.ns + 37 * SECOND.ns - behind * SECOND.ns)
        assert ZERO <= reply.transmit.near(expected) - expected < SECOND


def test_it_ends_when_the_time_is_no_longer_told(
    responder: KernelResponder, hook: str
) -> None:
    """At the moment the last statement has run out, to the nanosecond."""
    local, mono = FreeClock().read()
    long_ago = STALE_AFTER - 500 * MILLISECOND
    told = publish(responder, at=mono - long_ago, local=local - long_ago)
    ends = told.snapshot.at + STALE_AFTER
    outcomes = set()
    before = mono
    while before < ends + 50 * MILLISECOND:
        before = Mono(time.monotonic_ns())
        passed = passes(responder, hook)
        after = Mono(time.monotonic_ns())
        if after < ends:
            assert not passed
        if before >= ends:
            assert passed
        outcomes.add(passed)
    assert outcomes == {True, False}


def test_a_slot_being_written_is_not_read(
    responder: KernelResponder, hook: str
) -> None:
    """Replies are those of one statement or the next while statements alternate."""
    stop = threading.Event()

    def alternate() -> None:
        for stratum in itertools.cycle((1, 2)):
            if stop.is_set():
                return
            publish(responder, stratum=stratum, ref_id=bytes([stratum] * 4))

    writer = threading.Thread(target=alternate)
    writer.start()
    try:
        seen = Counter[tuple[int, bytes]]()
        for _ in range(3_000):
            verdict = responder.test(hook, Frame(PLAIN).bytes())
            if verdict.returned == ANSWERED[hook]:
                said = read(verdict.frame).frame.payload
                seen[said[1], said[12:16]] += 1
    finally:
        stop.set()
        writer.join()
    assert set(seen) == {(1, b"\1\1\1\1"), (2, b"\2\2\2\2")}


def test_every_frame_costs_the_service_nothing_it_does_not_answer(
    responder: KernelResponder, hook: str
) -> None:
    """What the kernel answered is counted, and nothing else is."""
    publish(responder)
    before = responder.counters()
    for frame in FRAMES:
        responder.test(hook, frame)
    plain = sum(map(is_plain, FRAMES))
    assert responder.counters() == (before[0] + plain, before[1])


@pytest.mark.parametrize(
    ("age", "since", "back"),
    [
        (5 * MILLISECOND, 20 * MILLISECOND, 5 * MILLISECOND),
        (90 * MILLISECOND, 200 * MILLISECOND, 90 * MILLISECOND),
        (37 * SECOND + 5 * MILLISECOND, 20 * MILLISECOND, 5 * MILLISECOND),
        (DAY + 5 * MILLISECOND, 20 * MILLISECOND, 5 * MILLISECOND),
        (20 * MILLISECOND, 5 * MILLISECOND, None),
        (110 * MILLISECOND, 300 * MILLISECOND, ZERO),
        (-SECOND, 20 * MILLISECOND, ZERO),
    ],
)
def test_t2_is_the_kernels_stamp_of_the_frame(
    age: Duration, since: Duration, back: Duration | None
) -> None:
    """Unless it is too old to be one; not answered if older than the statement.

    CLOCK_TAI may be ahead of the stamp by whole seconds.
    """
    try:
        responder = loaded()
    except OSError as error:
        pytest.skip(f"the kernel takes no program here: {error}")
    told = publish(responder)
    time.sleep(since.seconds)
    before = time.monotonic_ns()
    context = struct.pack("=152xq32x", time.time_ns() - age.ns)
    verdict = responder.test("tc", Frame(PLAIN).bytes(), context)
    after = time.monotonic_ns()
    responder.close()
    assert (verdict.returned == ANSWERED["tc"]) is (back is not None)
    if back is not None:
        said = Packet.decode(read(verdict.frame).frame.payload)
        least, most = (told.stamp(at - back.ns) for at in (before, after))
        assert least - 8 <= said.receive.bits <= most + 8
        assert said.receive.bits <= said.transmit.bits
        assert told.stamp(before) - 8 <= said.transmit.bits <= told.stamp(after) + 8
