"""Values written and read by their types; every fault with its path."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NewType

import pytest

from refclock.codec import CodecError, decode, dotted, dumps, encode, loads
from refclock.settings import Dated, Decimals, Form, Range
from refclock.timebase import Duration, Mono, Utc

Name = NewType("Name", str)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Number(Enum):
    ONE = 1


def even_length(text: str) -> None:
    if len(text) % 2:
        raise ValueError


@dataclass(frozen=True, slots=True)
class Inner:
    port: Annotated[int, Range(1, 10)] = 3
    lag: Annotated[Duration, Range(0, 1, "s")] = Duration(0)


@dataclass(frozen=True, slots=True)
class Whole:
    at: Mono
    share: Annotated[float, Range(0.0, 1.0), Decimals(3)]
    speed: Literal["auto"] | Annotated[int, Range(10, 20, "Bd")] = "auto"
    baud: Literal[4800, 9600] = 9600
    colour: Colour = Colour.RED
    number: Number = Number.ONE
    name: Name | None = None
    even: Annotated[str, Form(even_length, "of even length")] = ""
    data: bytes = b""
    on: bool = False
    until: Utc | None = None
    inner: Inner = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    mixed: int | float | str = 0


@dataclass(frozen=True, slots=True)
class Ordered:
    least: int = 0
    most: int = 1

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ValueError("least is more than most")


@dataclass(frozen=True, slots=True)
class Holder:
    each: tuple[Inner | Ordered, ...] = ()
    one: Inner | Ordered | None = None


FULL = Whole(
    Mono(5),
    0.25,
    12,
    4800,
    Colour.BLUE,
    Number.ONE,
    Name("é"),
    "ab",
    b"\x01\xff",
    on=True,
    until=Utc(-7),
    inner=Inner(4, Duration(6)),
    several=(Inner(), Inner(1)),
    counts={"a b": 1},
    mixed=1.0,
)


def faults(kind: object, plain: object) -> list[str]:
    with pytest.raises(CodecError) as refused:
        decode(kind, plain)
    return str(refused.value).splitlines()


def test_what_is_written_is_read() -> None:
    again = loads(Whole, dumps(Whole, FULL, version=3), version=3)
    assert again == FULL
    assert type(again.mixed) is float
    assert dumps(Whole, FULL, version=3).startswith('{"version": 3, "at_ns": 5,')


def test_instants_are_nanoseconds_under_a_key_that_says_so() -> None:
    plain = encode(Whole, FULL)
    assert (plain["at_ns"], plain["until_ns"]) == (5, -7)
    assert plain["inner"] == {"port": 4, "lag_ns": 6}
    assert plain["data"] == "01ff"


def test_what_has_a_default_may_be_left_out() -> None:
    assert decode(Whole, {"at_ns": 1, "share": 1}) == Whole(Mono(1), 1.0)


def test_a_number_is_rounded_to_what_it_means() -> None:
    plain = encode(Whole, Whole(Mono(0), 0.123456))
    assert plain["share"] == 0.123


def test_every_fault_is_told_with_its_path() -> None:
    assert faults(
        Whole,
        {
            "share": 2.0,
            "speed": "fast",
            "baud": 9601,
            "colour": "rad",
            "number": True,
            "even": "abc",
            "data": "0g",
            "on": 1,
            "inner": {"prt": 2, "port": "x", "lag_ns": 2_000_000_000},
            "several": [{}, {"port": 11}, 3],
            "counts": {"x": 1.0},
            "mixed": [],
        },
    ) == [
        "share: 2.0 is not in 0 to 1; the nearest is 1",
        "speed: 'fast' is not 'auto' or a whole number, 10 to 20 Bd",
        "baud: 9601 is not one of 4800, 9600; the nearest is 9600",
        "colour: 'rad' is not one of 'red', 'blue'; did you mean 'red'?",
        "number: True is not 1",
        "even: 'abc' is not of even length",
        "data: '0g' is not bytes in hexadecimal",
        "on: 1 is not true or false",
        "inner.prt: no such key; did you mean inner.port?",
        "inner.port: 'x' is not a whole number, 1 to 10",
        "inner.lag_ns: 2.0 is not in 0 to 1 s; the nearest is 1",
        "several[2].port: 11 is not in 1 to 10; the nearest is 10",
        "several[3]: 3 is not a table",
        "counts.x: 1.0 is not a whole number",
        'mixed: [] is not a whole number or text in "quotes" or a number',
        "at_ns: is missing",
    ]


def test_a_list_has_a_form_of_its_own_where_its_values_are_good() -> None:
    def two(values: tuple[int, ...]) -> None:
        if len(values) != 2:
            raise ValueError

    pair = Annotated[tuple[int, ...], Form(two, "a pair")]
    assert decode(pair, [1, 2]) == (1, 2)
    assert faults(pair, [1]) == ["[1] is not a pair"]
    assert faults(pair, [{}]) == ["[1]: {} is not a whole number"]


def test_a_list_in_place_of_a_choice_is_a_fault() -> None:
    assert faults(Colour, ["red"]) == ["['red'] is not one of 'red', 'blue'"]


def test_what_a_dataclass_refuses_itself_is_a_fault_of_its_path() -> None:
    told = faults(Holder, {"each": [{"is": "Ordered", "least": 5}]})
    assert told == ["each[1]: least is more than most"]


def test_dataclasses_in_one_place_are_told_apart_by_their_name() -> None:
    holder = Holder((Ordered(1, 2), Inner()), None)
    plain = encode(Holder, holder)
    assert [each["is"] for each in plain["each"]] == ["Ordered", "Inner"]
    assert decode(Holder, plain) == holder
    assert faults(Holder, {"one": {"is": "Innr"}}) == [
        "one.is: 'Innr' is unknown; did you mean 'Inner'?"
    ]
    assert faults(Holder, {"one": {}}) == ["one: {} is not a table with a key 'is'"]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_neither_written_nor_read(number: float) -> None:
    with pytest.raises(CodecError, match=r"^share: .* is no number$"):
        encode(Whole, Whole(Mono(0), number))
    assert faults(float, number) == [f"{number} is no number"]
    with pytest.raises(CodecError, match="is no number"):
        loads(float, json.dumps(number))


@pytest.mark.parametrize(
    "number", [2**63, -(2**63) - 1, 10**5000], ids=["most", "least", "endless"]
)
def test_an_integer_has_64_bits(number: int) -> None:
    (fault,) = faults(int, number)
    assert "does not fit into 64 bits" in fault
    with pytest.raises(CodecError, match="64 bits"):
        encode(Mono, Mono(number))
    with pytest.raises(CodecError):
        decode(float, number)


def test_bytes_that_were_no_text_are_spelled_out() -> None:
    assert encode(str, "a\udcff") == "a\\udcff"
    assert "is no Unicode text" in faults(str, "a\udcff")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("\0\0\0", "it is empty"),
        ('{"a": 1', "torn, or no JSON (line 1 column 8)"),
        ("[" * 100_000, "nested without end"),
        pytest.param("9" * 5_000, "a number without end", id="digits"),
        ('{"a": 1, "a": 2}', "the key 'a' comes twice"),
        ("[]", "it names no version, so it is not one of ours"),
        ("{}", "it names no version, so it is not one of ours"),
        ('{"version": 2}', "it is of version 2, this program reads 1"),
        ('{"version": true}', "it is of version True, this program reads 1"),
    ],
)
def test_what_is_no_document_of_ours_is_refused_in_words(
    text: str, message: str
) -> None:
    with pytest.raises(CodecError) as refused:
        loads(Inner, text, version=1)
    assert str(refused.value) == message


def test_what_is_shown_of_a_refused_value_is_short_and_escaped() -> None:
    (fault,) = faults(int, "\x1b[31m" + "x" * 1_000)
    assert "\x1b" not in fault
    assert len(fault) < 120
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert faults(int, deep) == ["a list without end is not a whole number"]


def test_a_type_without_a_rule_is_a_bug() -> None:
    for kind in (complex, set[int], Inner | Ordered | int):
        with pytest.raises(TypeError, match="no rule"):
            decode(kind, 1)


def test_a_value_of_no_member_of_a_union_is_not_written() -> None:
    with pytest.raises(CodecError, match="no rule to write"):
        encode(int | str, True)


def test_a_path_reads_as_people_write_it() -> None:
    assert dotted(("server", "listener", 2, "port")) == "server.listener[2].port"


@dataclass(frozen=True, slots=True)
class Event:
    at: Annotated[Utc, Dated()]
    pair: tuple[str, int] = ("a", 1)


def test_a_date_is_a_date_and_a_row_has_its_kinds() -> None:
    at = datetime(2026, 12, 31, 23, 59, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
    read = decode(Event, {"at": at, "pair": ["b", 2]})
    assert read == Event(Utc.of(2026, 12, 31, 22, 59) + Duration(250_000_000), ("b", 2))
    assert decode(Event, encode(Event, read)) == read


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ({"at": 3}, "at: 3 is not a date and time with its zone"),
        ({"at": "tomorrow"}, "at: 'tomorrow' is not a date"),
        ({"at": "2026-12-31T23:59:00"}, "is not a date"),
        ({"at": "2026-12-31T23:59:00Z", "pair": ["b"]}, 'is not [text in "quotes", a'),
        ({"at": "2026-12-31T23:59:00Z", "pair": ["b", "c"]}, "pair[2]: 'c' is not"),
    ],
)
def test_dates_and_rows_that_are_none(plain: object, says: str) -> None:
    with pytest.raises(CodecError) as refused:
        decode(Event, plain)
    assert says in str(refused.value)
