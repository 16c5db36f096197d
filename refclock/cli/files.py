"""`refclock files`: the settings, boards, units and rules that come with it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Final

from refclock.cli import complain
from refclock.shipped import shipped

HELP: Final = (
    "print a file that comes with refclock: settings, boards, units, udev rules"
)

_FOLDERS: Final = ("config", "udev")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "name", nargs="?", help="the file to print (default: the names of all)"
    )


def run(args: argparse.Namespace) -> int:
    """0: printed. 1: there is no such file."""
    known = {name: file for each in _FOLDERS for name, file in _under(each)}
    if args.name is None:
        print("\n".join(sorted(known)))
        return 0
    if args.name not in known:
        complain("files", f"there is no {args.name}; `refclock files` lists them")
        return 1
    print(known[args.name].read_text("utf-8"), end="")
    return 0


def _under(name: str) -> Iterator[tuple[str, Traversable]]:
    here = shipped(*name.split("/"))
    if here.is_file():
        yield name, here
        return
    for each in here.iterdir():
        yield from _under(f"{name}/{each.name}")
