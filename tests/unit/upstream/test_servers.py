from __future__ import annotations

import pytest

from refclock.events import NoReply, ServerAdded, ServerRemoved, Trust
from refclock.reasons import Code
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration
from refclock.upstream.servers import Standing, Upstreams
from tests.unit.upstream.by_hand import NOON, START, reply, upstreams

NOW = START + 3 * SECOND
NTS = {"a": Trust.NTS}


def marks(made: Upstreams) -> dict[str, str]:
    return {row.server.name: row.standing.value for row in made.rows(NOW)}


def codes(made: Upstreams) -> dict[str, Code | None]:
    rows = made.rows(NOW)
    return {row.server.name: row.why.code if row.why else None for row in rows}


def test_three_that_agree_are_one_witness() -> None:
    made = upstreams(dict.fromkeys("abc", ZERO))
    selected = made.select(NOW)
    assert selected is not None
    assert (selected.agree, selected.of, selected.proven) == (3, 3, False)
    assert selected.interval.utc == NOON + 3 * SECOND
    assert marks(made) == {"a": "*", "b": "+", "c": "+"}


def test_the_nearest_to_the_reference_clock_is_the_peer() -> None:
    made = upstreams({"a": ZERO})
    made.observe(ServerAdded(START, "b", "192.0.2.2", Trust.NOTHING))
    for n in range(3):
        made.observe(reply("b", after=n * SECOND, stratum=3, root=ZERO))
    selected = made.select(NOW)
    assert selected is not None
    assert selected.peer == "a"


def test_a_falseticker_is_named_with_its_distance() -> None:
    made = upstreams({"a": ZERO, "b": ZERO, "c": SECOND})
    (row,) = (each for each in made.rows(NOW) if each.server.name == "c")
    assert row.standing is Standing.FALSETICKER
    assert row.why is not None
    assert row.why.parameters["offset_s"] == pytest.approx(1.0)


def test_one_is_believed_only_if_nobody_can_forge_it() -> None:
    assert upstreams({"a": ZERO}).select(NOW) is None
    assert codes(upstreams({"a": ZERO})) == {"a": Code.SERVER_ALONE}
    for trust in (Trust.NTS, Trust.KEY, Trust.OPERATOR):
        selected = upstreams({"a": ZERO}, {"a": trust}).select(NOW)
        assert selected is not None
        assert selected.proven


def test_one_honest_with_nts_against_two_liars() -> None:
    made = upstreams({"a": ZERO, "b": SECOND, "c": SECOND}, NTS)
    selected = made.select(NOW)
    assert selected is not None
    assert (selected.agree, selected.of, selected.nts) == (1, 1, 1)
    assert abs(selected.interval.utc - (NOON + 3 * SECOND)) < MILLISECOND
    assert marks(made) == {"a": "*", "b": "x", "c": "x"}


def test_others_agree_without_a_vote() -> None:
    made = upstreams({"a": ZERO, "b": ZERO}, NTS)
    assert marks(made) == {"a": "*", "b": "-"}
    assert codes(made)["b"] is Code.SERVER_WITHOUT_VOTE


def test_those_that_can_be_forged_do_not_decide_while_the_others_are_silent() -> None:
    made = upstreams({"b": ZERO, "c": ZERO})
    made.observe(ServerAdded(START, "a", "", Trust.NTS))
    assert made.select(NOW) is None


def test_eight_questions_without_an_answer_make_it_unreachable() -> None:
    made = upstreams({"a": ZERO, "b": ZERO})
    for _ in range(8):
        made.observe(NoReply(NOW, "a", "no answer"))
    assert made.select(NOW) is None
    assert codes(made)["a"] is Code.SERVER_UNREACHABLE


@pytest.mark.parametrize(
    ("delay", "error", "code"),
    [
        (4 * SECOND, ZERO, Code.SERVER_FAR),
        (20 * MILLISECOND, 3 * SECOND, Code.SERVER_JITTERY),
    ],
)
def test_one_far_away_or_that_scatters_is_not_used(
    delay: Duration, error: Duration, code: Code
) -> None:
    made = Upstreams()
    made.observe(ServerAdded(START, "a", "192.0.2.1", Trust.NTS))
    for n in range(4):
        made.observe(reply(after=n * SECOND, delay=delay, error=n % 2 * error))
    assert codes(made) == {"a": code}


def test_too_few_samples_are_none() -> None:
    made = Upstreams()
    made.observe(ServerAdded(START, "a", "192.0.2.1", Trust.NTS))
    made.observe(reply())
    assert codes(made) == {"a": Code.SERVER_NEW}


def test_the_leap_is_that_of_more_than_half() -> None:
    made = Upstreams()
    for name, leap in (("a", 1), ("b", 1), ("c", 0)):
        made.observe(ServerAdded(START, name, "192.0.2.1", Trust.NOTHING))
        for n in range(3):
            made.observe(reply(name, after=n * SECOND, leap=leap))
    selected = made.select(NOW)
    assert selected is not None
    assert selected.leap == 1


def test_what_is_replaced_removed_or_slept_over_is_forgotten() -> None:
    made = upstreams(dict.fromkeys("abc", ZERO))
    made.observe(ServerAdded(NOW, "a", "192.0.2.9", Trust.NOTHING))
    made.observe(ServerRemoved(NOW, "b"))
    assert codes(made) == {"a": Code.SERVER_UNREACHABLE, "c": Code.SERVER_ALONE}
    made.forget()
    assert made.select(NOW) is None
    made.observe(reply("b"))
    made.observe(NoReply(NOW, "b", "gone"))
    assert len(made) == 2
