"""Settings read anew while the service runs.

Whom to answer, how often and with what stratum is taken over. Whatever else differs
from the settings the service was started with is named and waits for a restart. A
fault is logged and the old settings stay: nothing here ends the service.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from refclock.config import Config, ConfigError, load
from refclock.daemon.supervise import plain
from refclock.server.settings import ListenerSettings, ServerSettings

log = logging.getLogger("refclock")

_TAKEN_OVER: Final = re.compile(r"server\.(allow|deny|tell_denied|rate_limit\..*)")


class Reload:
    """Reads the file at `path` anew, in a thread of its own. For any thread."""

    def __init__(
        self, path: Path, running: Config, take: Callable[[ServerSettings], None]
    ) -> None:
        """`take` gets the new settings of the server, all checked."""
        self._path = path
        self._running = running
        self._take = take
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin; returns at once, as a signal handler must."""
        threading.Thread(target=self.run, name="reload", daemon=True).start()

    def run(self) -> None:
        """Read, take over what can be, log the rest."""
        with self._lock:
            try:
                fresh = load(self._path)
                self._take(fresh.server)
            except ConfigError as error:
                log.warning("not reloaded, the old settings stay: %s", error)
            except OSError as error:
                log.warning("not reloaded, the old settings stay: %s", plain(error))
            except Exception:
                log.exception("not reloaded, the old settings stay")
            else:
                for key in not_taken_over(fresh, self._running):
                    log.warning("%s changed; it takes a restart", key)
                log.info("reloaded %s", self._path)


def not_taken_over(fresh: Config, running: Config) -> Iterator[str]:
    """The keys of settings that differ and wait for a restart."""
    for key in fresh.differs(running):
        if key == "server.listener":
            if _places(fresh) != _places(running):
                yield key
        elif not _TAKEN_OVER.fullmatch(key):
            yield key


def _places(config: Config) -> list[ListenerSettings]:
    """The listeners without what is taken over."""
    return [
        replace(each, allow=None, deny=None, stratum_least=1)
        for each in config.server.listener
    ]
