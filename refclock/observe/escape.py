"""Text from outside (receiver, network, another process) made safe to print.

One function for terminal, journal and service manager. What could move the cursor,
begin another line or reorder the text is spelled out: `\\x1b`, `\\n`, `\\u202e`. JSON
needs none of it: its writer escapes by itself.
"""

from __future__ import annotations


def escape(text: str) -> str:
    """`text` on one line: every character that does not print is spelled out."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )
