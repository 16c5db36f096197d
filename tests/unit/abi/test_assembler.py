"""Instructions, against their encoding in RFC 9669."""

from __future__ import annotations

import sys

import pytest

from hw.abi.bpf.assembler import AssemblyError, assemble

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="bytes written little")

NAMES = {
    "FIELD": 20,
    "MORE": 4,
    "TABLE": 7,
    "HELPER": 28,
    "WIDE": 0x1234_5678_9ABC_DEF0,
}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("r1 = r2", "bf21000000000000"),
        ("w1 = w2", "bc21000000000000"),
        ("r3 = 5", "b703000005000000"),
        ("w3 = 0xffffffff", "b4030000ffffffff"),
        ("w3 = FIELD", "b403000014000000"),
        ("r1 += -8", "07010000f8ffffff"),
        ("r1 -= r2", "1f21000000000000"),
        ("r1 *= r2", "2f21000000000000"),
        ("r1 /= 1000", "37010000e8030000"),
        ("r1 |= 3", "4701000003000000"),
        ("w1 &= 0x3f", "540100003f000000"),
        ("r1 <<= 2", "6701000002000000"),
        ("r1 >>= r4", "7f41000000000000"),
        ("r1 %= 3", "9701000003000000"),
        ("w1 ^= 0xffff", "a4010000ffff0000"),
        ("r1 s>>= 1", "c701000001000000"),
        ("r1 = be16 r1", "dc01000010000000"),
        ("r1 = be64 r1", "dc01000040000000"),
        ("r2 = *(u8 *)(r7 + 14)", "71270e0000000000".replace("27", "72")),
        ("w2 = *(u16 *)(r7 + FIELD + MORE)", "6972180000000000"),
        ("r2 = *(u32 *)(r10 - 4)", "61a2fcff00000000"),
        ("r2 = *(u64 *)(r10 + -8)", "79a2f8ff00000000"),
        ("*(u8 *)(r10 + 1) = r2", "732a010000000000"),
        ("*(u16 *)(r10 + 2) = r2", "6b2a020000000000"),
        ("*(u32 *)(r10 - 8) = FIELD", "620af8ff14000000"),
        ("*(u64 *)(r10 - 8) = r1", "7b1af8ff00000000"),
        ("lock *(u64 *)(r9 + 16) += r3", "db39100000000000"),
        ("r1 = map TABLE", "18110000070000000000000000000000"),
        ("r1 = value TABLE", "18210000070000000000000000000000"),
        ("r1 = WIDE ll", "18010000f0debc9a0000000078563412"),
        ("call HELPER", "850000001c000000"),
        ("exit", "9500000000000000"),
    ],
)
def test_each_form(line: str, code: str) -> None:
    assert assemble(line, NAMES).hex() == code


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("r1 == 0", "1501"),
        ("r1 > r2", "2d21"),
        ("r1 >= 1", "3501"),
        ("r1 & 1", "4501"),
        ("w1 != 1", "5601"),
        ("r1 s> 1", "6501"),
        ("r1 s>= r2", "7d21"),
        ("r1 < 1", "a501"),
        ("r1 <= r2", "bd21"),
        ("r1 s< 1", "c501"),
        ("w1 s<= r2", "de21"),
    ],
)
def test_each_condition(condition: str, code: str) -> None:
    whole = assemble(f"if {condition} goto end\nexit\nend:\nexit", NAMES)
    assert whole[:4].hex() == code + "0100"


def test_labels_lie_before_and_behind_and_a_wide_constant_counts_twice() -> None:
    text = """
    again:                      # a comment, and a blank line

        r1 = WIDE ll            # two places
        if r1 == 0 goto end
        goto again
    end:
        exit
    """
    code = assemble(text, NAMES)
    jumps = [int.from_bytes(code[at + 2 : at + 4], "little") for at in (16, 24)]
    assert jumps == [1, 0x10000 - 4]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("r1 = NOBODY", "r1 = NOBODY: 'NOBODY'"),
        ("call NOBODY", "call NOBODY: 'NOBODY'"),
        ("r1 == 1", "r1 == 1: no instruction has that form"),
        ("r1 = *(u24 *)(r2 + 1)", "is no sum|'u24'"),
        ("goto nowhere", "no label nowhere"),
        ("if r1 =< 1 goto end", "'=<'"),
        ("jump", "no instruction has that form"),
        ("r1 = 12x", "invalid literal"),
        ("r1 = 1 2", "'1 2' is no sum"),
        ("r1 =", "no instruction has that form"),
        ("r1 = 0xffffffff", "0xffffffff does not fit"),
        ("if r1 > 0xffffffff goto end\nend:\nexit", "0xffffffff does not fit"),
        ("*(u64 *)(r10 - 8) = 0x80000000", "0x80000000 does not fit"),
    ],
)
def test_what_is_no_instruction_is_refused_by_its_line(line: str, why: str) -> None:
    with pytest.raises(AssemblyError, match=why):
        assemble(line, NAMES)
