"""Why something is refused, doubted, alarmed or explained, as a value.

A reason is a code and what was measured; `diagnose.words` makes the sentence. Codes
are stable: metrics label by them, the journal and alarms recognise them, tests assert
them. A parameter's unit is in its name: `offset_s`, `share`, `distance_m`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

Parameter = str | int | float | bool


class Code(StrEnum):
    """What is the matter. The sentence of each stands in `diagnose.words`."""

    # a mode, and the way to it
    FOLLOWING = "following"
    HOLDING_OVER = "holding_over"
    SENTENCES_ALONE = "sentences_alone"
    FIRST_PULSE = "first_pulse"
    BOUND_ABOVE_LIMIT = "bound_above_limit"
    WAITING_FOR_PULSE = "waiting_for_pulse"

    # a device, or what it does not send
    DEVICE_LOST = "device_lost"
    NO_SENTENCE = "no_sentence"
    UNDECODABLE = "undecodable"
    FOREIGN_PROTOCOL = "foreign_protocol"
    NO_DATE = "no_date"
    NO_TIME = "no_time"
    NO_FIX = "no_fix"
    NO_PULSE = "no_pulse"

    # a pulse without a second
    OTHER_EDGE = "other_edge"
    EDGE_AMBIGUOUS = "edge_ambiguous"
    NO_FIX_FOR_PULSE = "no_fix_for_pulse"
    RECEIVER_SILENT_FOR_PULSE = "receiver_silent_for_pulse"
    PULSE_NOT_PERIODIC = "pulse_not_periodic"
    SEVERAL_PULSES = "several_pulses"
    SECOND_PULSE = "second_pulse"
    PULSE_BETWEEN_SECONDS = "pulse_between_seconds"
    PULSE_OF_LEAP_SECOND = "pulse_of_leap_second"
    PULSE_REJECTED = "pulse_rejected"

    # a second in doubt
    TOO_FEW_SENTENCES = "too_few_sentences"
    SENTENCES_DISAGREE = "sentences_disagree"
    SENTENCES_CONTRADICT = "sentences_contradict"
    FOREIGN_CLOCK = "foreign_clock"
    SENTENCES_IRREGULAR = "sentences_irregular"
    SENTENCE_NEAR_PULSE = "sentence_near_pulse"
    WITNESS_CONTRADICTS = "witness_contradicts"
    LINE_SATURATED = "line_saturated"

    # a receiver in doubt
    DATE_IMPOSSIBLE = "date_impossible"
    DATE_BEFORE_LAST_GOOD = "date_before_last_good"
    WEEK_ROLLOVER = "week_rollover"
    LEAP_COUNT_WRONG = "leap_count_wrong"
    LEAP_SECOND_NOT_IN_TABLE = "leap_second_not_in_table"
    SECOND_OFF = "second_off"
    SECOND_CORRECTED = "second_corrected"
    PULSE_JUMPED = "pulse_jumped"
    PULSE_JUMP_FOLLOWED = "pulse_jump_followed"
    ANTENNA_MOVED = "antenna_moved"
    SATELLITES_GONE = "satellites_gone"
    SPOOFED = "spoofed"
    JAMMED = "jammed"

    # other time servers
    UPSTREAM_CONTRADICTS = "upstream_contradicts"
    UPSTREAM_LEAP = "upstream_leap"
    SERVER_UNREACHABLE = "server_unreachable"
    SERVER_NEW = "server_new"
    SERVER_FAR = "server_far"
    SERVER_JITTERY = "server_jittery"
    SERVER_FALSETICKER = "server_falseticker"
    SERVER_WITHOUT_VOTE = "server_without_vote"
    SERVER_ALONE = "server_alone"
    SERVERS_DISAGREE = "servers_disagree"

    # the machine
    CLOCK_STEPPED = "clock_stepped"
    LINE_CROWDED = "line_crowded"
    LEAP_TABLE_EXPIRES = "leap_table_expires"
    LEAP_TABLE_EXPIRED = "leap_table_expired"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, what was measured, and what it comes from."""

    code: Code
    items: tuple[tuple[str, Parameter], ...] = ()
    cause: Reason | None = None
    """The reason behind it: holding over, because there is no pulse."""

    @classmethod
    def of(
        cls, code: Code, cause: Reason | None = None, /, **parameters: Parameter
    ) -> Self:
        """A reason with these parameters."""
        return cls(code, tuple(parameters.items()), cause)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """By name."""
        return dict(self.items)

    @property
    def codes(self) -> tuple[Code, ...]:
        """Its own and those of its causes: what the journal knows it by."""
        return (self.code, *(self.cause.codes if self.cause else ()))
