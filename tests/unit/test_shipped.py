from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from refclock.shipped import shipped

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["config", "udev"])
def test_in_a_clone_the_files_are_the_clones(folder: str) -> None:
    here = {path.name for path in (ROOT / folder).iterdir()}
    assert {path.name for path in shipped(folder).iterdir()} == here


def test_a_file_is_read_by_its_path() -> None:
    text = shipped("config", "refclock.toml").read_text("utf-8")
    assert text == (ROOT / "config" / "refclock.toml").read_text("utf-8")


def test_the_wheel_holds_every_folder_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    held = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert held == {name: f"refclock/shipped/{name}" for name in ("config", "udev")}
