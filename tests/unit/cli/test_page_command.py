"""`refclock page`, as far as its options."""

from __future__ import annotations

import pytest

from refclock.cli import main


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--port 99999", "99999 is not in 1 to 65535"),
        ("--listen elsewhere", "'elsewhere' is not an address"),
    ],
)
def test_options_are_checked_in_one_line(
    option: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["page", *option.split()])
    assert says in capsys.readouterr().err.splitlines()[-1]
