from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from refclock.config import Config, ConfigError, load, overlaid, parse
from refclock.server.settings import LeapMode, ListenerSettings
from refclock.settings import Range

MANUAL = Path(__file__).parents[3] / "config" / "refclock.toml"


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text.encode(), "x.toml")
    return str(refused.value).splitlines()


def test_every_fault_is_told_at_once_with_its_line() -> None:
    assert faults(
        """
[receiver]
baud = "fast"
speed = 9600

[sever]
port = 1
[server]
prot = 123
port = 70000
rate_limit = 3
"""
    ) == [
        "x.toml:3: receiver.baud: 'fast' is not 'auto' or one of 4800, 9600, 14400, "
        "19200, 38400, 57600, 115200, 230400, 460800, 921600",
        "x.toml:4: receiver.speed: no such key; known: device, baud, configure",
        "x.toml:6: sever: no such key; did you mean server?",
        "x.toml:9: server.prot: no such key; did you mean server.port?",
        "x.toml:10: server.port: 70000 is not in 0 to 65535; the nearest is 65535",
        "x.toml:11: server.rate_limit: 3 is not a table: write [server.rate_limit]",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[clock]\nsteer = 1", "1 is not true or false"),
        ("[holdover]\nlimit_s = 'x'", "'x' is not a number"),
        ("[holdover]\nlimit_s = 1e9", "is not in 1e-06 to 10 s"),
        ("[pulse]\nsource = 'gipo'", "'gipo' is not one of 'auto', 'kernel', 'gpio'"),
        ("[server]\nallow = '10.0.0.0/8'", "is not a list"),
        (
            "[server]\nallow = ['::/0', '10.0.0.0/40']",
            "2: server.allow[2]: '10.0.0.0/40' is not a network, as 192.0.2.0/24",
        ),
        ("[server]\nlisten = ['here']", "server.listen[1]: 'here' is not an address"),
        ("[server]\nbroadcast = ['::1']", "'::1' is not an IPv4 address, as 192."),
        ("[receiver]\nbaud = 9601", "the nearest is 9600"),
        ("[leap]\nmode = ['smear']", "['smear'] is not one of 'announce', 'smear'"),
        ("[holdover]\nlimit_s = nan", "nan is no number"),
        ("[control]\nsocket = 3", '3 is not text in "quotes"'),
        ("clock = 3", "is not a table: write [clock]"),
    ],
)
def test_a_value_out_of_bounds_says_what_is_allowed(text: str, says: str) -> None:
    (fault,) = faults(text)
    assert says in fault


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            "[receiver]\ndevice = “/dev/gps0”".encode(),
            "2: receiver.device: invalid value at column 10; text needs straight "
            'quotes: "..."',
        ),
        (
            b"[receiver]\ndevice = /dev/gps0",
            '2: receiver.device: invalid value at column 10; text needs quotes: "..."',
        ),
        (
            b"[receiver]\n\n[receiver]",
            "3: receiver: it was set before; a key or table may stand in the file once",
        ),
        (
            b"server.port = 1\nserver.port = 2",
            "2: server.port: it was set before; a key or table may stand in the file "
            "once",
        ),
        (b"[server]\nallow = [", "2: server.allow: invalid value"),
        (b"a = " + b"[" * 9_000, "1: nested without end"),
        (b"\na = " + b"9" * 9_000, "2: a: a number without end"),
        (b"\nd = 1979-02-30", "2: d: invalid date or datetime at column 5"),
        (b"[receiver]\nd = '\xff'", "2: not UTF-8 text: byte 0xff; save it as UTF-8"),
        (b"\xff\xfe[\0", "1: it is UTF-16 text; save it as UTF-8"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(raw: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(raw, "x.toml")
    assert str(refused.value) == f"x.toml:{message}"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf[server]\r\nport = 1\r\n").server.port == 1


def test_a_file_that_is_no_file_of_settings_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="/dev/zero:1: more than 1048576 bytes"):
        load(Path("/dev/zero"))


def test_a_dotted_key_and_an_integer_for_a_float_are_fine() -> None:
    config = parse(b"holdover.limit_s = 1\n[server.rate_limit]\nenabled = false")
    assert config.holdover.limit_s == 1.0
    assert config.server.rate_limit.enabled is False


def test_one_table_is_laid_over_another(tmp_path: Path) -> None:
    file = tmp_path / "over.toml"
    file.write_text("[server.rate_limit]\nenabled = false\n")
    config = load(file, {"server": {"port": 11123, "rate_limit": {"burst": 16}}})
    assert config.server.port == 11123
    assert config.server.rate_limit.burst == 16
    assert not config.server.rate_limit.enabled
    assert overlaid({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


def test_what_differs_is_told_by_key() -> None:
    changed = parse(b"[server]\nport = 1\nrate_limit.burst = 9\n[leap]\nfile = 'x'")
    differing = ["leap.file", "server.port", "server.rate_limit.burst"]
    assert changed.differs(Config()) == differing


def test_the_manual_of_settings_is_exactly_the_defaults() -> None:
    assert load(MANUAL) == Config()
    assert keys(tomllib.loads(MANUAL.read_text())) == keys(dataclasses.asdict(Config()))


def keys(table: dict[str, Any], at: str = "") -> set[str]:
    names: set[str] = set()
    for key, value in table.items():
        path = f"{at}{key}"
        names |= keys(value, f"{path}.") if isinstance(value, dict) else {path}
    return names


def test_the_manual_tells_every_range_with_its_unit() -> None:
    manual = told_of_each_key(MANUAL.read_text())
    checked = 0
    for key, annotation in annotated(Config):
        for allowed in ranges(annotation):
            told = re.search(r"(-?[\d.]+) to (\d+(?:\.\d+)?) ?(\w*)", manual[key])
            assert told, key
            least, most, unit = told.groups()
            assert (float(least), float(most)) == (allowed.least, allowed.most), key
            assert unit == allowed.unit, key
            checked += 1
    assert checked > 25


def test_the_manual_tells_every_choice() -> None:
    manual = told_of_each_key(MANUAL.read_text())
    for key, annotation in annotated(Config):
        if isinstance(annotation, type) and issubclass(annotation, StrEnum):
            for choice in annotation:
                assert f'"{choice.value}"' in manual[key], key


def test_the_manual_shows_a_listener_of_every_key() -> None:
    lines = MANUAL.read_text().splitlines()
    begin = lines.index("#   [[server.listener]]")
    example = [line[1:] for line in lines[begin : lines.index("listener = []")]]
    (shown,) = parse("\n".join(example).encode()).server.listener
    assert shown.leap is LeapMode.SMEAR
    (table,) = tomllib.loads("\n".join(example))["server"]["listener"]
    assert table.keys() == {each.name for each in dataclasses.fields(ListenerSettings)}


def told_of_each_key(text: str) -> dict[str, str]:
    """The comment above each key, as one line."""
    table, comment = "", ""
    told = {}
    for line in text.splitlines():
        if line.startswith("#"):
            comment = f"{comment} {line[1:].strip()}"
        elif line.startswith("["):
            table, comment = line.strip("[]"), ""
        elif line[:1].isalpha():
            told[f"{table}.{line.split()[0]}"] = comment
            comment = ""
    return told


def annotated(room: type, at: str = "") -> Iterator[tuple[str, Any]]:
    for key, kind in typing.get_type_hints(room, include_extras=True).items():
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from annotated(kind, f"{at}{key}.")
        else:
            yield f"{at}{key}", kind


def ranges(annotation: object) -> list[Range]:
    if isinstance(annotation, Range):
        return [annotation]
    return [found for each in typing.get_args(annotation) for found in ranges(each)]


def test_the_manual_shows_a_second_receiver() -> None:
    lines = MANUAL.read_text().splitlines()
    begin = lines.index("#   [[watched]]")
    example = [line[1:] for line in lines[begin : lines.index("watched = []")]]
    (shown,) = parse("\n".join(example).encode()).watched
    assert shown.receiver.device == "/dev/ttyUSB0"
    assert shown.pulse.device == "/dev/pps1"


def test_a_second_receiver_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"name the device"):
        parse(b"[[watched]]\nreceiver.baud = 9600\n")
