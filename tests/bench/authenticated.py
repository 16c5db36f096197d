"""Replies a second with keys and with NTS: ours against chronyd, in one run.

    python tests/bench/authenticated.py [--rounds 5] [--chronyd PATH]

As in serving.py: both alive at once, bursts in random order, every ratio taken within
its round. 4096 requests are prepared for each server and kind, with transmit stamps of
their own, and replayed in a closed loop: servers keep nothing of a client, and the
generator does no cryptography. NTS: one cookie and no placeholder. CPU time counts all
threads of a server, not its key exchange. Needs root, and chronyd.
"""

from __future__ import annotations

import argparse
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from hw.linux.clock import FreeClock
from hw.net.listen import listen
from hw.net.udp import UdpSocket
from refclock.app.keys.authentication import Authentication
from refclock.app.keys.certificates import make_ca, make_certificate
from refclock.app.keys.tlsclient import exchange
from refclock.ntp.mac import KeysSettings, parse
from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association, CookieKeys
from refclock.ntp.nts.fields import NtsClient
from refclock.ntp.nts.settings import NtsSettings
from refclock.server.admission.settings import RateLimitSettings
from refclock.server.service import NtpService
from refclock.server.settings import ServerSettings
from refclock.timebase import SECOND, Utc
from tests.bench.serving import BURST_S, HOST, PORT, Peer, chronyd, load, started
from tests.fakes.published import right

COUNT = 4096
KEYS = """1 MD5 HEX:B028F91EA5C38D06C2E140B26C7F41EC
2 SHA1 HEX:1DC764E0791B11FA67EFC7ECBC4B0D73F68A070C
3 SHA256 HEX:000102030405060708090A0B0C0D0E0F
4 SHA512 HEX:000102030405060708090A0B0C0D0E0F
5 AES128 HEX:2B7E151628AED2A6ABF7158809CF4F3C
6 AES256 HEX:603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4
"""
NTS = "NTS, AEAD 15"
NTS_PORT = 4460


def serve(folder: Path) -> None:
    """Our service, until killed."""
    settings = ServerSettings(rate_limit=RateLimitSettings(enabled=False))
    nts = NtsSettings(
        str(folder / "x"), str(folder / "x"), cookie_keys=str(folder / "c")
    )
    ways = Authentication(KeysSettings(str(folder / "keys")), nts).authenticators()
    (bound,) = listen([HOST], PORT)
    snapshot = [right()]
    service = NtpService(
        UdpSocket(bound),
        lambda: snapshot[0],
        FreeClock(),
        settings,
        random.random,
        authenticators=ways,
    )
    renew = time.monotonic()
    while True:
        service.serve(SECOND)
        if time.monotonic() > renew:
            snapshot[0] = right()
            renew = time.monotonic() + 1


def headers() -> Sequence[bytes]:
    """Of requests; the index is in the transmit stamp, where ntpload looks for it."""
    return [
        b"\x23\0\6\xec"
        + bytes(36)
        + number.to_bytes(4, "little")
        + secrets.token_bytes(4)
        for number in range(COUNT)
    ]


def signed(number: int) -> list[bytes]:
    """With a MAC by that key."""
    key = parse(KEYS)[0][number]
    return [header + key.mac(header, 4) for header in headers()]


def sealed(association: Association, cookie: bytes) -> list[bytes]:
    """With NTS, each with the same cookie, and no placeholder."""
    requests = []
    for header in headers():
        asking = NtsClient(association, [cookie] * 8, secrets.token_bytes)
        requests.append(asking.request(header))
    return requests


def of_ours(folder: Path) -> list[bytes]:
    """With a cookie as our server makes it."""
    keys = CookieKeys.parse((folder / "c").read_text())
    made = Association(Algorithm.SIV, secrets.token_bytes(32), secrets.token_bytes(32))
    return sealed(made, keys.seal(made, secrets.token_bytes))


def of_chronyd(folder: Path) -> list[bytes]:
    """With a cookie that chronyd gave out; in its network namespace."""
    found = exchange(HOST, NTS_PORT, folder / "ca.pem", Utc(time.time_ns()), 5)
    return sealed(found.association, found.cookies[0])


def write(path: Path, requests: Sequence[bytes]) -> str:
    """The flags of ntpload for them."""
    path.write_bytes(b"".join(requests))
    return f"-F {path} -l {len(requests[0])}"


def burst(binary: Path, peer: Peer, kind: str, flags: str) -> None:
    """As many replies a second as there can be."""
    before = peer.cpu_s()
    result = load(binary, peer, f"-t {BURST_S} -W 0.1 -w 240 -S 8 -b 30 {flags}")
    peer.note(kind, result["rate"])
    if result["replies"]:
        share = BURST_S / (BURST_S + 0.1)
        peer.note(
            kind + " us", (peer.cpu_s() - before) * share / result["replies"] * 1e6
        )


def main() -> None:
    """Build, start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chronyd", default=shutil.which("chronyd"))
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--of-chronyd", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
    if args.of_chronyd:
        print(write(args.of_chronyd / "theirs", of_chronyd(args.of_chronyd)))
        return
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        binary = folder / "ntpload"
        source = Path(__file__).with_name("ntpload.c")
        compiler = ["gcc", "-O2", "-o", str(binary), str(source), "-lm"]
        subprocess.run(compiler, check=True)  # noqa: S603 - our own source
        (folder / "keys").write_text(KEYS)
        (folder / "keys").chmod(0o600)
        make_ca(folder, 2)
        made = make_certificate(folder, [HOST], 2)
        theirs = [args.chronyd, *chronyd(folder)]
        with (folder / "chrony.conf").open("a") as conf:
            conf.write(
                f"keyfile {folder}/keys\nntsservercert {made}\nntsport {NTS_PORT}\n"
                f"ntsserverkey {made.with_suffix('.key')}\nntsdumpdir {folder}\n"
            )
        ours = [sys.executable, __file__, "--serve", str(folder)]
        peers = [
            running.enter_context(started(name, *command))
            for name, command in (("chronyd", theirs), ("refclock", ours))
        ]
        time.sleep(2)
        within = "nsenter", "-t", str(peers[0].process.pid), "-n"
        asked = [*within, sys.executable, __file__, "--of-chronyd", str(folder)]
        got = subprocess.run(asked, check=True, capture_output=True)  # noqa: S603
        names = [line.split()[1] for line in KEYS.splitlines()]
        kinds = {
            name: [write(folder / name, signed(number))] * 2
            for number, name in enumerate(names, 1)
        }
        kinds[NTS] = [
            got.stdout.decode().strip(),
            write(folder / "ours", of_ours(folder)),
        ]
        kinds = {"none": ["", ""], **kinds}
        for _ in range(args.rounds):
            for kind, flags in kinds.items():
                for peer, flag in random.sample([*zip(peers, flags, strict=True)], 2):
                    burst(binary, peer, kind, flag)
        table(peers, [*kinds])


def table(peers: Sequence[Peer], kinds: Sequence[str]) -> None:
    """Medians over the rounds; ratios round by round."""
    print(f"{'key':14} {'ratio':>6} {'of CPU':>7}   replies/s and CPU us, each")
    for kind in kinds:
        ratios = []
        for figure, over in ((kind, 0), (kind + " us", 1)):
            pairs = zip(*(peer.figures[figure] for peer in peers), strict=True)
            ratios.append(median(p[1 - over] / p[over] for p in pairs))
        cells = [
            f"{peer.median(kind):8.0f} {peer.median(kind + ' us'):6.2f}"
            for peer in peers
        ]
        print(f"{kind:14} {ratios[0]:6.2f} {ratios[1]:7.2f}  ", *cells)


if __name__ == "__main__":
    main()
