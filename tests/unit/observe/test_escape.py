from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.observe.escape import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("u-blox 8", "u-blox 8"),
        ("± 4 µs, 48 °C", "± 4 µs, 48 °C"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nALARM b\r\x07", "a\\nALARM b\\r\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202egnp", "abc\\u202egnp"),
        ("\u2028\u200b\ufeff", "\\u2028\\u200b\\ufeff"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_does_not_print_is_spelled_out(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_what_is_shown_is_one_line_that_prints(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert escape(shown) == shown
