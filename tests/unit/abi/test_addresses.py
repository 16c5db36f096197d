"""This machine's interfaces and addresses."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Interface
from pathlib import Path

import pytest

from hw.abi.addresses import LOOPBACK, ipv4_addresses, ipv6_addresses, links


def test_loopback_is_there_with_its_index_and_kind() -> None:
    (lo,) = (link for link in links() if link.name == "lo")
    assert (lo.index, lo.kind, lo.mac) == (
        socket.if_nametoindex("lo"),
        LOOPBACK,
        bytes(6),
    )
    assert {name for _, name in socket.if_nameindex()} == {
        link.name for link in links()
    }


def test_addresses_are_the_machine_s() -> None:
    assert ("lo", IPv4Address("127.0.0.1")) in set(ipv4_addresses())


def test_an_ipv6_address_that_is_not_usable_yet_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hw.abi.addresses._PROC", tmp_path)
    assert not list(ipv6_addresses())
    (tmp_path / "if_inet6").write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe800000000000000000000000000001 0a 40 20 c0     eth0\n"
        "fd770000000000000000000000000001 0a 40 00 80     eth0\n"
        "fd770000000000000000000000000002 0a 40 00 88     eth0\n"
    )
    assert list(ipv6_addresses()) == [
        (1, IPv6Interface("::1/128")),
        (10, IPv6Interface("fd77::1/64")),
    ]
