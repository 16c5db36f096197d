"""The board files: only keys that there are, only values that are allowed."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest

from refclock.board.wiring import (
    PulseSettings,
    ReceiverSettings,
    RtcSettings,
    ThermometerSettings,
)
from refclock.settings import Range

BOARDS = sorted((Path(__file__).parents[3] / "config" / "boards").glob("*.toml"))
ROOMS = {
    "receiver": ReceiverSettings,
    "pulse": PulseSettings,
    "thermometer": ThermometerSettings,
    "rtc": RtcSettings,
}


def allowed(kind: Any, value: object) -> bool:  # noqa: ANN401 - as annotated
    """May a setting of this type be written so?"""
    if typing.get_origin(kind) is Annotated:
        inner, limits = typing.get_args(kind)
        assert isinstance(limits, Range)
        return (
            isinstance(value, int | float)
            and allowed(inner, value)
            and limits.least <= value <= limits.most
        )
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    if choices := typing.get_args(kind):
        return any(allowed(choice, value) for choice in choices)
    if issubclass(kind, StrEnum):
        return value in list(kind)
    return type(value) is kind


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_board_says_only_what_can_be_set(path: Path) -> None:
    for room, table in tomllib.loads(path.read_text()).items():
        hints = typing.get_type_hints(ROOMS[room], include_extras=True)
        for key, value in table.items():
            assert allowed(hints[key], value), f"{room}.{key} = {value!r}"


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_board_says_what_it_needs_at_boot_and_who_said_so(path: Path) -> None:
    text = path.read_text()
    assert "/boot/firmware/config.txt" in text
    assert re.search(r"^# (Reported|From the vendor)", text, re.MULTILINE)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_board_says_how_late_it_stamps_and_who_said_so(path: Path) -> None:
    latency = path.read_text().partition("# Latency")[2]
    assert "reported" in latency


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_the_line_and_the_boot_overlay_are_the_same_pin(path: Path) -> None:
    text = path.read_text()
    line = tomllib.loads(text)["pulse"].get("line", "")
    overlay = re.search(r"dtoverlay=pps-gpio,gpiopin=(\d+)", text)
    if overlay:
        assert line == f"GPIO{overlay[1]}"
    else:
        assert not line.startswith("GPIO")


def test_the_boards_people_have_are_here() -> None:
    names = {path.stem for path in BOARDS}
    assert names >= {"uputronics", "adafruit-ultimate", "gnss-hat", "timehat"}
    assert names >= {f"waveshare-{n}" for n in ("max-m8q", "neo-m8t", "l76k", "lc29h")}
    assert names >= {"cm4-cm5-phc", "timehat-i226", "by-hand"}


def test_every_range_is_kept() -> None:
    hints = typing.get_type_hints(PulseSettings, include_extras=True)
    assert allowed(hints["latency_ns"], "auto")
    assert allowed(hints["latency_ns"], -5)
    assert not allowed(hints["latency_ns"], 2_000_000)
    assert not allowed(hints["latency_ns"], "often")
    assert not allowed(hints["source"], "usb")
    assert not allowed(hints["device"], 5)


@pytest.mark.parametrize("room", ROOMS.values(), ids=lambda room: room.__name__)
def test_the_defaults_are_allowed_themselves(room: type[Any]) -> None:
    hints = typing.get_type_hints(room, include_extras=True)
    for field in dataclasses.fields(room):
        assert allowed(hints[field.name], field.default)
