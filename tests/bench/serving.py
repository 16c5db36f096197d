"""How many replies a second, and how right: ours against chronyd and NTPsec's ntpd.

    python tests/bench/serving.py [--rounds 5] [--chronyd PATH] [--ntpd PATH]

All servers are alive at once, each in a network namespace of its own, and get
bursts in random order; every ratio is taken within its round, so that what else the
machine does falls on all alike. Servers are pinned to the first CPU, the load
generator (ntpload.c, built here with gcc) to the second. True offset is 0: what a
client sees with the kernel's own stamps is the server's error. A server that is
not found is left out. No clock is set: none of them may. Needs root, for namespaces.

Two workers need a core each, and the generator one more. So that two cores will do,
one worker and each of two are held to a third of a core (SCHED_DEADLINE).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

from hw.abi.sockets import RX_SOFTWARE, SO_TIMESTAMPING, SOFTWARE, STAMPS
from hw.linux.clock import FreeClock
from hw.net.listen import listen
from hw.net.udp import UdpSocket
from refclock.app.serving.workers import Workers
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.reply import ReplyTemplate
from refclock.server.service import NtpService
from refclock.server.settings import ListenerSettings, ServerSettings
from refclock.timebase import SECOND
from tests.fakes.published import right

BURST_S = 0.6
PROBE_S = 1.2
HOST, PORT = "127.0.0.1", 123
MANY = "-A 32 -B 127.0.2.1 -w 2048"
"""Load where workers share it: from many addresses, by which the kernel deals it out,
and so much outstanding that no worker is idle while the other rests."""
THIRD = "-T 3000000 -D 9000000 -P 9000000"
"""Of a core, to `chrt`, ns."""

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "refclock": {},
    "  not learning": {"learn_transmit_delay": False},
    "  a third of a core": {},
    "  2 workers, a third each": {"workers": 2},
}
"""Ours, by name: settings that differ. A twin shows what a setting is for."""
ECHO = "  an echo by recvmsg"
HELD = ("  a third of a core", "  2 workers, a third each")
"""Workers against the one process they are to beat, none with more than a third."""


@dataclass
class Peer:
    """A server under load."""

    name: str
    process: subprocess.Popen[bytes]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float:
        return median(self.figures.get(figure, [float("nan")]))

    def processes(self) -> list[Path]:
        """Itself and its workers, in /proc."""
        own = Path(f"/proc/{self.process.pid}")
        children = (own / f"task/{own.name}/children").read_text().split()
        return [own, *(own.with_name(child) for child in children)]

    def hold(self) -> None:
        """Let each thread that serves have a third of a core. A worker's parent
        only publishes."""
        for process in self.processes()[-2:]:
            command = ["chrt", "-a", "-d", *THIRD.split(), "-p", "0", process.name]
            subprocess.run(command, check=True)  # noqa: S603 - our own process

    def cpu_s(self) -> float:
        """CPU time it has used."""
        threads = [t for p in self.processes() for t in p.glob("task/*/schedstat")]
        return sum(int(thread.read_text().split()[0]) for thread in threads) * 1e-9

    def resident_mb(self) -> float:
        """Memory it holds now."""
        pages = (int((p / "statm").read_text().split()[1]) for p in self.processes())
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def echo() -> NoReturn:
    """What Python takes for one request at the least: its stamp and three fields, and
    nothing of what makes a server."""
    moment = ReplyTemplate(right(), *FreeClock().read())
    (bound,) = listen([HOST], PORT)
    bound.setblocking(True)
    bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, SOFTWARE | RX_SOFTWARE)
    reply = bytearray(48)
    while True:
        request, control, _, sender = bound.recvmsg(512, 128)
        seconds, ns, *_ = STAMPS.unpack_from(control[0][2])
        came_ns = seconds * SECOND.ns + ns
        moment.begin(bytearray(request), reply, b"\x24", [came_ns])
        moment.finish(reply, b"\1", time.time_ns(), 0)
        bound.sendto(reply, sender)


def serve(given: Mapping[str, Any] | None) -> None:
    """Our service, until killed."""
    if given is None:
        echo()
    settings = ServerSettings(rate_limit=RateLimitSettings(enabled=False), **given)
    clock = FreeClock()
    snapshot = [right()]
    service: NtpService | Workers
    if settings.workers == 1:
        (bound,) = listen([HOST], PORT)
        service = NtpService(
            UdpSocket(bound), lambda: snapshot[0], clock, settings, random.random
        )
    else:
        listener = ListenerSettings((HOST,), PORT)
        service = Workers([listener], lambda: snapshot[0], settings)
    renew = time.monotonic()
    while True:
        service.serve(SECOND)
        if time.monotonic() > renew:
            snapshot[0] = right()
            renew = time.monotonic() + 1


@contextmanager
def started(name: str, *command: str) -> Iterator[Peer]:
    """The server, unable to set any clock, for as long as the context lasts."""
    cpus = "0,1" if name in HELD else "0"
    within = (
        f"ip link set lo up; exec taskset -c {cpus}"
        ' setpriv --bounding-set=-sys_time "$@"'
    )
    process = subprocess.Popen(  # noqa: S603 - servers named by who runs this
        ["unshare", "-n", "sh", "-c", within, "sh", *command],  # noqa: S607
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Peer(name, process)
    finally:
        process.kill()
        process.wait()


def chronyd(folder: Path) -> list[str]:
    """It serves the machine's own clock, and touches nothing."""
    file = folder / "chrony.conf"
    file.write_text(
        f"bindaddress {HOST}\nlocal stratum 1\nallow all\ncmdport 0\n"
        f"bindcmdaddress /\npidfile {folder}/chronyd.pid\n"
    )
    return ["-x", "-d", "-u", "root", "-f", str(file)]


def ntpd(folder: Path) -> list[str]:
    """It has no source, so it says that it is not synchronised; same code path."""
    file = folder / "ntp.conf"
    file.write_text(f"restrict 127.0.0.0 mask 255.0.0.0\ndriftfile {folder}/drift\n")
    return ["-n", "-c", str(file), "-p", str(folder / "ntpd.pid")]


def load(binary: Path, peer: Peer, flags: str) -> Mapping[str, Any]:
    """One run of the load generator, in the server's namespace."""
    within = "nsenter", "-t", str(peer.process.pid), "-n"
    done = subprocess.run(  # noqa: S603 - our own generator
        [*within, str(binary), "-a", HOST, "-p", str(PORT), "-c", "1", *flags.split()],
        capture_output=True,
        check=True,
    )
    result = dict(json.loads(done.stdout))
    wrong = sum(int(count) for name, count in result.items() if name.startswith("bad_"))
    if wrong:
        print(f"  {peer.name}: {wrong} wrong replies: {done.stdout.decode()}")
    return result


def wait_for(binary: Path, peer: Peer) -> None:
    """Until it answers; ntpd takes some seconds. SystemExit: it does not."""
    for _ in range(20):
        time.sleep(0.3)
        if load(binary, peer, "-t 0.1 -W 0 -w 1 -S 1")["replies"]:
            return
    raise SystemExit(f"{peer.name} does not answer")


def burst(binary: Path, peer: Peer) -> None:
    """As many replies a second as there can be."""
    before = peer.cpu_s()
    clients = MANY if peer.name in HELD else ""
    result = load(binary, peer, f"-t {BURST_S} -W 0.1 -w 240 -S 8 -b 30 {clients}")
    peer.note("rate", result["rate"])
    if result["replies"]:
        share = BURST_S / (BURST_S + 0.1)
        peer.note("cpu_us", (peer.cpu_s() - before) * share / result["replies"] * 1e6)


def probe(binary: Path, peer: Peer) -> None:
    """What clients see: one at a time, 100 a second, at half load, interleaved."""
    before = peer.cpu_s()
    single = load(binary, peer, "-t 0.3 -W 0 -w 1 -S 1")
    peer.note("one_us", (peer.cpu_s() - before) / max(single["replies"], 1) * 1e6)
    peer.note("p50_us", single["lat_us"]["p50"])
    half = f"-r {peer.median('rate') / 2:.0f} -w 4096 -S 16 -b 8"
    result = load(binary, peer, f"-t {PROBE_S} {half} -P 100")
    peer.note("loss", result["loss"])
    runs = {
        "half": result,
        "idle": load(binary, peer, f"-t {PROBE_S} -w 0 -P 100 -z"),
        "interleaved": load(binary, peer, f"-t {PROBE_S} -w 0 -P 100 -z -X"),
    }
    for name, run in runs.items():
        seen = run["probe"]
        if name == "interleaved" and not seen["interleaved"]:
            continue
        if "offset_kernel" in seen:
            peer.note(name, seen["offset_kernel"]["median_us"])
            peer.note(name + "_p99", seen["offset_kernel"]["p99abs_us"])
            peer.note(name + "_t3", seen["t4k_minus_t3"]["p5_us"])


COLUMNS = (
    ("replies/s", "rate", "9.0f"),
    ("CPU us", "cpu_us", "7.2f"),
    ("1-by-1", "p50_us", "7.1f"),
    ("CPU 1", "one_us", "7.2f"),
    ("loss 1/2", "loss", "9.5f"),
    ("idle us", "idle", "+8.2f"),
    ("p99", "idle_p99", "7.1f"),
    ("1/2 us", "half", "+8.2f"),
    ("p99", "half_p99", "7.1f"),
    ("intl us", "interleaved", "+8.2f"),
    ("p99", "interleaved_p99", "7.1f"),
)


def ratio(ours: Peer, theirs: Peer) -> str:
    """Of their rates, round by round: the median, the least and the most."""
    pairs = zip(ours.figures["rate"], theirs.figures["rate"], strict=True)
    ratios = sorted(our / their for our, their in pairs)
    return f"{median(ratios):.2f} [{ratios[0]:.2f} - {ratios[-1]:.2f}]"


def table(peers: list[Peer]) -> None:
    """Medians over the rounds; ratios to the first, round by round."""
    heads = [f"{head:>{len(format(0.0, spec))}}" for head, _, spec in COLUMNS]
    print(f"{'server':26} {'ratio [least - most]':22}", *heads, "    MB")
    for peer in peers:
        cells = [format(peer.median(figure), spec) for _, figure, spec in COLUMNS]
        print(
            f"{peer.name:26} {ratio(peer, peers[0]):22}",
            *cells,
            f"{peer.resident_mb():6.1f}",
        )
    one, two = (next(p for p in peers if p.name == name) for name in HELD)
    print(f"two workers over one: {ratio(two, one)}")


def main() -> None:
    """Build, start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chronyd", default=shutil.which("chronyd"))
    parser.add_argument("--ntpd", default=shutil.which("ntpd"))
    parser.add_argument("--serve", metavar="SETTINGS", help=argparse.SUPPRESS)
    parser.add_argument("--beside", type=Path, help="another tree of ours, as a peer")
    parser.add_argument("--only-rate", action="store_true", help="no offsets")
    args = parser.parse_args()
    if args.serve:
        serve(json.loads(args.serve))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        binary = folder / "ntpload"
        source = Path(__file__).with_name("ntpload.c")
        compiler = ["gcc", "-O2", "-o", str(binary), str(source), "-lm"]
        subprocess.run(compiler, check=True)  # noqa: S603 - our own source
        commands = {}
        if args.chronyd:
            commands["chronyd"] = [args.chronyd, *chronyd(folder)]
        if args.ntpd:
            commands["ntpd"] = [args.ntpd, *ntpd(folder)]
        if args.beside:
            other = str(args.beside / "tests" / "bench" / "serving.py")
            commands["  beside"] = [sys.executable, other, "--serve", "{}"]
        for name, settings in {**VARIANTS, ECHO: None}.items():
            ours = [sys.executable, __file__, "--serve", json.dumps(settings)]
            commands[name] = ours
        peers = [
            running.enter_context(started(name, *command))
            for name, command in commands.items()
        ]
        for peer in peers:
            wait_for(binary, peer)
            if peer.name in HELD:
                peer.hold()
        for _ in range(args.rounds):
            for peer in random.sample(peers, len(peers)):
                burst(binary, peer)
                if not args.only_rate:
                    probe(binary, peer)
        table(peers)


if __name__ == "__main__":
    main()
