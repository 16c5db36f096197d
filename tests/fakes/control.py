"""A control socket that answers, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refclock.daemon.control import Answers, ControlServer


@contextmanager
def answering(path: Path, answers: Answers) -> Iterator[Path]:
    """Until left, questions asked at `path` get these answers."""
    server = ControlServer(path, answers)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            server.serve(0.02)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield path
    finally:
        stop.set()
        thread.join()
        server.close()
