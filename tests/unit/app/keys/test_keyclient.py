"""A key exchange in a process of its own, as its parent sees it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from refclock.app.keys.keyclient import KeyClient, Wanted
from refclock.drivers.servers.network import RefusedError
from refclock.ntp.nts.records import Agreed
from tests.unit.app.keys.test_tls import NOW, pki, serving

__all__ = ["pki"]
pytestmark = pytest.mark.slow


def ended(job: KeyClient) -> Agreed:
    """What came of it, within 20 s."""
    for _ in range(1000):
        if (agreed := job.result()) is not None:
            return agreed
        time.sleep(0.02)
    raise AssertionError("it does not end")


def test_keys_and_cookies_come_back(pki: Path) -> None:
    with serving(pki) as (_, port):
        job = KeyClient(Wanted("127.0.0.1", port, str(pki / "ca.pem"), NOW))
        agreed = ended(job)
    assert len(agreed.cookies) == 8
    assert len(agreed.association.c2s) == agreed.association.algorithm.key_length
    assert agreed.port == 1123


def test_who_is_not_who_it_should_be_is_told_from_who_is_not_there(pki: Path) -> None:
    with serving(pki) as (_, port):
        job = KeyClient(Wanted("localhost", port, str(pki / "ca.pem"), NOW))
        with pytest.raises(RefusedError, match="certificate"):
            ended(job)
    with pytest.raises(OSError, match="refused") as gone:
        ended(KeyClient(Wanted("127.0.0.1", port, "", NOW)))
    assert not isinstance(gone.value, RefusedError)


def test_given_up_it_leaves_no_process() -> None:
    before = children()
    job = KeyClient(Wanted("127.0.0.1", 9, "", NOW))
    (child,) = children() - before
    job.end()
    assert child not in children()


def children() -> set[int]:
    """Our child processes, by number."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(number) for each in lists for number in each.read_text().split()}
