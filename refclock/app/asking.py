"""Questions to one NTP server at all its addresses, until one of them answers.

The addresses are asked one a moment after the other, each again while it is silent.
The one that answers first is asked from then on.
"""

from __future__ import annotations

import secrets
import select
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from hw.net.ask import Asker
from refclock.ntp.exchange import (
    Measurement,
    Question,
    ReplyFault,
    kiss_code,
    measure,
)
from refclock.ntp.packet import Packet
from refclock.timebase import Local, NtpTimestamp
from refclock.upstream.sealing import Plain, Sealing

INTERRUPTED: Final = "interrupted"
_TRIES: Final = 3
"""So often one question is sent, within half the patience."""
_STAGGER: Final = 20
"""The next address is tried after the patience divided by that."""
_INTRODUCTIONS: Final = 3
"""A server that keeps no stamps for strangers knows us from the third request on, one
whose kernel answers the plain first one from the fourth."""
_MOST_LOST: Final = 3
"""In a row; it is not asked again after that."""


class QueryError(Exception):
    """No measurement, and why, in a sentence."""


@dataclass
class Target:
    """One address of the server, and what it was asked."""

    asker: Asker
    address: str
    sealing: Sealing = field(default_factory=Plain)
    """How questions and answers are authenticated."""
    asked: list[tuple[Question, Local]] = field(default_factory=list)
    """The questions open, and when each left."""
    fault: str = ""
    """Why it gave no answer."""
    final: bool = False
    """It is not worth waiting for."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer."""

    target: Target
    question: Question
    reply: Packet
    sent: Local
    received: Local


@dataclass
class Outcome:
    """What came of all questions."""

    address: str
    measured: list[Measurement] = field(default_factory=list)
    lost: int = 0
    ended: str = ""
    """Why it ended before all were asked."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to ask."""

    version: int
    count: int
    """Measurements."""
    interval_s: float
    """Between two of them."""
    patience_s: float
    """For each answer."""
    interleaved: bool


def ask(targets: Sequence[Target], wish: Wish) -> Outcome:
    """As many measurements as were asked for, from the first address that answers.

    QueryError: not one. What is lost or goes wrong after the first only ends it.
    """
    outcome = Outcome("")
    in_a_row = 0
    last: Exchange | None = None
    for number in range(wish.count + (_INTRODUCTIONS if wish.interleaved else 0)):
        try:
            if number:
                time.sleep(wish.interval_s)
            previous = last.reply.receive if last and wish.interleaved else None
            one = _exchange(targets, wish, previous or NtpTimestamp(0))
            if (measured := _measured(one, last, number, wish)) is not None:
                outcome.measured.append(measured)
            if len(outcome.measured) == wish.count:
                break  # it knew us before the last introduction
        except QueryError as failure:
            outcome.lost += 1
            in_a_row += 1
            if not outcome.measured or in_a_row == _MOST_LOST:
                outcome.ended = str(failure)
                break
        except KeyboardInterrupt:
            outcome.ended = INTERRUPTED
            break
        else:
            last, targets, in_a_row = one, [one.target], 0
            outcome.address = one.target.address
    if not outcome.measured:
        if outcome.ended == INTERRUPTED:
            raise KeyboardInterrupt
        raise QueryError(outcome.ended)
    return outcome


def _measured(
    one: Exchange, last: Exchange | None, number: int, wish: Wish
) -> Measurement | None:
    """What the exchange says; in the interleaved mode of the exchange before it, and
    nothing of the first. QueryError: it cannot be."""
    measured: Measurement | ReplyFault | None = None
    if not wish.interleaved:
        measured = measure(one.reply, one.sent, one.received)
    elif last and one.question.interleaved(one.reply):
        measured = measure(last.reply, last.sent, last.received, one.reply.transmit)
    elif number >= _INTRODUCTIONS:
        raise QueryError("it does not know the interleaved mode")
    if isinstance(measured, ReplyFault):
        raise QueryError(measured)
    return measured


def _exchange(
    targets: Sequence[Target], wish: Wish, previous: NtpTimestamp
) -> Exchange:
    """The first answer of any target. Each is asked anew while it is silent, the
    others a moment after the first. QueryError says why there is no answer."""
    patience_s = wish.patience_s
    begun = time.monotonic()
    plan = sorted(
        (number * patience_s / _STAGGER + again * patience_s / (2 * _TRIES), number)
        for number in range(len(targets))
        for again in range(_TRIES)
    )
    for target in targets:
        target.asked.clear()
        target.fault, target.final = "no answer", False
    while (passed := time.monotonic() - begun) < patience_s:
        if all(target.final for target in targets):
            break
        while plan and (plan[0][0] <= passed or _all_final(targets, plan)):
            target = targets[plan.pop(0)[1]]
            if not target.final:
                _send(target, wish, previous)
        until = min(plan[0][0] if plan else patience_s, patience_s)
        for target in _readable(targets, until - (time.monotonic() - begun)):
            if (found := _read(target)) is not None:
                return found
    if len(targets) == 1:
        raise QueryError(targets[0].fault)
    raise QueryError("; ".join(f"{each.address}: {each.fault}" for each in targets))


def _all_final(targets: Sequence[Target], plan: Sequence[tuple[float, int]]) -> bool:
    """Is nobody that was asked worth waiting for, so that the next has its turn?"""
    asked = [target for target in targets if target.asked or target.final]
    return all(target.final for target in asked) and bool(plan)


def _send(target: Target, wish: Wish, previous: NtpTimestamp) -> None:
    other = secrets.randbits(64) if wish.interleaved else 0
    question = Question.ask(wish.version, secrets.randbits(64), previous, other)
    try:
        sent = target.asker.send(target.sealing.request(question.packet.encode()))
    except IndexError:
        target.fault, target.final = "it gave no more cookies", True
    except OSError as error:
        _unreachable(target, error)
    else:
        target.asked.append((question, sent))


def _readable(targets: Sequence[Target], wait_s: float) -> Iterator[Target]:
    """Those of which a reply, or an error, is there within that time."""
    waiting = select.poll()
    by_number = {each.asker.fileno(): each for each in targets if not each.final}
    for number in by_number:
        waiting.register(number, select.POLLIN)
    for number, _ in waiting.poll(max(wait_s, 0) * 1e3):
        yield by_number[number]


def _read(target: Target) -> Exchange | None:
    """The answer, if what has come is one."""
    try:
        data, received = target.asker.read()
    except BlockingIOError:
        return None
    except OSError as error:
        _unreachable(target, error)
        return None
    for question, sent in target.asked:
        reply = question.judge(data)
        if isinstance(reply, ReplyFault) and reply.stray:
            target.fault = str(reply)
            continue
        if target.sealing.is_nak(data):
            target.fault = "it cannot read our key or cookie"
            break
        if not target.sealing.proves(data):
            target.fault = "its answer is not authenticated as ours was asked to be"
            break
        if isinstance(reply, Packet):
            return Exchange(target, question, reply, sent, received)
        target.fault = str(reply)
        if reply is ReplyFault.KISS:
            target.fault = f"{reply}: {kiss_code(Packet.decode(data))}"
        target.final = True
        break
    return None


def _unreachable(target: Target, error: OSError) -> None:
    target.final = True
    target.fault = f"cannot be reached: {error.strerror or error}"
    if isinstance(error, ConnectionRefusedError):
        target.fault = "nothing answers on that UDP port (refused)"
