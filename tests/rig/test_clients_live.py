"""Who asked, as `refclock status` tells it: a daemon, workers or none, real clients."""

import json
import time
from pathlib import Path

import pytest

from tests.rig.demo import demo, query, refclock

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("workers", [1, 2])
def test_status_tells_who_asked(tmp_path: Path, workers: int) -> None:
    with demo(tmp_path, settings=f"server.workers = {workers}\n") as running:
        running.await_stratum(1)
        tasks = Path(f"/proc/{running.pid}/task").glob("*/children")
        forked = [child for task in tasks for child in task.read_text().split()]
        assert len(forked) == (workers if workers > 1 else 0)
        for host in ("127.0.0.1", "::1"):
            query(host, running.port)
        time.sleep(1.5)  # workers tell once a second
        door = "status", "--socket", str(running.control)
        clients = json.loads(refclock(*door, "--clients", "--json").stdout)["clients"]
        status = json.loads(refclock(*door, "--json").stdout)
        table = refclock(*door, "--clients").stdout.splitlines()
        page = refclock(*door).stdout
        assert running.end().code == 0
    known = {client["address"]: client for client in clients}
    assert set(known) == {"127.0.0.1", "::1"}
    for client in clients:
        assert client["count"] > 1
        assert 0 <= client["age_s"] < 15
        assert client["version"] == 4
    assert {client["address"] for client in status["clients"]} == set(known)
    assert status["server"]["clients"] == 2
    assert len(table) == 3
    assert "\n           ::1 " in page
