"""What a reply costs and how right it is when the kernel answers, beside chronyd.

    python tests/bench/in_kernel.py [--rounds 5] [--chronyd PATH]

All servers are alive at once, each in a network namespace of its own with two cables
(veth) to its client, and get bursts in random order; every ratio is taken within its
round. True offset is 0: what a client sees with the kernel's own stamps is the error.

By one cable the errors are measured. By the other the CPU time of a reply: its ends are
worked by threads (NAPI), the server's on the first CPU with the server, so that this
thread and the server's process do all that a server does but its card's driver. "Python
busy" collects garbage, draws pages and shakes hands by TLS in threads of the server's
own process all the while. No clock is set: none may be. Needs root, for namespaces.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import shutil
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

from hw.abi.interface import interface_ioctl
from hw.linux.clock import FreeClock
from refclock.app.serving.services import services as services_of
from refclock.config import parse
from refclock.timebase import SECOND
from tests.fakes.published import right
from tests.interop.programs import program
from tests.rig.networks import Network, cabled

BURST_S: Final = 0.6
PROBE_S: Final = 1.2
HALF: Final = 100_000
"""Requests a second, at most, of what is called half load."""
CONFIG: Final = """
[server]
listen = ["0.0.0.0"]
in_kernel = {in_kernel}
rate_limit.enabled = false
"""
PRIORITY: Final = -10
FIRST: Final = ("nice", "-n", str(PRIORITY))
"""Before all else this machine does: none of that is to be measured."""
BUSY: Final = "  with its Python busy"
VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "refclock, by sockets": {"in_kernel": False, "busy": False},
    "refclock, in the kernel": {"in_kernel": True, "busy": False},
    BUSY: {"in_kernel": True, "busy": True},
}
_ETHTOOL: Final = 0x8946
_SET_GRO, _SET_TSO = 0x2C, 0x1F


@dataclass
class Peer:
    """A server, its client's network, and the thread of its measured cable."""

    name: str
    process: subprocess.Popen[bytes]
    client: Network
    napi: int
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float:
        return median(self.figures.get(figure, [float("nan")]))

    def cpu_s(self) -> float:
        """CPU time of the server and of its end of the cable."""
        threads = [*Path(f"/proc/{self.process.pid}").glob("task/*/schedstat")]
        threads.append(Path(f"/proc/{self.napi}/schedstat"))
        return sum(int(thread.read_text().split()[0]) for thread in threads) * 1e-9


def serve(given: Mapping[str, Any]) -> NoReturn:
    """Our services, until killed."""
    text = CONFIG.format(in_kernel=json.dumps(given["in_kernel"]))
    services = list(
        services_of(parse(text.encode()), right_for_a_second, FreeClock(), ())
    )

    def each(service: Any) -> None:  # noqa: ANN401 - any of the services
        while True:
            service.serve(SECOND)

    jobs = [threading.Thread(target=each, args=(service,)) for service in services]
    if given["busy"]:
        jobs += [threading.Thread(target=job) for job in (collect, draw, shake_hands)]
    for job in jobs:
        job.start()
    while True:
        time.sleep(1)


_published = [right(), right()]


def right_for_a_second() -> Any:  # noqa: ANN401 - a snapshot
    """The machine's clock is right; published anew each second."""
    if FreeClock().read()[1] - _published[0].at > SECOND:
        _published[0] = right()
    return _published[0]


def collect() -> None:
    """Garbage, much of it."""
    while True:
        kept: list[Any] = [[[] for _ in range(100)] for _ in range(2_000)]
        kept.append(kept)
        del kept
        gc.collect()


def draw() -> None:
    """A page of 30 days of history."""
    rows = [{"at": at, "offset_s": at * 1e-9, "mode": "TRACK"} for at in range(43_200)]
    while True:
        json.dumps(rows)


def shake_hands() -> None:
    """A flood of handshakes."""
    client, server = (
        ssl.SSLContext(kind)
        for kind in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER)
    )
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    for context in (client, server):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")  # without a certificate
    while True:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [
            client.wrap_bio(to_client, to_server),
            server.wrap_bio(to_server, to_client, server_side=True),
        ]
        while ends:
            for end in list(ends):
                try:
                    end.do_handshake()
                    ends.remove(end)
                except ssl.SSLWantReadError:
                    pass


def threads_of(cable: str) -> set[int]:
    """Of the kernel, for cables of that name in any network."""
    found = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().startswith(f"napi/{cable}"):
                found.add(int(comm.parent.name))
        except OSError:
            continue
    return found


def worked_by_a_thread(network: Network, cpu: int) -> int:
    """Have a thread work that network's end of eth1, on that CPU; the thread."""
    with network.entered():
        for setting, on in ((_SET_GRO, 1), (_SET_TSO, 0)):
            interface_ioctl("eth1", _ETHTOOL, struct.pack("=II", setting, on))
    network.ip("link set eth1 down")
    network.ip("link set eth1 up")
    before = threads_of("eth1")
    within = "mount -t sysfs none /sys; echo 1 > /sys/class/net/eth1/threaded"
    command = ["nsenter", "-t", str(network.pid), "-n", "unshare", "-m", "sh", "-c"]
    subprocess.run([*command, within], check=True)  # noqa: S603 - our own words
    (thread,) = threads_of("eth1") - before
    os.sched_setaffinity(thread, {cpu})
    os.setpriority(os.PRIO_PROCESS, thread, 2 * PRIORITY)
    return thread


@contextmanager
def started(name: str, command: Sequence[str]) -> Iterator[Peer]:
    """The server, unable to set any clock, for as long as the context lasts."""
    with cabled() as (server, client):
        napi = worked_by_a_thread(server, 0)
        worked_by_a_thread(client, 1)
        within = [*FIRST, "nsenter", "-t", str(server.pid), "-n", "taskset", "-c", "0"]
        process = subprocess.Popen(  # noqa: S603 - servers named by who runs this
            [*within, "setpriv", "--bounding-set=-sys_time", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Peer(name, process, client, napi)
        finally:
            process.kill()
            process.wait()


def load(binary: Path, peer: Peer, cable: int, flags: str) -> Mapping[str, Any]:
    """One run of the load generator by one of the peer's cables."""
    within = [*FIRST, "nsenter", "-t", str(peer.client.pid), "-n", str(binary), "-N"]
    to = ["-a", f"10.77.{cable}.1", "-p", "123", "-c", "1"]
    done = subprocess.run(  # noqa: S603 - our own generator
        [*within, *to, *flags.split()], capture_output=True, check=True
    )
    result = dict(json.loads(done.stdout))
    wrong = {k: v for k, v in result.items() if k.startswith("bad_") and v}
    if wrong:
        print(f"  {peer.name}: wrong replies: {wrong}")
    return result


def measure(binary: Path, peer: Peer) -> None:
    """One round."""
    half: float = HALF
    if peer.name != BUSY:  # its CPU time is no server's
        before = peer.cpu_s()
        result = load(binary, peer, 1, f"-t {BURST_S} -W 0 -w 240 -S 8 -b 30")
        peer.note("rate", result["rate"])
        peer.note("cpu_us", (peer.cpu_s() - before) / max(result["replies"], 1) * 1e6)
        half = min(HALF, peer.median("rate") / 2)
    flags = f"-t {PROBE_S} -r {half:.0f} -w 4096 -S 16 -b 8 -P 100"
    result = load(binary, peer, 0, flags)
    peer.note("loss", result["loss"])
    idle = load(binary, peer, 0, f"-t {PROBE_S} -w 0 -P 100 -z")
    for name, run in (("half", result), ("idle", idle)):
        seen = run["probe"].get("offset_kernel")
        if seen:
            peer.note(name, seen["median_us"])
            peer.note(f"{name}_p99", seen["p99abs_us"])


COLUMNS: Final = (
    ("CPU us", "cpu_us", "7.2f"),
    ("replies/s", "rate", "9.0f"),
    ("loss 1/2", "loss", "9.5f"),
    ("idle us", "idle", "+8.2f"),
    ("p99", "idle_p99", "7.2f"),
    ("1/2 us", "half", "+8.2f"),
    ("p99", "half_p99", "7.2f"),
)


def table(peers: Sequence[Peer]) -> None:
    """Medians over the rounds; CPU time by that of the first, round by round."""
    heads = [f"{head:>{len(format(0.0, spec))}}" for head, _, spec in COLUMNS]
    print(f"{'server':26} {'CPU ratio [least - most]':26}", *heads)
    for peer in peers:
        pairs = zip(
            peer.figures.get("cpu_us", []), peers[0].figures["cpu_us"], strict=False
        )
        ratios = sorted(our / their for our, their in pairs) or [float("nan")]
        ratio = f"{median(ratios):.2f} [{ratios[0]:.2f} - {ratios[-1]:.2f}]"
        cells = [format(peer.median(figure), spec) for _, figure, spec in COLUMNS]
        print(f"{peer.name:26} {ratio:26}", *cells)


def chronyd(binary: str, folder: Path) -> list[str]:
    """It serves the machine's own clock, and touches nothing."""
    file = folder / "chrony.conf"
    file.write_text(
        "local stratum 1\nallow all\ncmdport 0\nbindcmdaddress /\n"
        f"pidfile {folder}/chronyd.pid\n"
    )
    return [binary, "-x", "-d", "-u", "root", "-f", str(file)]


def main() -> None:
    """Build, start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chronyd", default=shutil.which("chronyd"))
    parser.add_argument("--serve", metavar="SETTINGS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(json.loads(args.serve))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        binary = folder / "ntpload"
        source = Path(__file__).with_name("ntpload.c")
        compiler = ["gcc", "-O2", "-o", str(binary), str(source), "-lm"]
        subprocess.run(compiler, check=True)  # noqa: S603 - our own source
        chrony = args.chronyd or program("chronyd").command[0]
        commands = {"chronyd": chronyd(chrony, folder)}
        for name, settings in VARIANTS.items():
            ours = [sys.executable, __file__, "--serve", json.dumps(settings)]
            commands[name] = ours
        peers = [
            running.enter_context(started(name, command))
            for name, command in commands.items()
        ]
        time.sleep(4)
        for _ in range(args.rounds):
            for peer in random.sample(peers, len(peers)):
                measure(binary, peer)
        table(peers)
        model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        print(model[1] if model else "", Path("/proc/loadavg").read_text().strip())


if __name__ == "__main__":
    main()
