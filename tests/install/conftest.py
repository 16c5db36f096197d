"""Fresh Debian systems; here what is missing is an error in CI and a skip elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

import pytest

from tests.debian import MissingError
from tests.install.roots import Booted, Root, booted, copied, fresh

T = TypeVar("T")


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def root(request: pytest.FixtureRequest) -> Iterator[Root]:
    """A fresh minimal system, the same for all tests of a module."""
    system = available(lambda: fresh(request.param))
    with copied(system) as made:
        yield made


@pytest.fixture(scope="module")
def boot() -> Iterator[Callable[[Root], Booted]]:
    """Boots a system for the time of a module's tests."""
    with ExitStack() as running:
        yield lambda root: available(lambda: running.enter_context(booted(root)))


def available(make: Callable[[], T]) -> T:
    """What `make` makes, or the test is skipped for want of it."""
    try:
        return make()
    except MissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
