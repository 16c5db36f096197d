from __future__ import annotations

from ipaddress import ip_address

import pytest

from refclock.server.admission.access import PRIVATE, Access


def address(text: str) -> bytes:
    return ip_address(text).packed


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("127.0.0.1", True),
        ("10.255.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.1.1", True),
        ("169.254.3.4", True),
        ("8.8.8.8", False),
        ("::1", True),
        ("::2", False),
        ("fe80::1", True),
        ("fd12::1", True),
        ("2001:db8::1", False),
    ],
)
def test_by_default_only_neighbours_are_served(source: str, allowed: bool) -> None:
    assert Access(PRIVATE, []).allows(address(source)) is allowed


def test_the_longest_prefix_decides_and_deny_wins_a_tie() -> None:
    access = Access(
        ["10.0.0.0/8", "10.1.2.0/24", "10.9.0.0/16"], ["10.1.0.0/16", "10.9.0.0/16"]
    )
    asked = ("10.0.0.1", "10.1.1.1", "10.1.2.1", "10.9.0.1", "11.0.0.1")
    allowed = [access.allows(address(each)) for each in asked]
    assert allowed == [True, False, True, False, False]


def test_a_rule_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        Access(["10.0.0.1/8"], [])


def test_an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() -> None:
    access = Access(["10.0.0.0/8", "::ffff:192.0.2.0/120"], ["10.0.0.9/32"])
    asked = ("::ffff:10.0.0.1", "::ffff:10.0.0.9", "192.0.2.7", "::ffff:192.0.3.1")
    allowed = [access.allows(address(each)) for each in asked]
    assert allowed == [True, False, True, False]
