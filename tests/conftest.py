"""A limit on the time of every test, and hypothesis with the same examples each run."""

from __future__ import annotations

import pytest
from hypothesis import settings

_LIMITS_S = {"kernel": 1800, "root": 1800, "interop": 600, "slow": 600}
"""Longest time of a test so marked, its fixtures included; pyproject.toml has the
limit of the others. The first mark that fits counts."""

settings.load_profile("ci")  # the same examples every time, and no deadline
# `pytest --hypothesis-profile=default` looks for new ones.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every marked test without a limit of its own the limit of its mark."""
    for item in items:
        if item.get_closest_marker("timeout") is not None:
            continue
        for mark, limit_s in _LIMITS_S.items():
            if item.get_closest_marker(mark) is not None:
                item.add_marker(pytest.mark.timeout(limit_s))
                break
