"""Runs in the guest: how an opening that must fail is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Closable(Protocol):
    """What would have been opened."""

    def close(self) -> None:
        """Give it back."""
        ...


def refusal(do: Callable[[], Closable]) -> str:
    """Why it is not opened."""
    try:
        do().close()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("it was not refused")
