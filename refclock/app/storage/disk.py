"""What may wait for a disk, done in order in a thread of its own.

An SD card may stall for 40 s in fsync(2). The engine's thread only puts jobs here,
and never waits; what is put while too much is waiting is refused.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger("refclock")


class DiskThread:
    """Does one job after another. `put` by any thread, `close` by one.

    A job that raises is logged, and the next one done.
    """

    def __init__(self, name: str, most: int) -> None:
        """`most`: jobs that may wait."""
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(most)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Callable[[], None]) -> bool:
        """Have it done; False: too much is waiting, and it will not be."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def close(self, limit_s: float) -> bool:
        """Do what waits; False: the disk did not finish it within `limit_s`."""
        if self._thread.is_alive():
            try:
                self._jobs.put(None, timeout=limit_s)
            except queue.Full:
                return False
            self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("%s: a job failed", self._thread.name)
