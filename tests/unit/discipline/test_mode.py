"""The table of modes has no dead end."""

from collections.abc import Iterable

from refclock.discipline.mode import NEXT, Mode, Signal, next_mode


def walk(mode: Mode, signals: Iterable[Signal]) -> Mode:
    for signal in signals:
        mode = next_mode(mode, signal)
    return mode


def test_every_mode_can_be_reached_and_left() -> None:
    assert set(NEXT.values()) == set(Mode)
    assert {mode for mode, _ in NEXT} == set(Mode)
    assert {signal for _, signal in NEXT} == set(Signal)


def test_a_day_in_the_life() -> None:
    assert walk(Mode.COLD, [Signal.SAMPLE, Signal.SETTLED]) is Mode.TRACK
    assert walk(Mode.TRACK, [Signal.PULSE_LOST]) is Mode.HOLDOVER
    assert walk(Mode.HOLDOVER, [Signal.SAMPLE]) is Mode.TRACK
    assert walk(Mode.HOLDOVER, [Signal.LIMIT_EXCEEDED]) is Mode.COLD
    assert walk(Mode.TRACK, [Signal.PHASE_LOST]) is Mode.ACQUIRE


def test_without_a_pulse_sentences_may_do() -> None:
    assert walk(Mode.COLD, [Signal.SENTENCE, Signal.PULSE_LOST]) is Mode.HOLDOVER
    assert walk(Mode.TRACK, [Signal.PULSE_LOST, Signal.SENTENCE]) is Mode.HOLDOVER
    assert walk(Mode.HOLDOVER, [Signal.SENTENCE, Signal.SAMPLE]) is Mode.TRACK


def test_what_is_not_in_the_table_changes_nothing() -> None:
    assert next_mode(Mode.COLD, Signal.SETTLED) is Mode.COLD
    assert next_mode(Mode.TRACK, Signal.SAMPLE) is Mode.TRACK


def test_only_two_modes_serve() -> None:
    assert [mode for mode in Mode if mode.serves] == [Mode.TRACK, Mode.HOLDOVER]
