"""Programs that ask port 123 and no other, in a network of their own.

Each test holds to all that its program says of the server.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.interop.conftest import BEYOND, Server
from tests.interop.programs import Program, numbers

pytestmark = pytest.mark.interop

Had = Callable[[str], Program]

_USER: Final = "64990"
_STAGE: Final = f"""
for folder in /run /var/lib /etc/systemd; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/empty /run/systemd/timesync /var/lib/openntpd/run /var/lib/openntpd/db
chown {_USER}:{_USER} /run/systemd/timesync
for table in passwd group; do cp /etc/$table /run; done
for user in ntpd openntpd; do
    echo $user:x:{_USER}:{_USER}::/run/empty:/bin/false >> /run/passwd
    echo $user:x:{_USER}: >> /run/group
done
for table in passwd group; do mount --bind /run/$table /etc/$table; done
printf '[Time]\\nNTP=127.0.0.1\\nFallbackNTP=\\n' > /etc/systemd/timesyncd.conf
exec "$@"
"""
"""Folders and users that two daemons expect, seen by nobody else."""
_STAGED: Final = ("unshare", "-m", "sh", "-ec", _STAGE, "sh")

_TALK: Final = """
"$@" & trap "kill $!; wait; exit" TERM
while sleep 0.2; do "$(dirname "$1")/ntpctl" -s peers; done
"""
"""Run openntpd, and have its own ntpctl say what it thinks of its peers."""


_ELSEWHERE: Final = """
unshare -n sh -c '
    until ip addr add 10.99.0.2/24 dev there; do sleep 0.05; done 2> /dev/null
    ip link set there up; exec "$@"
' sh "$@" & child=$!
trap "kill $child; wait; exit" TERM
while ip link show there; do ip link set there netns $child; sleep 0.05; done 2>&1
wait
"""
"""A network of its own, with a wire to the server's: ntpd wants port 123 as well."""


_SELECTED: Final = re.compile(r" [0-9a-f]6[0-9a-f]{2} (\S+) (\S+)")
"""In peerstats: offset and delay of the peer it goes by (RFC 9327 section 4)."""


def test_ntpd(server_123: Server, had: Had, tmp_path: Path) -> None:
    conf, stats = tmp_path / "ntp.conf", tmp_path / "peerstats"
    conf.write_text(
        f"server {BEYOND} iburst minpoll 3 maxpoll 3\n"
        f"statsdir {tmp_path}/\nstatistics peerstats\n"
        f"filegen peerstats file peerstats type none enable\n"
    )
    ntpd = had("ntpd")
    with server_123.watched() as seen:
        said = ntpd.run(
            *("-n", "-c", str(conf)),
            within=(*server_123.within, "sh", "-c", _ELSEWHERE, "sh"),
            until=lambda _: stats.exists() and _SELECTED.search(stats.read_text()),
            limit_s=30,
        )
    assert stats.exists(), said.text
    offsets = _SELECTED.findall(stats.read_text())
    assert offsets, stats.read_text()
    for offset, delay in offsets:
        assert seen.holds(float(offset), float(delay) / 2 + 2e-6)


def test_ntpdig(server_123: Server, had: Had) -> None:
    ntpdig = had("ntpdig")
    with server_123.watched() as seen:
        said = ntpdig.run("-j", "127.0.0.1", within=server_123.within)
    assert said.code == 0, said.text
    told = json.loads(said.text)
    assert (told["stratum"], told["leap"]) == (1, "no-leap")
    assert seen.holds(told["offset"], told["precision"] + 1e-6)


def test_rdate(server_123: Server, had: Had) -> None:
    """It says no more than by how much it would adjust."""
    rdate = had("rdate")
    with server_123.watched() as seen:
        said = rdate.run("-n", "-p", "-v", "127.0.0.1", within=server_123.within)
    assert said.code == 0, said.text
    (offset,) = numbers(r"adjust local clock by (\S+) seconds", said.text)
    assert seen.holds(offset, said.took_s / 2)


def test_busybox(server_123: Server, had: Had) -> None:
    busybox = had("busybox")
    with server_123.watched() as seen:
        said = busybox.run(
            *("ntpd", "-d", "-n", "-w", "-q", "-p", "127.0.0.1"),
            within=server_123.within,
            until=lambda line: "reply from" in line,
        )
    assert "strat:1 " in said.text, said.text
    refid = int.from_bytes(b"PPS\0", sys.byteorder)  # it prints it as it lies
    assert f"refid:0x{refid:08x}" in said.text
    assert "status:0x24" in said.text  # no leap, version 4, mode 4
    offset = numbers(r"offset:(\S+)", said.text)[0]
    delay = numbers(r"delay:(\S+)", said.text)[0]
    assert seen.holds(offset, delay / 2 + 2e-6)


def test_openntpd(server_123: Server, had: Had, tmp_path: Path) -> None:
    """It believes nobody before the fourth reply, half a minute on."""
    conf = tmp_path / "ntpd.conf"
    conf.write_text("server 127.0.0.1\n")
    openntpd = had("openntpd")
    talking = replace(openntpd, command=("sh", "-c", _TALK, "sh", *openntpd.command))
    with server_123.watched() as seen:
        said = talking.run(
            *("-d", "-v", "-f", str(conf)),
            within=(*server_123.within, *_STAGED),
            until=lambda line: "now valid" in line,
            limit_s=60,
        )
    assert "peer 127.0.0.1 now valid" in said.text, said.text
    replies = re.findall(r"reply from .*: offset (\S+) delay (\S+),", said.text)
    assert len(replies) == 4
    for offset, delay in replies:
        assert seen.holds(float(offset), float(delay) / 2 + 2e-6)
    assert re.search(r"^ +\d+ +\d+ +1 ", said.text, re.MULTILINE)  # the stratum


def test_timesyncd(server_123: Server, had: Had) -> None:
    name = "systemd-timesyncd"
    user = ("setpriv", "--reuid", _USER, "--regid", _USER, "--clear-groups")
    timesyncd = had(name)
    talking = Program(
        (*user, *timesyncd.command),
        {
            **timesyncd.environment,
            "SYSTEMD_LOG_LEVEL": "debug",
            "SYSTEMD_LOG_TARGET": "console",
        },
    )
    with server_123.watched() as seen:
        said = talking.run(
            within=(*server_123.within, *_STAGED),
            until=lambda line: line.startswith("Initial clock synchronization"),
        )
    assert "Initial clock synchronization" in said.text, said.text
    lines = [line.split(":", 1) for line in said.text.splitlines() if line[:1] == " "]
    told = {name.strip(): value.strip() for name, value in lines}
    assert (told["stratum"], told["leap"], told["reference"]) == ("1", "0", "PPS")
    (offset,) = numbers(r"offset +: (\S+) sec", said.text)
    assert seen.holds(offset, 1e-3)  # three digits
