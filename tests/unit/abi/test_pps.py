"""Where a 64-bit kernel reads the time-out of a 32-bit program."""

from __future__ import annotations

import pytest

from hw.abi.pps import timeout_at


@pytest.mark.parametrize(
    ("pointer", "machine", "at"),
    [
        (8, "aarch64", 48),
        (8, "x86_64", 48),
        (4, "armv6l", 48),
        (4, "armv7l", 48),
        (4, "aarch64", 44),
        (4, "armv8l", 44),
        (4, "riscv64", 44),
        (4, "x86_64", 44),
        (4, "i686", 44),
    ],
)
def test_by_word_size_of_program_and_kernel(
    pointer: int, machine: str, at: int
) -> None:
    assert timeout_at(pointer, machine) == at
