"""A disk that stalls: the clock goes on, and so does all that depends on it."""

from __future__ import annotations

import json
import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from hw.linux.clock import FreeClock
from refclock.app.compose import compose, leap_table
from refclock.app.storage.state import recall
from refclock.board.ports import Board
from refclock.config import parse
from refclock.daemon.control import ask
from refclock.engine.kept.recording import read
from refclock.events import Tick
from refclock.timebase import SECOND

pytestmark = pytest.mark.slow

STALL_S = 6.0


def test_the_engine_does_not_notice_a_stalled_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled, goes_on = threading.Event(), threading.Event()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        stalled.set()
        goes_on.wait(60)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    control = tmp_path / "control.sock"
    config = parse(
        f"""
        clock.steer = false
        control.socket = "{control}"
        state.file = "{tmp_path}/state.json"
        [server]
        listen = ["127.0.0.1"]
        port = 0
        """.encode()
    )
    tape = tmp_path / "run.jsonl"
    board = Board("bare", FreeClock(), None, None)
    daemon = compose(config, board, leap_table("auto"), tape)
    daemon._save_every = SECOND
    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        assert stalled.wait(10)
        longest_s, until = 0.0, time.monotonic() + STALL_S
        while time.monotonic() < until:
            began = time.monotonic()
            assert json.loads(ask(control, "status"))["mode"] == "COLD"
            longest_s = max(longest_s, time.monotonic() - began)
            time.sleep(0.05)
        assert longest_s < 1.0
        goes_on.set()
    finally:
        goes_on.set()
        daemon.stop()
        running.join()
    assert recall(tmp_path / "state.json") is not None
    entries = map(read, tape.read_text().splitlines())
    ticks = [entry.mono.ns for entry in entries if isinstance(entry, Tick)]
    assert len(ticks) > STALL_S
    assert max(b - a for a, b in pairwise(ticks)) < 2.5e9
