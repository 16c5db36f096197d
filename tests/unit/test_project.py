"""pyproject.toml agrees with itself, and with the tree."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def test_coverage_is_demanded_of_every_room_that_touches_no_device() -> None:
    (contract,) = (
        contract
        for contract in TOOL["importlinter"]["contracts"]
        if "hw" in contract.get("forbidden_modules", ())
    )
    measured = TOOL["coverage"]["run"]["source_pkgs"]
    assert measured == contract["source_modules"]
    assert TOOL["coverage"]["report"]["fail_under"] >= 99
