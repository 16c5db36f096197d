"""What other time servers can do to us, whatever they say; and what they cannot."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refclock.events import (
    NoReply,
    ServerAdded,
    ServerReply,
    Trust,
    UpstreamFact,
)
from refclock.ntp.mac import key
from refclock.timebase import (
    MILLISECOND,
    SECOND,
    ZERO,
    Duration,
    Local,
    Mono,
    Utc,
)
from refclock.upstream.association import Association
from refclock.upstream.filter import Interval
from refclock.upstream.poll import Poll
from refclock.upstream.sealing import Keyed, Plain
from refclock.upstream.select import agreement
from tests.unit.engine.by_hand import World, engine

KEY = key(1, "SHA256", b"a secret of both")
NAMES = ("a", "b", "c")
NOON = Utc.of(2026, 12, 1, 12)
lengths = st.integers(0, 3 * 10**9).map(Duration)
errors = st.one_of(
    st.just(ZERO),
    st.integers(-(10**7), 10**7).map(Duration),
    st.integers(-5, 5).map(lambda n: n * SECOND),
    st.integers(-(10**17), 10**17).map(Duration),
)


@given(
    honest=st.lists(st.tuples(lengths, st.floats(-1, 1)), min_size=1, max_size=5),
    liars=st.lists(st.tuples(errors, lengths), max_size=4),
)
def test_a_majority_that_is_right_is_never_outvoted(
    honest: list[tuple[Duration, float]], liars: list[tuple[Duration, Duration]]
) -> None:
    """True time lies in the interval selected, and every honest server agrees."""
    liars = liars[: len(honest) - 1]
    intervals = {
        f"honest{n}": Interval(NOON + Duration(int(half.ns * where)), half)
        for n, (half, where) in enumerate(honest)
    }
    intervals |= {
        f"liar{n}": Interval(NOON + error, half)
        for n, (error, half) in enumerate(liars)
    }
    found = agreement(intervals)
    assert found is not None
    assert abs(NOON - found.interval.utc) <= found.interval.half
    assert {f"honest{n}" for n in range(len(honest))} <= found.truechimers


Said = tuple[int, str, Duration, Duration, int, int]
"""At which second which server answers, with what error, delay, stratum and leap."""


@st.composite
def conspiracies(draw: st.DrawFn) -> list[Said]:
    """All servers lie alike, from one second to another."""
    error, leap = draw(errors), draw(st.integers(0, 2))
    begins, ends, every = draw(st.integers(0, 40)), draw(st.integers(41, 120)), 2
    return [
        (second, name, error, 20 * MILLISECOND, 1, leap)
        for second in range(begins, ends, every)
        for name in NAMES
    ]


ALL_LIE = [
    (second, name, 2 * SECOND, 20 * MILLISECOND, 1, 0)
    for second in range(0, 120, 2)
    for name in NAMES
]
attacks = st.one_of(
    conspiracies(),
    st.lists(
        st.tuples(
            st.integers(0, 119),
            st.sampled_from(NAMES),
            errors,
            st.integers(0, 2 * 10**9).map(Duration),
            st.integers(1, 15),
            st.integers(0, 2),
        ),
        max_size=60,
    ),
)


def facts(
    world: World,
    second: int,
    attack: list[Said],
) -> list[UpstreamFact]:
    """Those of that second; a delay of 2 s is an answer that was dropped."""
    true = world.leaps.posix(world.true)
    found: list[UpstreamFact] = []
    for at, name, error, delay, stratum, leap in attack:
        if at != second:
            continue
        if delay == 2 * SECOND:
            found.append(NoReply(world.mono, name, "no answer"))
            continue
        found.append(
            ServerReply(
                world.mono,
                name,
                true + error,
                delay,
                stratum,
                leap,
                ZERO,
                MILLISECOND,
                bytes([192, 0, 2, 1]),
            )
        )
    return found


def lived(
    attack: list[Said],
    trust: Trust | None,
    begins: int,
    seconds: int = 120,
    pulses_from: int = 0,
) -> tuple[World, list[object]]:
    """The world after so long, and what was published at stratum 1 in each second;
    the attack begins at second `begins`. `trust` None: there are no servers."""
    world = World(engine())
    published: list[object] = []
    for second in range(seconds):
        world.pulses = second >= pulses_from
        world.second()
        if trust is not None:
            if second == 0:
                for name in NAMES:
                    world.tell(ServerAdded(world.mono, name, "192.0.2.1", trust))
            if second >= begins:
                for fact in facts(world, second, attack):
                    world.tell(fact)
        own = world.engine.snapshot
        published.append(own if own.stratum == 1 else None)
    return world, published


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(attack=attacks, trust=st.sampled_from(Trust))
def test_a_clock_that_has_its_second_is_the_same_with_any_servers(
    attack: list[Said], trust: Trust
) -> None:
    """No phase, no bound, no command, no step comes from them: not from authenticated
    ones either."""
    alone, without = lived([], None, 0, 60)
    beside, among = lived(attack, trust, 20, 60)
    assert without[20:] == among[20:]
    assert alone.commands == beside.commands


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(attack=attacks)
@example(attack=ALL_LIE)
def test_who_forges_costs_a_cold_start_a_minute_and_an_alarm(
    attack: list[Said],
) -> None:
    """Stratum 1 begins `persist_s` late at most, and what is served then is right."""
    world, among = lived(attack, Trust.NOTHING, 0, pulses_from=30)
    assert among[100] is not None
    assert abs(world.wrong) <= world.bound
    assert world.bound < MILLISECOND


def association() -> Association:
    """One with an open question."""
    made = Association(
        "a", Keyed(KEY), Poll(16, 1024, burst=True), server_id=bytes(4), our_id=bytes(4)
    )
    made.ask(Mono(10**9), lambda: 42)
    made.sent(Local(10**18), 0)
    return made


@given(data=st.one_of(st.binary(max_size=100), st.binary(min_size=48, max_size=48)))
def test_no_bytes_from_a_stranger_are_an_answer(data: bytes) -> None:
    """With a key nothing forged is believed, obeyed, or raises."""
    made = association()
    before = made.poll.interval_s
    assert made.take(data, Local(10**18), Mono(10**9), 0) is None
    assert made.poll.interval_s == before
    assert not made.answered


@given(data=st.binary(min_size=48, max_size=48), received=st.integers(0, 10**12))
def test_whatever_a_server_answers_is_a_fact_or_nothing(
    data: bytes, received: int
) -> None:
    """Its fields may be anything: every reply is a sample, a refusal, or stray."""
    made = Association("a", Plain(), Poll(16, 64, burst=False), server_id=bytes(4))
    asked = made.ask(Mono(10**9), lambda: 42)
    made.sent(Local(10**18), 0)
    reply = bytes([data[0] & 0xF8 | 4]) + data[1:24] + asked[40:48] + data[32:]
    at = Local(10**18 + received)
    found = made.take(reply, at, Mono(10**9 + received), 0)
    assert found is None or isinstance(found, ServerReply | NoReply)
    if isinstance(found, ServerReply):
        assert found.delay >= ZERO
        assert 1 <= found.stratum <= 15
