"""Debian, booted: the shipped units run the daemon in their sandbox.

The clock here is nobody's to set: the settings leave it alone, and the container may
not make the calls that step it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.install.roots import Booted, Root

pytestmark = [pytest.mark.slow, pytest.mark.root]

RECEIVER = """
clock.steer = false
receiver.device = "/dev/gps0"
pulse.source = "none"
acquire.limit_s = 1.0
holdover.limit_s = 1.0
"""
MORE = """
server.workers = 2
[nts]
certificate = "/etc/refclock/nts/localhost.pem"
key = "/etc/refclock/nts/localhost.key"
"""
WORLD = """
import os, time
from pathlib import Path
from hw.linux.clock import FreeClock
from hw.sim.live import LiveWorld
from hw.sim.scenarios import SCENARIOS

world = LiveWorld(SCENARIOS["nominal"], 1, FreeClock())
world.start()
os.chmod(world.receiver_path, 0o666)
Path("/dev/gps0").unlink(missing_ok=True)
Path("/dev/gps0").symlink_to(os.path.realpath(world.receiver_path))
time.sleep(1e6)
"""
EXCHANGE = """
import socket, ssl
context = ssl.create_default_context(cafile="/etc/refclock/nts/ca.pem")
context.set_alpn_protocols(["ntske/1"])
plain = socket.create_connection(("127.0.0.1", 4460), 10)
with context.wrap_socket(plain, server_hostname="localhost") as tls:
    tls.sendall(bytes.fromhex("80010002000080040002000f80000000"))
    answer = b""
    while part := tls.recv(4096):
        answer += part
assert answer.count(bytes.fromhex("00050060")) == 8, answer
"""
UNIT = """
[Service]
ExecStart=/opt/refclock/bin/python /root/world.py
"""
PULSES = """
[Service]
ExecStart=
ExecStart=/opt/refclock/bin/refclock demo --port 123
"""
OTHER = """
[Service]
ExecStart=/usr/bin/sleep 1000
[Install]
WantedBy=multi-user.target
"""
IN_A_CONTAINER = """
[Unit]
ConditionVirtualization=
[Service]
AmbientCapabilities=
CapabilityBoundingSet=
"""
QUERY = "/opt/refclock/bin/refclock query 127.0.0.1 --json"
DROP_INS = "/etc/systemd/system/refclock.service.d"


@pytest.fixture(scope="module")
def system(root: Root, boot: Callable[[Root], Booted]) -> Booted:
    """Installed as the README has it, with a receiver and others that keep time."""
    installed = root.run(
        "sh config/setup.sh install && /opt/refclock/bin/pip install -q '.[nts]'"
    )
    assert installed.returncode == 0, installed.stderr
    root.write("/etc/refclock/refclock.toml", RECEIVER)
    root.write("/root/world.py", WORLD)
    root.write("/root/exchange.py", EXCHANGE)
    root.write("/etc/systemd/system/receiver.service", UNIT)
    root.write("/etc/systemd/system/chrony.service", OTHER)
    root.write("/etc/systemd/ntp-units.d/50-chrony.list", "chrony.service\n")
    theirs = "/etc/systemd/system/systemd-timesyncd.service.d/00-container.conf"
    root.write(theirs, IN_A_CONTAINER)
    running = boot(root)
    good(running, "ip link set lo up 2>/dev/null; systemctl start receiver")
    return running


def good(system: Booted, script: str) -> str:
    ended = system.run(script)
    assert ended.returncode == 0, f"{script}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def serving(system: Booted, bound_s: float) -> None:
    """Stratum 1, with a bound below that, and not restarted on the way."""
    answer = json.loads(system.until(f"{QUERY} | grep '\"stratum\": 1,'"))
    assert answer["root_dispersion_s"] < bound_s
    assert "NRestarts=0" in good(system, "systemctl show -p NRestarts refclock")


def exposure(system: Booted, unit: str) -> float:
    said = system.run(f"systemd-analyze security --no-pager {unit}").stdout
    found = re.search(r"Overall exposure level.*: ([\d.]+)", said)
    assert found, said
    return float(found[1])


def nothing_was_refused(system: Booted, *more: str) -> None:
    """By the sandbox, since the service was started: neither a call nor a file."""
    since = good(system, "systemctl show -P ActiveEnterTimestamp refclock").strip()
    said = good(system, f"journalctl -u refclock --no-pager --since '{since}'")
    for refused in ("not permitted", "denied", *more):
        assert refused not in said, said


def test_one_keeps_the_clock(system: Booted) -> None:
    """By Debian's own means; and what anybody asks for changes nothing."""
    good(system, "systemctl start chrony systemd-timesyncd")
    good(system, "systemctl is-active chrony systemd-timesyncd")
    good(system, "timedatectl set-ntp true")
    system.until("systemctl is-active refclock", limit_s=20)
    others = "chrony systemd-timesyncd"
    good(system, f"systemctl is-enabled refclock; ! systemctl is-active {others}")
    good(system, f"systemctl enable {others}")
    system.run("su nobody -s /bin/sh -c 'timeout 5 timedatectl timesync-status'")
    good(system, f"systemctl start {others}; ! systemctl is-active {others}")
    good(system, "systemctl is-active refclock")


def test_a_receiver_is_served_in_the_strictest_sandbox(system: Booted) -> None:
    good(system, "! systemctl is-active time-sync.target")
    good(system, "systemctl start refclock-wait")
    good(system, "systemctl is-active time-sync.target")
    serving(system, 1.1)
    status = "/opt/refclock/bin/refclock status"
    assert "stratum 1" in good(
        system, f"su -g refclock nobody -s /bin/sh -c '{status}'"
    )
    assert system.run(f"su nobody -s /bin/sh -c '{status}'").returncode != 0
    assert exposure(system, "refclock") < 1.5
    assert exposure(system, "refclock-wait") < 1.5
    nothing_was_refused(system, "not supported")


def test_so_are_pulses(system: Booted) -> None:
    """By the whole daemon on emulated hardware, in the same sandbox (where the demo's
    own client has no network to ask by)."""
    good(system, f"printf '{PULSES}' > {DROP_INS}/pulses.conf")
    good(system, "systemctl daemon-reload; systemctl restart refclock")
    serving(system, 1e-3)
    nothing_was_refused(system)
    good(system, f"rm {DROP_INS}/pulses.conf")


def test_sockets_of_its_own_workers_and_key_exchange(system: Booted) -> None:
    make = "/opt/refclock/bin/refclock nts"
    good(system, f"cd /; {make} ca; {make} cert localhost 127.0.0.1")
    good(system, "chgrp -R refclock /etc/refclock/nts; chmod -R g+rX /etc/refclock/nts")
    good(system, f"printf '{MORE}' >> /etc/refclock/refclock.toml")
    good(system, "systemctl daemon-reload; systemctl restart refclock --no-block")
    system.until("journalctl -u refclock | grep 'take .*sockets.conf away'")

    good(system, "systemctl stop refclock; systemctl reset-failed refclock")
    assert system.run(QUERY).returncode != 0  # no packet has started it again
    good(system, "systemctl start refclock --no-block")
    then = good(system, f"sed -n '/^#   /s/#//p; /^.Unit/q' {DROP_INS}/sockets.conf")
    good(system, f"rm {DROP_INS}/sockets.conf; {then}")
    serving(system, 1.1)
    good(system, "/opt/refclock/bin/python /root/exchange.py")
    assert exposure(system, "refclock") < 2.5
    nothing_was_refused(system, "not supported")


def test_a_machine_that_has_it_no_more(system: Booted) -> None:
    good(system, "systemctl disable --now refclock && systemctl start chrony")
    good(system, "systemctl is-active chrony")
