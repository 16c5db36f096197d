"""An assembler for eBPF, in the notation of the kernel's documentation and LLVM.

One instruction a line, a comment after `#`, a label before `:`. Operands are sums of
numbers and names, with the names' values given by the caller. rN is a register of 64
bits, wN its lower half; writing wN clears the upper half.

    r1 = r2, r1 = 5, r1 += r2, w1 &= 7, ...   arithmetic: + - * / | & << >> % ^ s>>
    r1 = 0x123456789 ll                       a constant of 64 bits
    r1 = be16 r1                              host to network order: be16, be32, be64
    r1 = *(u32 *)(r2 + 4)                     load: u8, u16, u32, u64
    *(u32 *)(r2 + 4) = r1                     store; also of a constant
    lock *(u64 *)(r2 + 8) += r1               add in memory, atomically
    if r1 > r2 goto label, goto label         == != > >= < <= s> s>= s< s<= &
    r1 = map NAME                             the map whose descriptor NAME is
    r1 = value NAME                           where the value of that map lies
    call NAME, exit                           a helper by its number; the end

Encoding: Documentation/bpf/standardization/instruction-set.rst in the kernel.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

_ALU32, _ALU64, _JMP, _JMP32 = 0x04, 0x07, 0x05, 0x06
_LD_IMM64, _LDX, _ST, _STX = 0x18, 0x61, 0x62, 0x63
_ATOMIC = 0xDB
_CALL, _EXIT, _GOTO, _TO_BIG_ENDIAN = 0x85, 0x95, 0x05, 0xDC
_BY_REGISTER: Final = 0x08
_SIZE: Final = {"u8": 0x10, "u16": 0x08, "u32": 0x00, "u64": 0x18}
_WIDE: Final = {"map": 1, "value": 2}
"""What LD_IMM64 loads, by its source register."""
_ARITHMETIC: Final = dict(
    zip(
        ("+", "-", "*", "/", "|", "&", "<<", ">>", "%", "^", "", "s>>"),
        (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xA0, 0xB0, 0xC0),
        strict=True,
    )
)
_CONDITION: Final = dict(
    zip(
        ("==", ">", ">=", "&", "!=", "s>", "s>=", "<", "<=", "s<", "s<="),
        (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0),
        strict=True,
    )
)

_REGISTER = r"([rw])(\d+)"
_TERM = r"((?:[+-]\s*)*)(\w+)\s*"
_PLACE = r"\*\((u\d+) \*\)\(r(\d+) ([+-] .+?)\)"
_FORMS: Final = {
    name: re.compile(form)
    for name, form in {
        "wide": r"r(\d+) = (map|value) (\w+)",
        "constant": r"r(\d+) = (.+) ll",
        "big_endian": r"r(\d+) = be(16|32|64) r\1",
        "load": rf"[rw](\d+) = {_PLACE}",
        "store": rf"{_PLACE} = (.+)",
        "add": r"lock \*\(u64 \*\)\(r(\d+) ([+-] .+?)\) \+= r(\d+)",
        "branch": rf"if {_REGISTER} (\S+) (.+) goto (\w+)",
        "goto": r"goto (\w+)",
        "call": r"call (\w+)",
        "exit": r"(exit)",
        "arithmetic": rf"{_REGISTER} ([^\s=]*)= (.+)",
    }.items()
}


class Instruction(NamedTuple):
    """One, before labels are places."""

    operation: int
    target: int = 0
    source: int = 0
    offset: int = 0
    immediate: int = 0
    label: str = ""
    """Where it jumps to."""


class AssemblyError(ValueError):
    """A line that is no instruction, or a name nobody gave."""


def assemble(text: str, names: Mapping[str, int]) -> bytes:
    """The program in the kernel's encoding. AssemblyError names the line."""
    code: list[Instruction] = []
    labels: dict[str, int] = {}
    for line in text.splitlines():
        statement = line.partition("#")[0].strip()
        if statement.endswith(":"):
            labels[statement[:-1]] = len(code)
        elif statement:
            try:
                code += _encoded(statement, names)
            except (KeyError, ValueError) as error:
                raise AssemblyError(f"{statement}: {error}") from error
    whole = bytearray()
    for at, each in enumerate(code):
        if each.label and each.label not in labels:
            raise AssemblyError(f"no label {each.label}")
        offset = labels[each.label] - at - 1 if each.label else each.offset
        whole += _packed(each._replace(offset=offset))
    return bytes(whole)


def _packed(code: Instruction) -> bytes:
    registers = code.source << 4 | code.target
    if sys.byteorder == "big":
        registers = code.target << 4 | code.source
    immediate = code.immediate
    if not -0x8000_0000 <= immediate < 0x8000_0000 and _extends_sign(code.operation):
        raise AssemblyError(f"{immediate:#x} does not fit: `ll` loads 64 bits")
    signed = (immediate & 0xFFFF_FFFF ^ 0x8000_0000) - 0x8000_0000
    return struct.pack("=BBhi", code.operation, registers, code.offset, signed)


def _extends_sign(operation: int) -> bool:
    """Is a constant of 32 bits made one of 64 by this operation?"""
    return operation & 7 in {_ALU64, _JMP} or operation == _ST | _SIZE["u64"]


def _encoded(statement: str, names: Mapping[str, int]) -> list[Instruction]:
    """One instruction, or the two places of a 64-bit constant."""
    found = (
        (name, match.groups())
        for name, pattern in _FORMS.items()
        if (match := pattern.fullmatch(statement))
    )
    match next(found, ("none", ())):
        case "wide", (target, kind, name):
            first = Instruction(_LD_IMM64, int(target), _WIDE[kind], 0, names[name])
            return [first, Instruction(0)]
        case "constant", (target, value):
            whole = _sum(value, names)
            first = Instruction(_LD_IMM64, int(target), 0, 0, whole)
            return [first, Instruction(0, 0, 0, 0, whole >> 32)]
        case form, given:
            return [_single(form, given, names)]


def _single(form: str, given: tuple[str, ...], names: Mapping[str, int]) -> Instruction:
    match form, given:
        case "big_endian", (target, bits):
            code = Instruction(_TO_BIG_ENDIAN, int(target), 0, 0, int(bits))
        case "load", (target, size, base, offset):
            at = _sum(offset, names)
            code = Instruction(_LDX | _SIZE[size], int(target), int(base), at)
        case "store", (size, base, offset, value):
            operation = _ST if re.fullmatch(_REGISTER, value) is None else _STX
            code = _with_operand(operation | _SIZE[size], int(base), value, names)
            code = code._replace(offset=_sum(offset, names))
        case "add", (base, offset, source):
            code = Instruction(_ATOMIC, int(base), int(source), _sum(offset, names))
        case "branch", (half, target, condition, value, label):
            operation = (_JMP if half == "r" else _JMP32) | _CONDITION[condition]
            code = _with_operand(_by(operation, value), int(target), value, names)
            code = code._replace(label=label)
        case "goto", (label,):
            code = Instruction(_GOTO, label=label)
        case "call", (name,):
            code = Instruction(_CALL, immediate=names[name])
        case "arithmetic", (half, target, operator, value):
            operation = (_ALU64 if half == "r" else _ALU32) | _ARITHMETIC[operator]
            code = _with_operand(_by(operation, value), int(target), value, names)
        case "exit", _:
            code = Instruction(_EXIT)
        case _:
            raise ValueError("no instruction has that form")
    return code


def _by(operation: int, value: str) -> int:
    """The operation, by register if its operand is one."""
    return operation | _BY_REGISTER * (re.fullmatch(_REGISTER, value) is not None)


def _with_operand(
    operation: int, target: int, value: str, names: Mapping[str, int]
) -> Instruction:
    if register := re.fullmatch(_REGISTER, value):
        return Instruction(operation, target, int(register[2]))
    return Instruction(operation, target, immediate=_sum(value, names))


def _sum(text: str, names: Mapping[str, int]) -> int:
    """`+ UDP + 2`: the sum of numbers and names."""
    if not re.fullmatch(rf"{_TERM}(?:[+-]\s*{_TERM})*", text):
        raise ValueError(f"{text!r} is no sum")
    total = 0
    for signs, term in re.findall(_TERM, text):
        value = int(term, 0) if term[0].isdigit() else names[term]
        total += -value if signs.count("-") % 2 else value
    return total
