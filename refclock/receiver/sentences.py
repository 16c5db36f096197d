"""Settings of receivers that take commands in sentences: `$PMTK220,1000*1F`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from refclock.gnss.framer import Item, Sentence
from refclock.receiver.setting import listed


@dataclass(frozen=True, slots=True)
class AcknowledgementRules:
    """How receivers of one vendor acknowledge a command: `$PMTK001,220,3`."""

    prefix: str
    done: str
    waits: frozenset[str] = frozenset()
    """Results that are not final."""

    def verdict(self, item: Item, command: str) -> bool | None:
        """The result of a command, which is recognised by the number in its address."""
        if not isinstance(item, Sentence):
            return None
        number = command.partition(",")[0].removeprefix(self.prefix)
        about = f"{self.prefix}001,{number},"
        body = item.body.decode("ascii")
        result = body.removeprefix(about).partition(",")[0]
        if not body.startswith(about) or result in self.waits:
            return None
        return result == self.done


@dataclass(frozen=True, slots=True)
class NmeaSetting:
    """`head` and a value, as `PMTK220,` and `1000`."""

    name: str
    head: str
    value: str
    acknowledgement: AcknowledgementRules | None = None
    """None: nothing is ever acknowledged."""
    question: str = ""
    answer: str = ""
    """How the answer begins; the value follows."""
    fields: int | None = None
    """How many fields of the answer are the value; None: all."""
    labels: tuple[str, ...] = ()
    """What kind of sentence each field of the value is about; '' is none of ours."""
    observed: str = ""
    """The value inferred from its output, where it cannot be asked for."""

    @property
    def query(self) -> bytes:
        """See `Setting`; also for all below."""
        return sealed(self.question) if self.question else b""

    @property
    def acknowledged(self) -> bool:
        """Whether there are rules for it."""
        return self.acknowledgement is not None

    @property
    def inferred(self) -> bytes:
        """From `observed`."""
        return sealed(self.head + self.observed) if self.observed else b""

    def current(self, item: Item) -> bytes | None:
        """The answer's value behind our head."""
        if not self.answer or not isinstance(item, Sentence):
            return None
        body = item.body.decode("ascii")
        if not body.startswith(self.answer):
            return None
        value = body.removeprefix(self.answer).split(",")[: self.fields]
        return sealed(self.head + ",".join(value))

    def answered(self, item: Item) -> bool:
        """With the value itself."""
        return self.current(item) is not None

    def wanted(self, current: bytes) -> bytes:  # noqa: ARG002 - set whole
        """`head` and `value`, whatever it was."""
        return sealed(self.head + self.value)

    def verdict(self, item: Item) -> bool | None:
        """On the command."""
        return (
            self.acknowledgement.verdict(item, self.head)
            if self.acknowledgement
            else None
        )

    def unknown(self, item: Item) -> bool:
        """The question was refused."""
        return bool(
            self.question
            and self.acknowledgement
            and self.acknowledgement.verdict(item, self.question) is False
        )

    def describe(self, command: bytes) -> str:
        """The value; with labels, the rate of each kind of sentence."""
        value = command[1 + len(self.head) : -len("*00\r\n")].decode("ascii")
        if not self.labels:
            return value
        rates = zip(self.labels, value.split(","), strict=False)
        return listed({label: rate for label, rate in rates if label})


def sealed(body: str) -> bytes:
    """`$`, the body, its checksum and the line end."""
    raw = body.encode("ascii")
    return b"$%b*%02X\r\n" % (raw, reduce(xor, raw))
