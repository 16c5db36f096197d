"""The rules in udev/, by udev itself: names, groups, modes, an adapter made quick."""

from __future__ import annotations

import pytest

from tests.kernel.machine import Guest

pytestmark = pytest.mark.kernel


def test_devices_get_what_the_rules_say(guest: Guest) -> None:
    told = guest.call("rules.devices", limit_s=60)
    print(told)
    assert told["pulse"] == ["refclock", "660"]
    assert told["pulse_link"] == "/dev/pps0"
    assert told["battery"] == ["refclock", "660"]
    assert told["latency_ms"] == 1
    node, link = told["ublox"]
    assert node.startswith("/dev/ttyACM")
    assert link == node
    assert not told["gps0_after"]

    assert [line.split(" ", 2)[-1] for line in told["told"]] == [
        "file: /etc/udev/rules.d/99-refclock.rules",  # read, and nothing against it
        "GROUP 998",
        "MODE 0660",
        "LINK 'gpspps0'",
    ]
