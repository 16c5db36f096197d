"""Whatever stands in a file or comes by the control socket gives values or a named
refusal: damaged documents of every kind, some thousands of each here."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from refclock.app.storage.recorder import lines
from refclock.cli.replay import replay
from refclock.codec import CodecError
from refclock.config import ConfigError, parse
from refclock.daemon.control import ControlServer
from refclock.discipline.sample import Learned
from refclock.engine.engine import Engine
from refclock.engine.kept.memory import KnownLag, Memory, MemoryLostError
from refclock.engine.kept.recording import (
    Beginning,
    Outcome,
    RecordingError,
    read,
    write,
)
from refclock.engine.policy import EngineSettings
from refclock.events import (
    RTC0,
    Edge,
    Fix,
    Lost,
    PulseEdge,
    Temperature,
    Tick,
    TimeMessage,
    Witness,
)
from refclock.observe.status import clients_json, read_clients, read_status, to_json
from refclock.observe.text import clients_text, to_text
from refclock.server.admission.clients import ClientStatus
from refclock.timebase import (
    SECOND,
    ZERO,
    Duration,
    LeapTable,
    LeapTableError,
    Local,
    Mono,
    Tai,
    Utc,
)
from tests.laws.mutate import mutated

ROOT = Path(__file__).parents[2]
PACKAGED = (ROOT / "refclock" / "timebase" / "leap-seconds.list").read_bytes()
LEAPS = LeapTable.parse(PACKAGED.decode())
START = Utc.of(2026, 11, 29)
MEMORY = Memory(
    Learned(
        1e-6, 1e-9, 2e-7, (0.0, -1.0), 0.01, 10.0, 0.01, (25.0, 1e-8, 0.0, 1e-9, 1e-9)
    ),
    {"RMC": KnownLag(Duration(120_000_000), Duration(3_000_000), 88)},
    START,
)
BEGINNING = Beginning(EngineSettings(), LEAPS, LEAPS.updated, ZERO, ZERO, -20, MEMORY)


def recording() -> list[bytes]:
    """A few seconds of a run, a line each."""
    engine = BEGINNING.engine()
    said = [write(BEGINNING)]
    for second in range(1, 8):
        mono, local = Mono(second * SECOND.ns), Local(START.ns + second * SECOND.ns)
        later = mono + Duration(120_000_000)
        for event in (
            PulseEdge(local, mono, second, 0, Edge.ASSERT),
            TimeMessage(START + second * SECOND, later, "RMC", Fix.VALID),
            Temperature(later, 48.5, "cpu"),
            Witness(RTC0, ZERO, local, later, 0, SECOND),
            Lost(RTC0, later, "gone"),
            Tick(later, local + Duration(120_000_000), 0),
        ):
            commands = engine.handle(event)
            said += [write(event), write(Outcome(commands, engine.snapshot))]
    return [line.encode() for line in said]


RECORDING = recording()
CLIENTS = [ClientStatus("10.0.0.1", 3.0, 2, 4, 0, 0)]
ANSWERS = [
    to_json(
        Engine(EngineSettings(), LEAPS, LEAPS.updated).status(Mono(1)),
        {"requests": 3},
        CLIENTS,
        CLIENTS,
    ).encode(),
    clients_json(CLIENTS).encode(),
]
SETTINGS = [
    (ROOT / "config" / "refclock.toml").read_bytes(),
    *(path.read_bytes() for path in sorted((ROOT / "config" / "boards").glob("*"))),
    b"[[server.listener]]\nport = 1123\nallow = ['192.0.2.0/24']\nleap = 'smear'\n",
]


def settings(raw: bytes) -> None:
    """Values, or lines that begin with file and line number."""
    try:
        parse(raw, "x.toml")
    except ConfigError as error:
        said = str(error).split("\n")
    else:
        return
    for line in said:
        name, number, _ = line.split(":", 2)
        assert (name, int(number) > 0) == ("x.toml", True)
        assert len(line) < 1_000


def state(raw: bytes) -> None:
    """A memory that an engine can start from, or a refusal."""
    try:
        memory = Memory.parse(raw.decode(errors="replace"))
    except MemoryLostError:
        return
    assert Memory.parse(memory.text()).text() == memory.text()  # rounded once
    engine = Engine(EngineSettings(), LEAPS, LEAPS.updated, memory=memory)
    for line in RECORDING[1:]:
        event = read(line.decode())
        if not isinstance(event, Outcome | Beginning):
            engine.handle(event)  # type: ignore[arg-type] # neither Chunk nor Counted
    engine.memory()
    engine.status(Mono(9 * SECOND.ns))


def recorded_line(raw: bytes) -> None:
    """An entry that is written as it was read, or a refusal."""
    try:
        entry = read(raw.decode(errors="replace"))
    except RecordingError:
        return
    assert write(read(write(entry))) == write(entry)  # rounded once


def leap_table(raw: bytes) -> None:
    """A table that answers for any time, or a refusal."""
    try:
        table = LeapTable.parse(raw.decode("ascii", errors="replace"))
    except LeapTableError:
        return
    for at in (Tai(0), Tai(START.ns), Tai(2**62)):
        table.offset(at)
        table.next_after(at)
    assert table.tai(table.posix(Tai(START.ns))) == Tai(START.ns)
    assert table.updated.iso() < table.expires.iso() or table.updated >= table.expires


def answer(raw: bytes) -> None:
    """A page whose every line prints, or a refusal."""
    text = raw.decode(errors="replace")
    for from_text, page in ((read_status, to_text), (read_clients, rows)):
        try:
            plain = from_text(text)
        except CodecError:
            continue
        assert all(line.isprintable() for line in page(plain).split("\n"))


def rows(plain: dict[str, object]) -> str:
    """As `status --clients` prints them."""
    return clients_text(plain["clients"])  # type: ignore[arg-type] # checked


KINDS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "settings": (settings, SETTINGS),
    "state": (state, [MEMORY.text().encode()]),
    "recording": (recorded_line, RECORDING),
    "leap": (leap_table, [PACKAGED, b"#@ 3991593600\n3692217600 37\n"]),
    "answer": (answer, ANSWERS),
}


def fuzz(kind: str, count: int, seed: int) -> None:
    """`count` damaged documents of a kind."""
    law, documents = KINDS[kind]
    chance = random.Random(seed)
    for document in documents:
        law(document)
    for number in range(count):
        raw = mutated(documents, chance)
        try:
            law(raw)
        except Exception as error:
            raise AssertionError(f"{kind} {seed} {number}: {raw!r:.2000}") from error


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_documents_give_values_or_a_named_refusal(kind: str) -> None:
    fuzz(kind, 300, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_documents_give_values_or_a_named_refusal(kind: str) -> None:
    fuzz(kind, 10_000, 2)


def test_any_question_to_the_control_socket_has_an_answer(tmp_path: Path) -> None:
    chance = random.Random(3)
    server = ControlServer(tmp_path / "c", {"status": lambda _: "{}"})
    try:
        for _ in range(2_000):
            question = mutated([b"status\n", b"clients\n"], chance)
            assert isinstance(json.loads(server._answer(question, trusted=True)), dict)
    finally:
        server.close()


def test_a_fact_that_no_device_can_have_sent_is_named_by_its_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.jsonl"
    hot = [write(Temperature(Mono(n), 1e300, "cpu")) for n in (8 * 10**9, -(2**62))]
    path.write_bytes(b"\n".join([*RECORDING, *(each.encode() for each in hot)]) + b"\n")
    number = len(RECORDING) + 2
    with pytest.raises(RecordingError, match=f"line {number}: the engine fails on"):
        replay(path)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_recording_is_replayed_or_refused(seed: int, tmp_path: Path) -> None:
    chance, path = random.Random(seed), tmp_path / "run.jsonl"
    for _ in range(5):
        damaged = [
            mutated([line], chance) if chance.random() < 0.03 else line
            for line in RECORDING
        ]
        path.write_bytes(b"\n".join(damaged) + b"\n")
        with suppress(RecordingError):
            replay(path)
    path.write_bytes(b"\n".join(RECORDING) + b"\n")
    assert len(list(lines(path))) == len(RECORDING)
    assert replay(path)["difference"] is None
