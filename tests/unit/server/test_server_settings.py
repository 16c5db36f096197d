"""Where to listen and whom to answer, as a user may say it and as he may not."""

import re
from dataclasses import replace
from typing import Any

import pytest

from refclock.server.listener import LeapMode, ListenerSettings
from refclock.server.settings import ServerSettings


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
