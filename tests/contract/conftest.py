"""The boards every port is tried on: emulated ones, and this machine (`-m hardware`).

The machine is found as the daemon finds it. Where more than one wiring is to be
tried, each is a settings file of the daemon's: `--board FILE --board FILE`. What
would set the machine's clocks needs `--may-set` besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.mark import ParameterSet

from hw.linux.board import linux_board
from hw.linux.clock import FreeClock
from hw.linux.line.uart import Uart
from hw.sim.live import LiveWorld
from hw.sim.scenarios import Scenario
from refclock.board.ports import Board
from refclock.config import Config, load
from refclock.gnss.framer import proves

Port = TypeVar("Port")
Vendor = Callable[[pytest.FixtureRequest], Board]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--board",
        action="append",
        help="how this machine is wired: settings of the daemon, once for each wiring",
    )
    parser.addoption(
        "--may-set", action="store_true", help="also set this machine's own clocks"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "board" not in metafunc.fixturenames:
        return
    emulated: dict[str, Vendor] = {}
    if not metafunc.definition.get_closest_marker("hardware"):
        emulated = getattr(metafunc.module, "EMULATED", {"emulated": emulated_board})
    files: list[str] = metafunc.config.getoption("board", None) or []
    real = {Path(file).stem: load(Path(file)) for file in files} or {"auto": Config()}
    makers = [pytest.param(make, id=name) for name, make in emulated.items()]
    makers += [
        pytest.param(real_board(config), id=name, marks=pytest.mark.hardware)
        for name, config in real.items()
    ]
    metafunc.parametrize("board", makers, indirect=True)


@pytest.fixture
def board(request: pytest.FixtureRequest) -> Board:
    """One of them."""
    made: Board = request.param(request)
    return made


@pytest.fixture
def world() -> Iterator[LiveWorld]:
    """A healthy emulated receiver, in real time."""
    healthy = Scenario("contract", "healthy", clock_error_s=0.0)
    live = LiveWorld(healthy, 1, FreeClock())
    live.start()
    yield live
    live.stop()


def emulated_board(request: pytest.FixtureRequest) -> Board:
    world: LiveWorld = request.getfixturevalue("world")
    return Board(
        name="emulated",
        clock=world.clock,
        open_receiver=lambda: Uart(world.receiver_path, 9600),
        open_pulse=world.open_pulse,
        open_pin=world.open_pin,
        open_thermometer=world.open_thermometer,
    )


def real_board(config: Config) -> Vendor:
    """This machine. It steers nothing."""
    wiring = config.receiver, config.pulse, config.thermometer, config.rtc
    return lambda _request: linux_board(*wiring, steer=False, proves=proves)


def of_any_machine(make: Callable[..., Any], name: str) -> list[ParameterSet]:
    """What every machine has: tried in the plain run, and again as `hardware`."""
    there = pytest.param(make, id=name, marks=pytest.mark.hardware)
    return [pytest.param(make, id=f"{name}-here"), there]


@pytest.fixture
def may_set(request: pytest.FixtureRequest) -> None:
    """Whatever is emulated; this machine's clocks where that was said, else a skip."""
    real = request.node.get_closest_marker("hardware")
    if real and not request.config.getoption("may_set", False):
        pytest.skip("it sets a clock of this machine: only with --may-set")


def opened(opener: Callable[[], Port] | None) -> Port:
    """The port, or a skip that says why this machine has none."""
    if opener is None:
        pytest.skip("this machine has no such part")
    try:
        return opener()
    except OSError as error:
        pytest.skip(str(error))
