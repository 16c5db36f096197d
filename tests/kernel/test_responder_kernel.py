"""Requests answered by an arm64 kernel, loaded by programs of 64 and of 32 bits."""

from __future__ import annotations

import pytest

from tests.kernel.machine import LiveGuest

pytestmark = pytest.mark.kernel


@pytest.fixture(params=["booted", "armhf"])
def machine(request: pytest.FixtureRequest) -> LiveGuest:
    """A guest, by the user land it has."""
    guest: LiveGuest = request.getfixturevalue(request.param)
    return guest


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_the_laws_hold(machine: LiveGuest, hook: str) -> None:
    told = machine.call("responder.laws", hook, 600, limit_s=200)
    print(machine.hello["kernel"], machine.hello["pointer"], hook, told)
    assert min(told.values()) > 100


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_its_card_s_requests_are_answered(machine: LiveGuest, hook: str) -> None:
    """Plain ones by the kernel, those of the interleaved mode by the service."""
    where = machine.call("responder.serve", hook, limit_s=90)
    assert where == ["lo", "eth0"]
    try:
        plain = machine.query("--count", "4", "--interval", "0.1")
        other = machine.query("--interleaved", "--count", "12", "--interval", "0.1")
    finally:
        told = machine.call("responder.end", limit_s=60)
    print(plain, other, told)
    assert plain["samples"] == 4
    for answer in (plain, other):
        assert (answer["stratum"], answer["leap"]) == (1, 0)
        assert 0 <= answer["delay_s"] < 0.5
    assert told["answered_in_kernel"] >= 4
    assert told["answered_by_sockets"] >= 4
