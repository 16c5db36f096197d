"""Which of a pulse's flanks is the second."""

from __future__ import annotations

from refclock.events import Edge, PulseEdge
from refclock.label.edges import EdgeSelector
from refclock.timebase import MILLISECOND, SECOND, ZERO, Local, Mono

SHORT_HIGH = (100, 900)
"""How long the line is up and down, ms."""


def accepted(*lasting_ms: int, chosen: Edge | None = None) -> Edge | None:
    """After such states, the first of them up: of the last edges, which begins; None:
    the widths do not tell."""
    flanks, at, last = EdgeSelector(), ZERO, {}
    if chosen is not None:
        flanks.choose(chosen)
    for number, ms in enumerate(lasting_ms):
        edge = Edge.CLEAR if number % 2 else Edge.ASSERT
        last[edge] = flanks.begins(
            PulseEdge(Local(at.ns), Mono(at.ns), number, 0, edge)
        )
        at += ms * MILLISECOND
    if None in last.values():
        return None
    (begins,) = (edge for edge, answer in last.items() if answer)
    return begins


def test_the_shorter_state_begins_with_the_second() -> None:
    assert accepted(*[*SHORT_HIGH] * 3) is Edge.ASSERT


def test_of_a_pulse_as_long_as_its_pause_the_widths_do_not_tell() -> None:
    for high in (500, 490, 515):
        assert accepted(*[high, 1000 - high] * 3) is None
        assert accepted(*[high, 1000 - high] * 3, chosen=Edge.ASSERT) is Edge.ASSERT
        assert accepted(*[high, 1000 - high] * 3, chosen=Edge.CLEAR) is Edge.CLEAR


def test_where_it_begins_with_the_falling_edge_the_widths_do_not_tell() -> None:
    for high in (900, 800, 550):
        assert accepted(*[high, 1000 - high] * 3) is None
        assert accepted(*[high, 1000 - high] * 3, chosen=Edge.CLEAR) is Edge.CLEAR
        assert accepted(*[high, 1000 - high] * 3, chosen=Edge.ASSERT) is None


def test_it_takes_four_states_in_a_row_to_change_ones_mind() -> None:
    """A flank that was missed makes the others look turned for a moment."""
    learned, against = [*SHORT_HIGH] * 5, [900, 100] * 3
    assert accepted(*learned, *against[:4]) is Edge.ASSERT  # of three: the last lasts
    assert accepted(*learned, *against) is None
    assert accepted(*learned, *against[:3], 900, *against[:3]) is Edge.ASSERT


def test_after_a_gap_a_flank_is_the_only_one() -> None:
    flanks = EdgeSelector()
    for second in range(3):
        for edge, after in ((Edge.ASSERT, ZERO), (Edge.CLEAR, 100 * MILLISECOND)):
            at = second * SECOND + after
            flanks.begins(PulseEdge(Local(at.ns), Mono(at.ns), second, 0, edge))
    late = Mono(20 * SECOND.ns)
    assert flanks.begins(PulseEdge(Local(late.ns), late, 9, 0, Edge.CLEAR))


def test_each_edge_of_a_square_wave_of_half_a_hertz_begins_a_second() -> None:
    flanks, answers = EdgeSelector(), []
    for second in range(8):
        edge, at = (Edge.ASSERT, Edge.CLEAR)[second % 2], second * SECOND
        answers.append(
            flanks.begins(PulseEdge(Local(at.ns), Mono(at.ns), second, 0, edge))
        )
    assert answers == [True, None, None, None, True, True, True, True]


def test_several_pulses_a_second_are_counted() -> None:
    for gap_ms, each_ms in ((200, 200), (500, 500), (1000, 1000), (330, 1000)):
        flanks = EdgeSelector()
        for number in range(40):
            at = number * gap_ms * MILLISECOND
            flanks.begins(PulseEdge(Local(at.ns), Mono(at.ns), number, 0, Edge.ASSERT))
        assert flanks.each == each_ms * MILLISECOND
