from __future__ import annotations

import threading

from refclock.app.disk import DiskThread


def test_jobs_are_done_in_order() -> None:
    done: list[int] = []
    disk = DiskThread("test", 100)
    for number in range(50):
        assert disk.put(lambda number=number: done.append(number))  # type: ignore[misc]
    assert disk.close(5)
    assert done == list(range(50))
    assert disk.close(5)


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
