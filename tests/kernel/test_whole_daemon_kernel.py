"""The whole daemon in the guest, steering its clock, asked from outside by NTP.

It starts years wrong. Its error is what `refclock query` measures against the true
time that the pulses are made from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, Final

import pytest

from hw.abi.timex import STA_UNSYNC
from refclock.timebase import MILLISECOND, SECOND, Utc
from tests.kernel.machine import LiveGuest
from tests.kernel.outside import Weather, Words

pytestmark = pytest.mark.kernel

_CONFIG: Final = """
[receiver]
device = "/dev/ttyAMA0"
[acquire]
limit_s = 0.02
[holdover]
limit_s = 0.05
[thermometer]
source = "ds3231"
every_s = 1
[rtc]
source = "i2c"
bus = {bus}
ageing = -12
every_s = 1
[server]
listen = ["0.0.0.0"]
rate_limit.enabled = false
"""
"""The limits allow for an emulated machine's jitter."""
_ERROR_S: Final = 10e-3
_RTC_YEAR: Final = 2019
"""The battery clock is years behind, before this program was made: it was never set."""

Status = dict[str, Any]


@pytest.fixture(scope="module")
def daemon(booted: LiveGuest, skipped_hour: Future[Any]) -> Iterator[LiveGuest]:
    """A guest whose daemon tracks, with the processors for itself."""
    wait([skipped_hour])
    bus = booted.call("wired.plug", _RTC_YEAR)
    booted.call("daemon.start", _CONFIG.format(bus=bus))
    until(booted, lambda status: status["mode"] == "TRACK", 90)
    yield booted
    booted.outside.turn(Weather())
    booted.call("wired.unplug")


@pytest.fixture
def fair(daemon: LiveGuest) -> Iterator[LiveGuest]:
    """It, and fair weather for the next test."""
    yield daemon
    daemon.outside.turn(Weather())


def until(guest: LiveGuest, good: Callable[[Status], bool], limit_s: int) -> Status:
    """The daemon's status, as soon as it is good."""
    ends = time.monotonic() + limit_s
    status: Status = {"mode": "not there"}
    while time.monotonic() < ends:
        if told := guest.call("daemon.status"):
            status = json.loads(told)
            if good(status):
                return status
        time.sleep(0.5)
    raise AssertionError(f"after {limit_s} s still {status}")


def alarms(status: Status) -> dict[str, str]:
    """What they say, by kind."""
    return {alarm["kind"]: alarm["text"] for alarm in status["alarms"]}


def chips(status: Status) -> list[str]:
    """What became of those on the bus."""
    return [status["devices"][name] for name in ("temp0", "rtc0")]


def error_s(guest: LiveGuest) -> float:
    """How far its server is surely from true time: half of the way is not."""
    answer = guest.query("--count", "8", "--interval", "0.1")
    assert answer["stratum"] == 1
    error: float = answer["offset_s"] + guest.outside.time.host_error.seconds
    print(f"error {error * 1e3:+.3f} ms, delay {answer['delay_s'] * 1e3:.3f} ms")
    unsure: float = answer["delay_s"] / 2
    return max(0.0, abs(error) - unsure)


def test_it_tells_true_time(fair: LiveGuest) -> None:
    answer = fair.query()
    assert (answer["stratum"], answer["leap"]) == (1, 0)
    assert error_s(fair) < _ERROR_S


def test_it_tells_when_its_replies_truly_left(fair: LiveGuest) -> None:
    """By the kernel's transmit stamps, in the interleaved mode."""
    answer = fair.query("--interleaved", "--count", "4", "--interval", "0.1")
    print(f"interleaved: {answer['offset_s'] * 1e3:+.3f} ms")
    assert answer["samples"] == 4
    assert abs(answer["offset_s"]) < _ERROR_S + answer["delay_s"]


def test_it_steers_the_kernel_clock(fair: LiveGuest) -> None:
    status = until(fair, lambda status: status["pulses"] > 10, 20)
    print({key: status[key] for key in ("offset_s", "frequency_ppm", "bound_s")})
    assert abs(status["offset_s"]) < _ERROR_S
    assert status["steering_ppm"] is not None


def test_the_kernel_sets_the_battery_clock(fair: LiveGuest) -> None:
    """Which was wrong by years: it does so once we call its clock synchronised."""
    shown = fair.call("clock.battery_clock", "/dev/rtc0")
    true = Utc(time.time_ns() - fair.outside.time.host_error.ns)
    assert (true - 5 * SECOND).iso() < shown < (true + 2 * SECOND).iso()


def test_a_battery_clock_wrong_by_years_moves_nothing(fair: LiveGuest) -> None:
    status = until(fair, lambda status: status["devices"].get("rtc0") == "DS3231", 20)
    assert status["mode"] == "TRACK"
    assert status["utc"] > f"{_RTC_YEAR + 1}"
    assert error_s(fair) < _ERROR_S


def test_the_battery_clock_is_trimmed_as_told(fair: LiveGuest) -> None:
    assert fair.call("wired.trim") == -12


def test_chips_that_answer_no_more_are_told_and_found_again(fair: LiveGuest) -> None:
    """Whoever asks gets no acknowledgement (NAK) on the bus."""
    until(fair, lambda status: status["temperature_c"] == 21.75, 20)
    fair.call("wired.nak", True)
    until(fair, lambda status: all(chip[:5] == "gone:" for chip in chips(status)), 20)
    assert error_s(fair) < _ERROR_S
    fair.call("wired.nak", False)
    until(fair, lambda status: chips(status) == ["DS3231", "DS3231"], 30)


def test_doubled_pulses_are_taken_once(fair: LiveGuest) -> None:
    fair.outside.turn(Weather(doubled=True))
    time.sleep(2)
    before, began = until(fair, lambda _: True, 20), time.monotonic()
    time.sleep(5)
    told = until(fair, lambda _: True, 20)
    used, sent = told["pulses"] - before["pulses"], time.monotonic() - began
    assert 3 <= used <= sent + 1
    assert told["mode"] == "TRACK"
    assert error_s(fair) < _ERROR_S


def test_pulse_gone_is_held_over(fair: LiveGuest) -> None:
    fair.outside.turn(Weather(pulse=False))
    held = until(fair, lambda status: status["mode"] == "HOLDOVER", 20)
    assert held["last_sentence_age_s"] < 3
    assert error_s(fair) < _ERROR_S
    fair.outside.turn(Weather())
    until(fair, lambda status: status["mode"] == "TRACK", 20)


def test_a_pulse_at_the_wrong_time_is_not_followed(fair: LiveGuest) -> None:
    fair.outside.turn(Weather(late=40 * MILLISECOND))
    time.sleep(1.5)
    fair.outside.turn(Weather())
    assert error_s(fair) < _ERROR_S
    time.sleep(2)
    assert error_s(fair) < _ERROR_S


def test_sentences_a_second_off_are_not_followed(fair: LiveGuest) -> None:
    fair.outside.turn(Weather(words=Words.STALE))
    told = until(fair, lambda status: "second" in alarms(status), 20)
    assert "our clock is believed" in alarms(told)["second"]
    assert error_s(fair) < _ERROR_S
    fair.outside.turn(Weather())
    until(fair, lambda status: status["mode"] == "TRACK", 20)


def test_receiver_silent_and_garbled(fair: LiveGuest) -> None:
    fair.outside.turn(Weather(words=Words.NOTHING))
    until(fair, lambda status: status["last_sentence_age_s"] > 4, 20)
    assert error_s(fair) < _ERROR_S
    fair.outside.turn(Weather(words=Words.GARBAGE))
    until(fair, lambda status: bool(status["dropped"]), 20)
    assert error_s(fair) < _ERROR_S
    fair.outside.turn(Weather())
    until(fair, lambda status: status["last_sentence_age_s"] < 3, 30)
    until(fair, lambda status: status["mode"] == "TRACK", 20)


def test_it_ends_soon_after_sigterm(fair: LiveGuest) -> None:
    ended = fair.call("daemon.end")
    assert ended["code"] == 0
    assert ended["took_s"] < 3.0
    assert ended["status"] & STA_UNSYNC
