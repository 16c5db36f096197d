"""Where to listen and whom to answer, as a user may say it and as he may not."""

import re
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from refclock.config import ConfigError, parse
from refclock.server.settings import LeapMode, ListenerSettings, ServerSettings


def test_listeners_that_do_not_say_take_what_is_usual() -> None:
    smearing = ListenerSettings(("::1",), leap=LeapMode.SMEAR)
    silent = ListenerSettings(("::1",), 1123)
    settings = ServerSettings(("127.0.0.1",), listener=(smearing, silent))
    for usual in LeapMode:
        listeners = settings.listeners(usual)
        assert [each.leap for each in listeners] == [usual, LeapMode.SMEAR, usual]
        assert [each.addresses for each in listeners] == [
            ("127.0.0.1",),
            ("::1",),
            ("::1",),
        ]


@pytest.mark.parametrize(
    ("listen", "others"),
    [
        (("10.0.0.1",), [(("10.0.0.2", "10.0.0.1"), 123)]),
        (("0.0.0.0",), [(("10.0.0.1",), 123)]),  # noqa: S104
        (("::",), [(("0:0::1",), 123)]),
        ((), [(("::1",), 5), (("0::1",), 5)]),
    ],
)
def test_two_listeners_at_one_place_are_refused(
    listen: tuple[str, ...], others: list[tuple[tuple[str, ...], int]]
) -> None:
    listeners = tuple(ListenerSettings(addresses, port) for addresses, port in others)
    with pytest.raises(ValueError, match=r"two listeners at \S+ port (123|5);"):
        ServerSettings(listen, listener=listeners)


def test_listeners_apart_are_not_refused() -> None:
    listeners = (
        ListenerSettings(("0.0.0.0", "::1"), port=1123),  # noqa: S104
        ListenerSettings(interface="eth0", port=2123),
        ListenerSettings(interface="eth0.7", port=2123),
        ListenerSettings(("fe80::1%eth0", "fe80::1%eth1")),
        ListenerSettings(("127.0.0.1", "::1"), 0),
        ListenerSettings(("127.0.0.1",), 0),
    )
    settings = ServerSettings(("127.0.0.1",), listener=listeners)
    assert settings.listener == listeners


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"addresses": ("10.0.0.1", "10.0.0.1")}, "10.0.0.1 port 123 is named twice"),
        ({"addresses": ("eth0",)}, "'eth0' does not appear to be"),
        ({"interface": "eth0/1"}, "'eth0/1' is no name of an interface"),
        ({"interface": ""}, "'' is no name of an interface"),
        ({"interface": "a_very_long_name"}, "is no name of an interface"),
        ({"allow": ("10.0.0.0/33",)}, "10.0.0.0/33"),
        ({"deny": ("x",)}, "'x'"),
    ],
)
def test_a_listener_refuses_what_is_no_place_or_rule(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ListenerSettings(**given)


def test_a_place_is_known_however_it_is_written() -> None:
    listener = ListenerSettings(("0:0::1", "127.0.0.1"), port=1123)
    assert listener.stands_at("::1", 1123, None)
    assert not listener.stands_at("::1", 123, None)
    assert not listener.stands_at("127.0.0.2", 1123, None)
    assert not listener.stands_at("::1", 1123, "eth0")
    assert replace(listener, interface="eth0").stands_at("::1", 1123, "eth0")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"broadcast": ("192.168.1.0/24",)}, "192.168.1.0/24"),
        ({"broadcast": ("ff02::101",)}, "ff02::101"),
        ({"broadcast": ("10.0.0.255",), "workers": 2}, "has but one of `workers`"),
    ],
)
def test_settings_refuse_what_cannot_be_broadcast(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        ServerSettings(**given)


def test_settings_refuse_a_rule_that_is_no_network() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/33"):
        ServerSettings(allow=("10.0.0.0/33",))


def address(text: str) -> bytes:
    return ip_address(text).packed


def test_what_is_no_host_is_never_answered() -> None:
    settings = ServerSettings(allow=("0.0.0.0/0", "::/0"), broadcast=("192.168.1.255",))
    access = settings.access(ListenerSettings())
    for source in ("224.0.1.1", "255.255.255.255", "ff02::1", "192.168.1.255"):
        assert not access.allows(address(source))
    assert access.allows(address("192.168.1.254"))


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text.encode(), "x.toml")
    return str(refused.value).splitlines()


def test_listeners_are_read_in_order() -> None:
    config = parse(
        b"""
[leap]
mode = "smear"
[server]
listen = ["10.0.0.1"]
[[server.listener]]
addresses = ["10.0.0.2", "::1"]
allow = ["10.0.0.0/8"]
leap = "announce"
[[server.listener]]
port = 1123
stratum_least = 3
"""
    )
    assert config.leap.mode is LeapMode.SMEAR
    assert config.server.listener == (
        ListenerSettings(
            ("10.0.0.2", "::1"), allow=("10.0.0.0/8",), leap=LeapMode.ANNOUNCE
        ),
        ListenerSettings(port=1123, stratum_least=3),
    )


def test_each_fault_has_the_line_of_its_own_listener() -> None:
    assert faults(
        """
[[server.listener]]
prt = 1123
[[server.listener]]
stratum_least = 16
deny = ["x"]
[server.rate_limit]
burst = 3
[[server.listener]]
port = 1123
addresses = ["here"]
"""
    ) == [
        "x.toml:3: server.listener[1].prt: no such key; "
        "did you mean server.listener[1].port?",
        "x.toml:5: server.listener[2].stratum_least: 16 is not in 1 to 15; "
        "the nearest is 15",
        "x.toml:6: server.listener[2].deny[1]: 'x' is not a network, as 192.0.2.0/24",
        "x.toml:8: server.rate_limit.burst: 3 is not in 8 to 1024 requests; "
        "the nearest is 8",
        "x.toml:11: server.listener[3].addresses[1]: 'here' is not an address, "
        "as 192.0.2.1 or fe80::1%eth0",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "\n[server]\nlistener = 3",
            "x.toml:3: server.listener: 3 is not an array of tables: "
            "write [[server.listener]]",
        ),
        (
            "\n[server.listener]\nport = 1",
            "x.toml:2: server.listener: {'port': 1} is not an array of tables: "
            "write [[server.listener]]",
        ),
        (
            "\n[[server.listener]]\naddresses = ['127.0.0.1']",
            "x.toml:2: server: two listeners at 127.0.0.1 port 123; where one has a "
            "place of its own, `listen` names the others instead of 0.0.0.0 or ::",
        ),
    ],
)
def test_what_is_no_listener_is_told(text: str, says: str) -> None:
    assert faults(text) == [says]


def test_what_was_laid_under_the_file_has_no_line_of_its_own() -> None:
    text = b"\n[leap]\nmode = 'smear'\n\n[[server.listener]]\nport = 9\nlisten = 3"
    with pytest.raises(ConfigError) as refused:
        parse(text, "x.toml", {"sever": 3})
    assert [fault[:9] for fault in str(refused.value).splitlines()] == [
        "x.toml:1:",
        "x.toml:7:",
    ]
