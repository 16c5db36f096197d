"""Other people's clients, and a load, before a server whose kernel answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.programs import Program
from tests.interop.test_chronyd import Chronyd
from tests.interop.test_peers import had_newer, takes_for_stratum_1
from tests.rig.networks import Network, cabled
from tests.rig.test_in_kernel_live import IN_KERNEL, Served, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

NO_LIMIT = "server.rate_limit.enabled = false\n"


@pytest.fixture(scope="module")
def wired() -> Iterator[tuple[Network, Network]]:
    with cabled() as networks:
        for network in networks:
            network.ip("link set lo up")
        yield networks


@pytest.fixture(scope="module")
def served(wired: tuple[Network, Network]) -> Iterator[Served]:
    with serving(wired[0], IN_KERNEL + NO_LIMIT) as running:
        yield running


@pytest.mark.parametrize(("option", "mode"), [("", "B"), ("xleave", "I")])
def test_chronyd_believes_it(
    wired: tuple[Network, Network],
    served: Served,
    had: Callable[[str], Program],
    tmp_path: Path,
    option: str,
    mode: str,
) -> None:
    """Basic: all by the kernel. Interleaved: the first too, then by the service."""
    _, client = wired
    before = served.answered
    chronyd = had("chronyd")
    polls = "minpoll -4 maxpoll -4 minsamples 8"
    chronyd.run(
        *("-U", "-u", "root", "-x", "-d", f"logdir {tmp_path}", "log rawmeasurements"),
        *("cmdport 0", f"pidfile {tmp_path}/pid", f"bindcmdaddress {tmp_path}/cmd"),
        f"server 10.77.0.1 iburst {polls} {option}",
        within=("nsenter", "-t", str(client.pid), "-n"),
        limit_s=4.0,
    )
    chrony = Chronyd(chronyd, tmp_path)
    rows = chrony.rows()
    assert len(rows) > 8
    assert all((row.leap, row.stratum) == ("N", 1) for row in rows)
    assert all(row.passed[:4] == "1111" for row in rows)
    assert mode in rows[-1].mode
    by_kernel, by_sockets = served.answered
    assert by_kernel > before[0]
    if option:
        assert by_sockets - before[1] > 8
    else:
        assert by_sockets == before[1]
        assert by_kernel - before[0] >= len(rows)


def test_ntpd_rs_believes_it(
    wired: tuple[Network, Network], served: Served, tmp_path: Path
) -> None:
    _, client = wired
    before = served.answered
    within = ("nsenter", "-t", str(client.pid), "-n")
    source = 'mode = "server"\naddress = "10.77.0.1:123"'
    takes_for_stratum_1(had_newer("ntp-daemon"), source, tmp_path, within)
    by_kernel, by_sockets = served.answered
    assert by_kernel > before[0]
    assert by_sockets == before[1]


@pytest.fixture(scope="module")
def ntpload(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to build the load generator")
    binary = tmp_path_factory.mktemp("load") / "ntpload"
    source = Path(__file__).parents[1] / "bench" / "ntpload.c"
    command = ["gcc", "-O2", "-o", str(binary), str(source), "-lm"]
    subprocess.run(command, check=True)  # noqa: S603 - our own source
    return str(binary)


@pytest.mark.parametrize(
    ("of_server", "to"),
    [(False, "10.77.0.1"), (True, "127.0.0.1"), (True, "10.77.1.1")],
)
def test_under_load_every_reply_is_right_and_none_is_missing(
    wired: tuple[Network, Network],
    served: Served,
    ntpload: str,
    of_server: bool,
    to: str,
) -> None:
    """20,000 requests a second over veth, over loopback, and to itself."""
    network = wired[0] if of_server else wired[1]
    before = served.answered
    command = f"{ntpload} -N -a {to} -p 123 -t 2 -r 20000 -w 4096 -S 16 -b 8"
    within = ["nsenter", "-t", str(network.pid), "-n"]
    done = subprocess.run(  # noqa: S603 - our own generator
        [*within, *command.split()],
        capture_output=True,
        check=True,
    )
    told = json.loads(done.stdout)
    wrong = {name: count for name, count in told.items() if name.startswith("bad_")}
    assert not any(wrong.values())
    assert told["loss"] == told["unsync"] == told["kod"] == 0
    by_kernel, by_sockets = served.answered
    assert by_kernel - before[0] > 0.99 * told["replies"] > 5_000
    assert by_sockets - before[1] < 0.01 * told["replies"]
