"""Places and rules as entries of the maps."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Interface, ip_network
from pathlib import Path

import pytest

from hw.abi.addresses import ETHERNET, LOOPBACK, SLAVE, Link
from hw.net.responder import places
from hw.net.responder.layout import ADDRESS_KEY, PLACE, PREFIX_KEY
from refclock.board.responder import Place, Rule

LO = Link("lo", 1, LOOPBACK, 0, bytes(6))
ETH0 = Link("eth0", 7, ETHERNET, 0, b"eth0\0\0")
ETH1 = Link("eth1", 8, ETHERNET, 0, b"eth1\0\0")


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this machine."""
    ipv4 = [("lo", "127.0.0.1"), ("eth0", "10.77.0.1"), ("eth1", "10.78.0.1")]
    ipv6 = [(1, "::1/128"), (7, "fe80::1/64"), (8, "fe80::1/64"), (7, "fd77::1/64")]
    made4 = [(at, IPv4Address(address)) for at, address in ipv4]
    made6 = [(at, IPv6Interface(address)) for at, address in ipv6]
    monkeypatch.setattr(places, "ipv4_addresses", lambda: iter(made4))
    monkeypatch.setattr(places, "ipv6_addresses", lambda: iter(made6))


def entered(*where: Place) -> dict[tuple[str, str], tuple[int, ...]]:
    """Rule set and least stratum by interface and address."""
    links = {link.index: link for link in (LO, ETH0, ETH1)}
    numbered = [(place, 5 + at) for at, place in enumerate(where)]
    found = {}
    for key, value in places.place_entries(numbered, [LO, ETH0, ETH1]).items():
        index, address = places.host_of_key(key)
        assert index == places.interface_of_key(key)
        *numbers, mac = PLACE.struct.unpack(value)
        assert mac == links[index].mac
        found[links[index].name, str(address)] = tuple(numbers)
    return found


IPV4 = {
    ("lo", "127.0.0.0"),
    *(
        (link, to)
        for link in ("lo", "eth0", "eth1")
        for to in ("10.77.0.1", "10.78.0.1")
    ),
}


def test_all_addresses_of_ours_at_all_interfaces() -> None:
    """A packet may ask for an address of another interface; 127/8 is lo's."""
    found = entered(Place([IPv4Address("0.0.0.0")], None, 3, ()))  # noqa: S104
    assert found == dict.fromkeys(IPV4, (5, 3))
    assert set(entered(Place([IPv6Address("::")], None, 1, ()))) == {
        ("lo", "::1"),
        ("eth0", "fe80::1"),
        ("eth1", "fe80::1"),
        *((link, "fd77::1") for link in ("lo", "eth0", "eth1")),
    }


@pytest.mark.parametrize(
    ("address", "interface", "expected"),
    [
        ("127.0.0.1", None, {("lo", "127.0.0.1")}),
        ("127.0.0.2", None, {("lo", "127.0.0.2")}),
        ("10.77.0.1", None, {(at, "10.77.0.1") for at in ("lo", "eth0", "eth1")}),
        ("10.77.0.1", "eth1", {("eth1", "10.77.0.1")}),
        ("10.99.0.1", None, set()),
        ("fe80::1%eth1", None, {("eth1", "fe80::1")}),
        ("fe80::1", "eth0", {("eth0", "fe80::1")}),
        ("::1", None, {("lo", "::1")}),
    ],
)
def test_one_address(
    address: str, interface: str | None, expected: set[tuple[str, str]]
) -> None:
    kind = IPv6Address if ":" in address else IPv4Address
    assert set(entered(Place([kind(address)], interface, 1, ()))) == expected


def test_rules_are_ipv6_prefixes_under_the_number_of_their_set() -> None:
    rules = [
        Rule(ip_network(network), allowed, shared)
        for network, allowed, shared in (
            ("10.0.0.0/8", True, False),
            ("fd00::/16", False, True),
            ("0.0.0.0/0", True, True),
        )
    ]
    entries = places.rule_entries(Place([], None, 1, rules), 9)
    read = [(*PREFIX_KEY.struct.unpack(key), value) for key, value in entries]
    mapped = bytes(10) + b"\xff\xff"
    one, two, three = (each.to_bytes(4, "little") for each in (1, 2, 3))
    assert read == [
        (32 + 96 + 8, 9, mapped + b"\x0a\0\0\0", one),
        (32 + 16, 9, b"\xfd" + bytes(15), two),
        (32 + 96, 9, mapped + bytes(4), three),
    ]


def test_keys_lie_in_one_another() -> None:
    """The program builds one key on the stack for three maps."""
    word = PREFIX_KEY.at["WORD"]
    assert ADDRESS_KEY.struct.size + word == PREFIX_KEY.struct.size == 24
    assert ADDRESS_KEY.at["ADDRESS"] + word == PREFIX_KEY.at["ADDRESS"]


def test_interfaces_requests_may_arrive_by(monkeypatch: pytest.MonkeyPatch) -> None:
    tunnel = Link("tun0", 9, 65534, 0, bytes(6))
    part = Link("eth2", 10, ETHERNET, SLAVE, bytes(6))
    monkeypatch.setattr(places, "links", lambda: iter([LO, ETH0, tunnel, part]))
    assert places.usable_links() == [LO, ETH0]


def test_interfaces_that_carry_vlans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    monkeypatch.setattr("hw.net.responder.places._VLANS", file)
    assert not places.carries_vlans("eth0")
    file.write_text(
        "VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n"
        "eth0.5         | 5  | eth0\nmgmt           | 7  | eth1\n"
    )
    carriers = [
        name for name in ("eth0", "eth1", "mgmt", "") if places.carries_vlans(name)
    ]
    assert carriers == ["eth0", "eth1"]
