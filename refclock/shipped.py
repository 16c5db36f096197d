"""The files that come with the package: settings, boards, worlds, units, udev rules."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def shipped(*path: str) -> Traversable:
    """The file or folder at `path`, its first part `config` or `udev`.

    An installed package has these folders inside it; in a clone, where an editable
    installation runs from, they stand beside the package.
    """
    package = files("refclock")
    inside = package / "shipped"
    if inside.is_dir():
        return inside.joinpath(*path)
    return Path(str(package)).parent.joinpath(*path)
