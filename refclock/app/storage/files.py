"""Files that another may have written: no more of them is read than fits their kind."""

from __future__ import annotations

import os
from pathlib import Path


def read_at_most(path: Path, limit: int) -> bytes:
    """The content, of a longer file its first `limit` + 1 bytes. OSError: cannot.

    A pipe or device in place of the file is not waited for.
    """

    def without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)

    with open(path, "rb", opener=without_waiting) as file:
        return file.read(limit + 1) or b""
