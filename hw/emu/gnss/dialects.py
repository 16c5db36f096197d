"""What emulated receivers can be told, and what they answer.

Written from the makers' documents as a receiver has to read them: GlobalTop PMTK
command packet A11, Quectel LC29H protocol specification 1.1, CASIC multimode receiver
protocol V4.2; u-blox's have a module of their own. What is set shows in the habits. A
power cycle is a new object.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final, Protocol

from hw.emu.gnss.frames import ubx
from hw.emu.gnss.receiver import ReceiverModel
from hw.emu.gnss.sentences import sealed

_COMMAND: Final = re.compile(
    rb"\xb5b.(?:.)(?P<size>..)|\$(?P<body>[ -#%-)+-~]+)\*[\dA-F]{2}\r\n", re.DOTALL
)
_ORDER: Final = ("RMC", "VTG", "GGA", "GSA", "GSV", "GLL", "ZDA")
"""In which sentences are said."""
SECOND_MS: Final = 1000


class VendorProtocol(Protocol):
    """The commands of one maker. Used by one thread."""

    @property
    def receiver_model(self) -> ReceiverModel:
        """As they are by now."""
        ...

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        """The answers to a u-blox message."""
        ...

    def text(self, body: str) -> Iterator[bytes]:
        """The answers to a sentence."""
        ...


class CommandParser:
    """Takes commands out of what comes down the line. Used by one thread."""

    def __init__(self, tongue: VendorProtocol, *, deaf_after: int = 1 << 30) -> None:
        """`deaf_after` so many commands it heeds nothing any more."""
        self.tongue = tongue
        self.heard: list[bytes] = []
        """Commands, whole."""
        self._deaf_after = deaf_after
        self._held = b""

    def observe(self, data: bytes) -> list[bytes]:
        """What it says to these bytes."""
        self._held += data
        answers: list[bytes] = []
        while command := _COMMAND.search(self._held):
            end = command.end()
            if command["size"] is not None:
                end += int.from_bytes(command["size"], "little") + 2
                if end > len(self._held):
                    break
            whole, self._held = self._held[command.start() : end], self._held[end:]
            self.heard.append(whole)
            if len(self.heard) <= self._deaf_after:
                answers += self._answers(whole)
        return answers

    def _answers(self, whole: bytes) -> Iterator[bytes]:
        if whole.startswith(b"$"):
            body = whole[1:-5].decode("ascii")
            return self.tongue.text(body) if sealed(body) == whole else iter(())
        cls, number, payload = whole[2], whole[3], whole[6:-2]
        right = ubx(cls, number, payload) == whole
        return self.tongue.binary(cls, number, payload) if right else iter(())


def said(rates: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """As habits have it, in the order a receiver says it."""
    return tuple((kind, rates[kind]) for kind in _ORDER if rates.get(kind))


class Mediatek:
    """An MT3339: PMTK."""

    def __init__(
        self, receiver_model: ReceiverModel, refuses: Collection[int] = ()
    ) -> None:
        """`refuses`: numbers of commands it will not do."""
        self.receiver_model = receiver_model
        spoken = dict(receiver_model.sentences)
        self.rates = [spoken.get(kind, 0) for kind in _PMTK314]
        self.period_ms = SECOND_MS // receiver_model.hz
        self.pulse = ["0", "0"]
        self._refuses = refuses

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        """It has none."""
        del cls, number, payload
        yield from ()

    def text(self, body: str) -> Iterator[bytes]:
        """Commands and questions."""
        if not body.startswith("PMTK"):
            return
        number, *values = body.removeprefix("PMTK").split(",")
        match number:
            case "605":
                yield sealed("PMTK705,AXN_2.31_3339_13101700,5632,PA6H,1.0")
                return
            case "414":
                yield sealed("PMTK514," + ",".join(map(str, self.rates)))
                return
            case "400":
                yield sealed(f"PMTK500,{self.period_ms},0,0,0.0,0.0")
                return
            case _ if int(number) in self._refuses:
                result = 2
            case "314":
                self.rates, result = [int(value) for value in values], 3
            case "220":
                self.period_ms, result = int(values[0]), 3
            case "255" | "285":
                self.pulse, result = values, 3
            case _:
                result = 1
        on = dict(zip(_PMTK314, self.rates, strict=True))
        hz = max(SECOND_MS // self.period_ms, 1)
        self.receiver_model = replace(self.receiver_model, sentences=said(on), hz=hz)
        yield sealed(f"PMTK001,{number},{result}")


_PMTK314: Final[tuple[str, ...]] = (
    *("GLL", "RMC", "VTG", "GGA", "GSA", "GSV", "GRS", "GST"),
    *(f"reserved {n}" for n in range(8, 17)),
    *("ZDA", "MCHN"),
)


class Airoha:
    """An LC29H: PAIR, and the module's own PQTM."""

    def __init__(
        self, receiver_model: ReceiverModel, refuses: Collection[int] = ()
    ) -> None:
        """`refuses`: numbers of commands it will not do."""
        self.receiver_model = receiver_model
        spoken = dict(receiver_model.sentences)
        self.rates = [spoken.get(kind, 0) for kind in _PAIR062]
        self.period_ms = SECOND_MS // receiver_model.hz
        self._refuses = refuses

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        """It has none."""
        del cls, number, payload
        yield from ()

    def text(self, body: str) -> Iterator[bytes]:
        """Commands and questions: an acknowledgement, then what was asked for."""
        if body == "PQTMVERNO":
            yield sealed("PQTMVERNO,LC29HAANR11A03S,2024/04/30,10:53:07")
        if not body.startswith("PAIR"):
            return
        number, *values = body.removeprefix("PAIR").split(",")
        answer, result = "", 0
        match number:
            case "063":
                answer = f",{values[0]},{self.rates[int(values[0])]}"
            case "051":
                answer = f",{self.period_ms}"
            case _ if int(number) in self._refuses:
                result = 2
            case "062":
                self.rates[int(values[0])] = int(values[1])
            case "050":
                self.period_ms = int(values[0])
            case "752":
                yield sealed(f"PAIR001,{number},1")
            case _:
                result = 3
        on = dict(zip(_PAIR062, self.rates, strict=True))
        hz = max(SECOND_MS // self.period_ms, 1)
        self.receiver_model = replace(self.receiver_model, sentences=said(on), hz=hz)
        yield sealed(f"PAIR001,{number},{result}")
        if answer:
            yield sealed(f"PAIR{number}{answer}")


_PAIR062: Final[tuple[str, ...]] = (
    "GGA",
    "GLL",
    "GSA",
    "GSV",
    "RMC",
    "VTG",
    "ZDA",
    "GRS",
    "GST",
    "GNS",
)


class Casic:
    """An AT6558: PCAS, of which it acknowledges nothing."""

    def __init__(self, receiver_model: ReceiverModel) -> None:
        self.receiver_model = receiver_model

    def binary(self, cls: int, number: int, payload: bytes) -> Iterator[bytes]:
        """It has others."""
        del cls, number, payload
        yield from ()

    def text(self, body: str) -> Iterator[bytes]:
        """Its version; what it is told it just does."""
        match body.split(","):
            case ["PCAS06", "0"]:
                yield sealed("GPTXT,01,01,02,SW=URANUS5,V5.3.0.0")
            case ["PCAS02", period]:
                hz = max(SECOND_MS // int(period), 1)
                self.receiver_model = replace(self.receiver_model, hz=hz)
            case ["PCAS03", *rates]:
                on = dict(self.receiver_model.sentences)
                told = zip(_PCAS03, rates, strict=False)
                on |= {kind: int(rate) for kind, rate in told if rate}
                self.receiver_model = replace(self.receiver_model, sentences=said(on))
            case _:
                pass


_PCAS03: Final = ("GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "ZDA")
