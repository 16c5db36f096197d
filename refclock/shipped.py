"""The files that come with the package: settings, boards, worlds, units, udev rules."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def shipped(*path: str) -> Traversable:
    """The file or folder at `path`, its first part `config` or `udev`.

    An installed package has these folders inside it; in a clone, where an editable
    installation runs from, they stand beside the package.
    """
    package = files("refclock")
    inside = package / "shipped"
    return (inside if inside.is_dir() else package / "..").joinpath(*path)
