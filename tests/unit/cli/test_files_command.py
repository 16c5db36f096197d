from __future__ import annotations

from pathlib import Path

import pytest

from refclock.cli import main

ROOT = Path(__file__).parents[3]


def test_every_file_that_comes_with_it_can_be_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["files"]) == 0
    names = capsys.readouterr().out.split()
    assert {"config/refclock.toml", "udev/99-refclock.rules"} < set(names)
    assert "config/systemd/refclock.service" in names
    for name in names:
        assert main(["files", name]) == 0
        assert capsys.readouterr().out == (ROOT / name).read_text("utf-8")


def test_a_file_that_is_none_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", "../pyproject.toml"]) == 1
    assert "`refclock files` lists them" in capsys.readouterr().err
