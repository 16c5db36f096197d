"""The responder in the kernel: its maps, its programs, where they are attached."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from hw.abi.addresses import Link
from hw.abi.bpf.maps import (
    ARRAY,
    HASH,
    LPM_TRIE,
    LRU_HASH,
    MMAPABLE,
    NO_PREALLOC,
    PERCPU_ARRAY,
    Map,
)
from hw.abi.bpf.programs import (
    ON_TCX_INGRESS,
    ON_XDP,
    SCHED_CLS,
    XDP,
    XDP_FLAGS_SKB_MODE,
    Program,
    Verdict,
)
from hw.abi.bpf.programs import Link as Attached
from hw.net.responder.layout import (
    ADDRESS_KEY,
    CLIENT,
    COUNTED,
    NETWORK,
    NETWORK_KEY,
    PACE,
    PARAMETERS,
    PLACE,
    PREFIX_KEY,
    RULE,
    SLOT,
)
from hw.net.responder.places import (
    carries_vlans,
    host_of_key,
    interface_of_key,
    place_entries,
    rule_entries,
    usable_links,
)
from hw.net.responder.program import tc_program, xdp_program
from refclock.board.responder import AnsweredHost, Pace, Place, Statement
from refclock.timebase import SECOND, Mono

_MOST_PLACES: Final = 1 << 16
_MOST_RULES: Final = 1 << 20
"""Entries at most; memory is taken as they are made."""
_CPUS: Final = Path("/sys/devices/system/cpu/possible")
_INDEX_0: Final = b"\0\0\0\0"


class KernelResponder:
    """As the port `Responder`, by a program at the tc hook or at that of XDP.

    Attached for as long as the process lives and no longer.
    """

    def __init__(self, port: int, kinds: bytes, hosts: int, hook: str = "auto") -> None:
        """Load the programs for requests to `port`.

        `kinds`: what is answered at all, by a request's first byte (0: nothing);
        `hosts`: how many are remembered at most; `hook`: "tc", "xdp", "none", or "auto"
        for the first that the kernel has. OSError: not permitted, or the kernel cannot.
        """
        self._hook = hook
        with contextlib.ExitStack() as opened:
            self._maps = _maps(hosts, opened)
            self._memory = self._maps["PARAMETERS"].memory()
            opened.callback(self._memory.close)
            names = {name: each.fd for name, each in self._maps.items()}
            names["PORT"] = socket.htons(port)
            names["KINDS"] = sum(1 << first for first in range(64) if kinds[first])
            self.programs = {
                "tc": Program(SCHED_CLS, tc_program(names), "refclock"),
                "xdp": Program(XDP, xdp_program(names), "refclock"),
            }
            for program in self.programs.values():
                opened.callback(program.close)
            self._opened = opened.pop_all()
        self._cpus = 1 + int(_CPUS.read_text().strip().rpartition("-")[2])
        self._places: list[tuple[Place, int]] = []
        """Each with the number of its rule set."""
        self._numbers = count(1)
        self._entered: dict[bytes, bytes] = {}
        """What PLACES holds."""
        self._attached: dict[int, tuple[str, Attached | None]] = {}
        """Name and link by interface; None: it cannot be attached to."""
        self._statements = 0

    def state(self, statement: Statement) -> None:
        """Answer with this from now on."""
        self._statements += 1
        gain = (1.0 + statement.rate) * (1 << 32) / SECOND.ns - 4.0
        SLOT.struct.pack_into(
            self._memory,
            PARAMETERS.at["SLOTS"] + self._statements % 2 * SLOT.struct.size,
            statement.since.ns,
            statement.lasts.ns,
            statement.stamp,
            round(gain * (1 << 32)),
            statement.bound.ns,
            -int(-statement.bound_rate * (1 << 32) // 1),
            statement.header,
        )
        sequence = PARAMETERS.at["SEQUENCE"]
        struct.pack_into("=Q", self._memory, sequence, self._statements)

    def admit(self, places: Sequence[Place], pace: Pace) -> None:
        """Answer at these places by these rules from now on; all hosts are new.

        The new rules stand beside the old ones until the places refer to them.
        OSError: there is no room for them; then nothing is answered.
        """
        old, self._places = self._places, []
        try:
            fresh = [(place, next(self._numbers)) for place in places]
            for place, number in fresh:
                for key, value in rule_entries(place, number):
                    self._maps["RULES"][key] = value
        except OSError:
            self.look()  # nothing is answered by rules that are not whole
            raise
        PACE.struct.pack_into(
            self._memory,
            PARAMETERS.at["PACE"],
            pace.every.ns,
            pace.every_network.ns,
            pace.slack.ns,
            round(pace.leak * (1 << 32)),
            pace.leak_every.ns,
            pace.leak_slack.ns,
        )
        self._places = fresh
        self.look()
        for place, number in old:
            for key, _ in rule_entries(place, number):
                del self._maps["RULES"][key]

    def look(self) -> list[str]:
        """Follow the interfaces and addresses there are; the interfaces attached to."""
        here = usable_links()
        wanted = place_entries(self._places, here)
        places = self._maps["PLACES"]
        for key, value in wanted.items():
            if self._entered.get(key) != value:
                places[key] = value
        for key in self._entered.keys() - wanted.keys():
            del places[key]
        self._entered = wanted
        indices = set(map(interface_of_key, wanted))
        for index in self._attached.keys() - indices:
            _, attached = self._attached.pop(index)
            if attached is not None:
                attached.close()
        for link in here:
            if link.index in indices and link.index not in self._attached:
                self._attached[link.index] = link.name, self._attach(link)
        return [name for name, attached in self._attached.values() if attached]

    def counters(self) -> tuple[int, int]:
        """Requests answered, and refused for their pace."""
        size = COUNTED.struct.size
        each = self._maps["COUNTERS"].lookup(_INDEX_0, self._cpus * size)
        answered, refused = zip(*COUNTED.struct.iter_unpack(each), strict=True)
        return sum(answered), sum(refused)

    def hosts(self) -> list[AnsweredHost]:
        """Those remembered that were answered or refused, by the rules in force."""
        numbers = {number for _, number in self._places}
        found = []
        for key, value in self._maps["CLIENTS"].items():
            number, address = host_of_key(key)
            entry = dict(zip(CLIENT.at, CLIENT.struct.unpack(value), strict=True))
            handled = entry["ANSWERED"] + entry["LIMITED"]
            if handled and number in numbers:
                found.append(
                    AnsweredHost(
                        address,
                        Mono(entry["LAST"]),
                        handled,
                        entry["LIMITED"],
                        entry["VERSION"],
                    )
                )
        return found

    def test(self, hook: str, frame: bytes, context: bytes = b"") -> Verdict:
        """What the program for that hook makes of a frame."""
        return self.programs[hook].test(frame, context)

    def close(self) -> None:
        """Detach: all requests go to the sockets."""
        for _, attached in self._attached.values():
            if attached is not None:
                attached.close()
        self._attached.clear()
        self._opened.close()

    def _attach(self, link: Link) -> Attached | None:
        """At the first hook that takes it; None: at none."""
        hooks: dict[str, Callable[[], Attached]] = {
            "tc": lambda: self.programs["tc"].attach(link.index, ON_TCX_INGRESS),
            "xdp": lambda: self.programs["xdp"].attach(
                link.index, ON_XDP, XDP_FLAGS_SKB_MODE
            ),
        }
        for hook, attach in hooks.items():
            if self._hook not in {"auto", hook}:
                continue
            if hook == "xdp" and carries_vlans(link.name):
                continue
            with contextlib.suppress(OSError):
                return attach()
        return None


def _maps(hosts: int, opened: contextlib.ExitStack) -> Mapping[str, Map]:
    """The maps by name; `opened` closes them. OSError: not permitted, or no memory."""
    kinds = {
        "PLACES": (HASH, ADDRESS_KEY.struct.size, PLACE, _MOST_PLACES, NO_PREALLOC),
        "RULES": (LPM_TRIE, PREFIX_KEY.struct.size, RULE, _MOST_RULES, NO_PREALLOC),
        "CLIENTS": (LRU_HASH, ADDRESS_KEY.struct.size, CLIENT, hosts, 0),
        "NETWORKS": (LRU_HASH, NETWORK_KEY.struct.size, NETWORK, hosts, 0),
        "PARAMETERS": (ARRAY, len(_INDEX_0), PARAMETERS, 1, MMAPABLE),
        "COUNTERS": (PERCPU_ARRAY, len(_INDEX_0), COUNTED, 1, 0),
    }
    made = {}
    for name, (kind, key, entry, most, flags) in kinds.items():
        made[name] = Map(kind, key, entry.struct.size, most, flags, name.lower())
        opened.callback(made[name].close)
    return made
