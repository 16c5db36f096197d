"""A user land of 32-bit ARM with 64-bit time: Debian 13, as on half of all Pis.

The kernel is of 64 bits, as Raspberry Pi OS boots it below a 32-bit user land. What
could go wrong is every struct and number that follows the word size or time_t.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

import pytest

from hw.abi.timex import STA_UNSYNC
from tests.kernel.machine import GuestError, LiveGuest
from tests.kernel.outside import Weather
from tests.kernel.test_contract_kernel import WIRED, Verdict, assert_kept
from tests.kernel.test_whole_daemon_kernel import error_s, until

pytestmark = pytest.mark.kernel

_CONFIG: Final = """
[receiver]
device = "/dev/ttyAMA0"
[acquire]
limit_s = 0.02
[holdover]
limit_s = 0.05
[rtc]
source = "kernel"
[server]
listen = ["0.0.0.0"]
workers = 2
rate_limit.enabled = false
"""
_ERROR_S: Final = 10e-3
_MINUTE_S: Final = 60


@pytest.fixture(scope="module")
def verdicts(armhf: LiveGuest) -> list[Verdict]:
    """Of all its tests."""
    told: list[Verdict] = armhf.call("contract.kept", limit_s=250)
    return told


@pytest.fixture(scope="module")
def daemon(armhf: LiveGuest) -> LiveGuest:
    """The guest, and in it a daemon of two server processes that tracks."""
    armhf.call("clock.forget_battery_clock", "/dev/rtc0")  # others have set it to 2028
    armhf.call("daemon.start", _CONFIG)
    until(armhf, lambda status: status["mode"] == "TRACK", 90)
    ends = time.monotonic() + 90
    while time.monotonic() < ends:  # an emulated Python takes its time to start
        with suppress(GuestError):
            armhf.query("--count", "4", "--interval", "0")
            break
    return armhf


def test_its_programs_are_of_32_bits_and_its_kernel_is_not(armhf: LiveGuest) -> None:
    assert armhf.hello["pointer"] == 4
    assert armhf.hello["kernel"].endswith("-arm64")


@pytest.mark.parametrize("port", WIRED)
def test_it_keeps_the_contract(verdicts: list[Verdict], port: str) -> None:
    assert_kept(verdicts, port)


def test_a_wait_for_a_pulse_that_stays_away_ends_in_time(armhf: LiveGuest) -> None:
    armhf.outside.turn(Weather(pulse=False))
    armhf.call("pulse.kernel_edge", 1.2)
    assert not armhf.call("pulse.kernel_edge", 2.5, limit_s=10)
    armhf.outside.turn(Weather())
    assert armhf.call("pulse.kernel_edge", 3.0)


def test_time_after_2038(armhf: LiveGuest) -> None:
    """All of it within the first minute of 2040, by whoever stamps or is set."""
    told = armhf.call("future.years", 2040, limit_s=60)
    print({name: round(seconds, 3) for name, seconds in told.items()})
    assert all(0 <= seconds < _MINUTE_S for seconds in told.values()), told
    assert told["asked"] <= told["received"] <= told["left"] <= told["answered"]
    assert told["stepped"] - told["timex"] in {1, 2}


def test_the_daemon_tells_true_time(daemon: LiveGuest) -> None:
    assert error_s(daemon) < _ERROR_S


def test_the_daemon_tells_when_its_replies_truly_left(daemon: LiveGuest) -> None:
    answer = daemon.query("--interleaved", "--count", "4", "--interval", "0.1")
    assert answer["samples"] == 4
    assert abs(answer["offset_s"]) < _ERROR_S + answer["delay_s"]


def test_the_daemon_steers_the_clock_and_gives_it_back(daemon: LiveGuest) -> None:
    status = until(daemon, lambda status: status["pulses"] > 10, 20)
    assert status["steering_ppm"] is not None
    ended = daemon.call("daemon.end")
    assert ended["code"] == 0
    assert ended["status"] & STA_UNSYNC
