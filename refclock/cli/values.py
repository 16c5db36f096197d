"""What an option may be: checked as the command line is read."""

from __future__ import annotations

import ipaddress
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Final

LONGEST_S: Final = 1e9
"""More than any run takes: 31 years."""
_SHOWN: Final = 40


def whole(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(
                f"{text[:_SHOWN]!r} is not a whole number"
            ) from None
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text[:_SHOWN]} is not in {least} to {most}")
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """A reader of numbers from `least` to `most`; NaN is in no range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ArgumentTypeError(f"{text[:_SHOWN]!r} is not a number") from None
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text[:_SHOWN]} is not in {least:g} to {most:g}")
        return value

    return read


def address(text: str) -> str:
    """An IP address, one of a link with its interface: `fe80::1%eth0`."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text[:_SHOWN]!r} is not an address, such as 127.0.0.1 or ::1"
        ) from None
    return text


port = whole(1, 65_535)
duration_s = number(0.001, LONGEST_S)
