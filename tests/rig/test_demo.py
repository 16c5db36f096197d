"""`refclock demo` as a user meets it: a process, its signals and its exit codes."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.rig.demo import ENDS_S, STARTS_S, demo, free_port, refclock

pytestmark = pytest.mark.slow


def test_by_itself_it_serves_for_as_long_as_it_was_told() -> None:
    began = time.monotonic()
    words = ("demo", "--port", str(free_port()), "--duration", "20", "--json")
    told = refclock(*words, limit_s=40)
    assert 20 <= time.monotonic() - began < 30
    assert (told.returncode, told.stderr) == (0, "")
    figures = json.loads(told.stdout)
    assert figures["stratum1_after_s"] < STARTS_S
    assert figures["samples"] >= 8
    assert figures["rms_s"] < 200e-6  # 20 µs where nobody else is busy
    assert figures["within_bound"] >= 0.9
    assert figures["mode"] == "TRACK"
    assert figures["requests"] >= figures["samples"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with demo(tmp_path) as running:
        running.await_stratum(16, 1)
        ending = running.end(how)
    assert ending.took_s < ENDS_S
    assert (ending.code, ending.errors) == (0, "")
    assert "mode" in ending.figures
    assert not running.control.exists()


def test_status_tells_of_it(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        running.await_stratum(1)
        asked = refclock("status", "--socket", str(running.control), "--json")
        text = refclock("status", "--socket", str(running.control))
        assert running.end().code == 0
    assert asked.returncode == text.returncode == 0
    status = json.loads(asked.stdout)
    assert (status["stratum"], status["mode"]) == (1, "TRACK")
    assert 0 < status["bound_s"] < 1e-3
    assert "TRACK" in text.stdout
    assert "stratum" in text.stdout


def test_status_of_a_dead_daemon_says_so(tmp_path: Path) -> None:
    asked = refclock("status", "--socket", str(tmp_path / "none.sock"))
    assert asked.returncode == 1
    assert "no daemon answers" in asked.stderr


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_query_of_a_dead_port_fails_soon(*, silent: bool) -> None:
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1] if silent else free_port()
        asked = refclock("query", "127.0.0.1", "--port", str(port))
    assert asked.returncode == 1
    assert ("no answer" if silent else "nothing answers") in asked.stderr
    assert time.monotonic() - began < 5


def test_every_fault_of_a_configuration_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[server]\nport = 70000\nlisen = ["::1"]\n[clok]\nsteer = true\n')
    told = refclock("demo", "--config", str(path), "--duration", "1")
    assert told.returncode == 78
    port, lisen, clok = told.stderr.splitlines()
    assert f"{path}:2" in port
    assert "65535" in port.replace(",", "").replace("_", "")
    assert f"{path}:3" in lisen
    assert "listen" in lisen.replace("lisen", "")
    assert f"{path}:4" in clok
    assert "clock" in clok


def test_a_taken_port_names_its_holder() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        told = refclock("demo", "--port", str(port), "--duration", "1")
    assert told.returncode == 69
    assert f"UDP port {port}" in told.stderr
    assert f"process {os.getpid()}" in told.stderr
    assert len(told.stderr.splitlines()) == 1
