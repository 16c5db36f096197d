"""The records of the key exchange, one by one."""

import contextlib
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.records import (
    Answer,
    ErrorCode,
    ExchangeError,
    Kind,
    Record,
    agreed,
    answer,
    complete,
    context,
    decode,
    encode,
    question,
)

PROTOCOL = Record(Kind.NEXT_PROTOCOL, b"\0\0", critical=True)
SIV = Record(Kind.ALGORITHMS, b"\0\x0f", critical=True)
BOTH = Record(Kind.ALGORITHMS, b"\0\x1e\0\x0f", critical=True)
COMPLIANT = Record(Kind.COMPLIANT_EXPORTER, b"")
COOKIE = Record(Kind.COOKIE, bytes(96))


def export(asked: bytes, length: int) -> bytes:
    return (asked * length)[:length]


def refused(code: ErrorCode) -> Answer:
    return Answer(None, [Record(Kind.ERROR, pack(">H", code), critical=True)])


def test_the_first_algorithm_of_the_client_s_list_is_taken() -> None:
    for algorithms, compliant, taken in (
        ([30, 15], True, 30),
        ([15, 30], True, 15),
        ([17, 30], True, 30),
        ([30, 15], False, 15),
    ):
        wish = Record(Kind.ALGORITHMS, pack(f">{len(algorithms)}H", *algorithms))
        said = answer(encode([PROTOCOL, wish] + [COMPLIANT] * compliant))
        assert said.algorithm == taken
        assert (COMPLIANT in said.records) is (taken == 30)


def test_where_to_ask_is_told_if_it_is_elsewhere() -> None:
    said = answer(encode([PROTOCOL, SIV]), server="ntp.test", port=1123)
    assert said.records[2:] == [
        Record(Kind.PORT, pack(">H", 1123), critical=True),
        Record(Kind.SERVER, b"ntp.test", critical=True),
    ]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([SIV], ErrorCode.BAD_REQUEST),
        ([PROTOCOL], ErrorCode.BAD_REQUEST),
        ([PROTOCOL, PROTOCOL, SIV], ErrorCode.BAD_REQUEST),
        ([PROTOCOL, SIV, SIV], ErrorCode.BAD_REQUEST),
        ([Record(Kind.NEXT_PROTOCOL, b"\0\0"), SIV], ErrorCode.BAD_REQUEST),
        (
            [Record(Kind.NEXT_PROTOCOL, b"\0", critical=True), SIV],
            ErrorCode.BAD_REQUEST,
        ),
        ([PROTOCOL, Record(Kind.ALGORITHMS, b"")], ErrorCode.BAD_REQUEST),
        ([PROTOCOL, SIV, COOKIE], ErrorCode.BAD_REQUEST),
        ([PROTOCOL, SIV, Record(Kind.ERROR, b"\0\1")], ErrorCode.BAD_REQUEST),
        ([PROTOCOL, SIV, Record(Kind.WARNING, b"\0\1")], ErrorCode.BAD_REQUEST),
        ([PROTOCOL, SIV, Record(99, b"", critical=True)], ErrorCode.UNKNOWN_CRITICAL),
    ],
)
def test_a_request_that_is_none_is_refused(
    records: list[Record], code: ErrorCode
) -> None:
    assert answer(encode(records)) == refused(code)


def test_unknown_records_that_are_not_critical_are_skipped() -> None:
    said = answer(encode([Record(99, b"x"), PROTOCOL, SIV, Record(16384, bytes(300))]))
    assert said.algorithm is Algorithm.SIV


def test_nothing_in_common_gets_an_empty_record() -> None:
    protocols = Record(Kind.NEXT_PROTOCOL, b"\x80\x01", critical=True)
    said = answer(encode([protocols, SIV]))
    assert said == Answer(None, [Record(Kind.NEXT_PROTOCOL, b"", critical=True)])
    said = answer(encode([PROTOCOL, Record(Kind.ALGORITHMS, b"\0\x11")]))
    assert said == Answer(None, [PROTOCOL, Record(Kind.ALGORITHMS, b"", critical=True)])


def test_both_sides_agree_on_the_same_keys() -> None:
    said = answer(question())
    assert said.algorithm is Algorithm.SIV
    cookies = [Record(Kind.COOKIE, bytes([n] * 96)) for n in range(8)]
    found = agreed(encode([*said.records, *cookies]), export)
    assert found.association.algorithm is Algorithm.SIV
    assert found.association.c2s == export(b"\0\0\0\x0f\0", 32)
    assert found.association.s2c == export(b"\0\0\0\x0f\1", 32)
    assert (len(found.cookies), found.server, found.port) == (8, "", 123)


def test_without_the_compliant_exporter_the_other_number_is_exported() -> None:
    chosen = Record(Kind.ALGORITHMS, b"\0\x1e", critical=True)
    for compliant, number in (([COMPLIANT], 30), ([], 15)):
        found = agreed(encode([PROTOCOL, chosen, *compliant, COOKIE]), export)
        assert found.association.c2s == export(bytes([0, 0, 0, number, 0]), 16)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([Record(Kind.ERROR, b"\0\1", critical=True)], "error 1"),
        ([Record(Kind.WARNING, b"\0\1", critical=True)], "warning 1"),
        ([SIV, COOKIE], "NTP version 4"),
        ([PROTOCOL, COOKIE], "no algorithm"),
        ([PROTOCOL, BOTH, COOKIE], "no algorithm"),
        ([PROTOCOL, Record(Kind.ALGORITHMS, b"\0\x11"), COOKIE], "17, not offered"),
        ([PROTOCOL, SIV], "no cookie"),
        ([PROTOCOL, SIV, Record(Kind.COOKIE, bytes(15))], "no cookie"),
        ([PROTOCOL, SIV, Record(Kind.COOKIE, bytes(300))], "no cookie"),
        ([PROTOCOL, SIV, COOKIE, Record(Kind.PORT, b"\0\0")], "port"),
        ([PROTOCOL, SIV, COOKIE, Record(Kind.SERVER, b"\xff")], "no name"),
        ([PROTOCOL, SIV, COOKIE, Record(99, b"", critical=True)], "type 99"),
    ],
)
def test_an_answer_that_is_none_is_refused(records: list[Record], says: str) -> None:
    with pytest.raises(ExchangeError, match=says):
        agreed(encode(records), export)


def test_the_context_names_protocol_algorithm_and_direction() -> None:
    assert context(Algorithm.GCM_SIV, server_to_client=True) == b"\0\0\0\x1e\1"


def test_a_message_has_come_when_its_end_has() -> None:
    data = encode([PROTOCOL, SIV])
    assert [complete(data[:n]) for n in range(len(data) + 1)] == [
        *[False] * len(data),
        True,
    ]
    for wrong in (data + b"x", data[:-1], b"", b"\x80\0\0\1x"):
        with pytest.raises(ExchangeError):
            decode(wrong)


record_lists = st.lists(
    st.builds(
        Record,
        st.one_of(st.sampled_from([*Kind][1:]), st.integers(1, 0x7FFF)),
        st.one_of(
            st.binary(max_size=8), st.sampled_from([b"\0\0", b"\0\x0f", b"\0\x1e"])
        ),
        st.booleans(),
    ),
    max_size=8,
)


@given(record_lists, st.binary(max_size=20), st.booleans())
def test_any_bytes_get_an_answer(records: list[Record], more: bytes, cut: bool) -> None:
    data = encode(records)
    assert decode(data) == records
    data = data[: len(more)] if cut else data + more
    said = answer(data)
    assert decode(encode(said.records)) == list(said.records)
    with contextlib.suppress(ExchangeError):
        agreed(data, export)
