from __future__ import annotations

import errno

import pytest

from refclock.daemon.supervise import plain


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("wired wrong"), "wired wrong"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError(errno.EIO, "hung up", "/dev/gps0"), "/dev/gps0: hung up"),
    ],
)
def test_an_error_is_told_without_its_number(error: OSError, said: str) -> None:
    assert plain(error) == said
