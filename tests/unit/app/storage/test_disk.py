from __future__ import annotations

import threading

import pytest

from refclock.app.storage.disk import DiskThread


def test_jobs_are_done_in_order() -> None:
    done: list[int] = []
    disk = DiskThread("test", 100)
    for number in range(50):
        assert disk.put(lambda number=number: done.append(number))  # type: ignore[misc]
    assert disk.close(5)
    assert done == list(range(50))
    assert disk.close(5)


def test_a_job_that_fails_is_logged_and_the_next_one_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = threading.Event()

    def fails() -> None:
        raise ZeroDivisionError("a bug")

    disk = DiskThread("test", 2)
    assert disk.put(fails)
    assert disk.put(done.set)
    assert disk.close(5)
    assert done.is_set()
    assert "ZeroDivisionError: a bug" in caplog.text


def test_too_much_is_refused_and_nobody_waits() -> None:
    goes_on, began = threading.Event(), threading.Event()

    def stall() -> None:
        began.set()
        assert goes_on.wait(10)

    disk = DiskThread("test", 2)
    assert disk.put(stall)
    assert began.wait(5)
    assert [disk.put(lambda: None) for _ in range(3)] == [True, True, False]
    assert not disk.close(0.02)
    goes_on.set()
    assert disk.close(5)
