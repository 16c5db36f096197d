"""Listeners as they stand in the settings, and what is wrong with them."""

import pytest

from refclock.config import ConfigError, parse
from refclock.server.listener import LeapMode, ListenerSettings


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
