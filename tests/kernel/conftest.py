"""One guest for all tests that may share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.debian import MissingError
from tests.kernel.image import Image, image, with_newer_qemu
from tests.kernel.machine import SKIPPED, Guest, LiveGuest
from tests.kernel.outside import Weather
from tests.kernel.userland import ARM64, ARMHF, UserLand

_CACHE: Final = Path(__file__).parents[2] / ".cache/kernel"
_LIVE_S: Final = 400


def image_of(land: UserLand) -> Image:
    """What a guest boots; in CI it must be there."""
    try:
        return image(_CACHE, land)
    except MissingError as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no guest to boot: {why}")


@pytest.fixture(scope="session")
def kernel_image() -> Image:
    """That of Debian 12 on arm64."""
    return image_of(ARM64)


@pytest.fixture(scope="module", params=[ARM64, ARMHF], ids=lambda land: land.arch)
def newer_image(request: pytest.FixtureRequest) -> Image:
    """Each, for a QEMU that is not in every Debian's archive for ever."""
    made = image_of(request.param)
    try:
        return with_newer_qemu(made, _CACHE)
    except MissingError as why:
        pytest.skip(f"no QEMU whose network card has a clock: {why}")


@pytest.fixture(scope="module")
def armhf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGuest]:
    """A live guest whose programs are of 32 bits, with 64-bit time."""
    run = tmp_path_factory.mktemp("armhf")
    with closing(LiveGuest(image_of(ARMHF), run, _LIVE_S)) as guest:
        yield guest


@pytest.fixture(scope="session")
def booted(
    kernel_image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveGuest]:
    """A guest whose receiver and pulse run by true time."""
    guest = LiveGuest(kernel_image, tmp_path_factory.mktemp("guest"), _LIVE_S)
    yield guest
    guest.close()


@pytest.fixture
def guest(booted: LiveGuest) -> Iterator[LiveGuest]:
    """It, in fair weather again when the test is over."""
    yield booted
    booted.outside.turn(Weather())


@pytest.fixture(scope="session")
def skipped_hour(
    kernel_image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[dict[str, Any]]]:
    """What becomes of the daemon in an hour whose idle time is skipped.

    It goes by in a guest of its own, while another waits for pulses.
    """
    run = tmp_path_factory.mktemp("skipping")

    def lived() -> dict[str, Any]:
        with closing(Guest(kernel_image, run, _LIVE_S, SKIPPED)) as guest:
            told: dict[str, Any] = guest.call("skipped.hour", limit_s=200)
            return told

    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(lived)
