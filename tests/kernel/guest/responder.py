"""Runs in the guest: requests answered by this kernel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

from hw.linux.clock import FreeClock
from hw.net.responder.responder import KernelResponder
from refclock.app.serving.in_kernel import InKernel
from refclock.app.serving.services import services as services_of
from refclock.config import parse
from refclock.timebase import MILLISECOND
from tests.fakes.published import right
from tests.fakes.responder import loaded, run

_CONFIG = b"""
[server]
listen = ["0.0.0.0", "::"]
in_kernel = true
rate_limit.enabled = false
"""
_stop: list[Callable[[], dict[str, Any]]] = []


def laws(hook: str, frames: int) -> dict[str, int]:
    """How many fuzzed frames were answered, and how many passed, all lawfully."""
    responder = loaded()
    try:
        outcomes = run(responder, hook, seed=3, frames=frames)
    finally:
        responder.close()
    return {"answered": outcomes[True], "passed": outcomes[False]}


def serve(hook: str) -> list[str]:
    """Serve this machine's clock at port 123; where the kernel answers."""
    made = partial(KernelResponder, hook=hook)
    with patch("refclock.app.serving.in_kernel.KernelResponder", made):
        services = list(services_of(parse(_CONFIG), right, FreeClock(), ()))
    kernel = services[-1]
    assert isinstance(kernel, InKernel)
    stop = threading.Event()

    def each(service: Any) -> None:  # noqa: ANN401 - any of the services
        while not stop.is_set():
            service.serve(50 * MILLISECOND)

    threads = [threading.Thread(target=each, args=(service,)) for service in services]
    for thread in threads:
        thread.start()

    def end() -> dict[str, Any]:
        stop.set()
        for thread in threads:
            thread.join()
        by_sockets = sum(each.counters().get("answered", 0) for each in services[:-1])
        told = {**kernel.counters(), "answered_by_sockets": by_sockets}
        for service in services:
            service.close()
        return told

    _stop.append(end)
    until = time.monotonic() + 20
    while not kernel._where and time.monotonic() < until:
        time.sleep(0.05)
    return kernel._where


def end() -> dict[str, Any]:
    """Stop serving; what was counted."""
    return _stop.pop()()
