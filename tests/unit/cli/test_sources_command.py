from __future__ import annotations

import json
from pathlib import Path

import pytest

from refclock.cli import main
from refclock.engine.engine import Engine
from refclock.engine.policy import EngineSettings
from refclock.events import NoReply, ServerAdded, Tick, Trust
from refclock.observe.status import to_json
from refclock.timebase import SECOND, LeapTable, Local, Utc
from tests.fakes.control import answering
from tests.unit.upstream.by_hand import NOON, START, reply

LEAPS = LeapTable((), 37 * SECOND, Utc.of(2017, 1, 1), Utc.of(2050, 1, 1))


def answer() -> str:
    """Of a daemon with one honest server with NTS, a liar, and one that is silent."""
    engine = Engine(EngineSettings(), LEAPS, LEAPS.updated)
    engine.handle(Tick(START, Local(NOON.ns), 0))
    for name, trust in (("a", Trust.NTS), ("b", Trust.NOTHING), ("c", Trust.NTS)):
        engine.handle(ServerAdded(START, name, "192.0.2.1", trust))
    for n in range(3):
        engine.handle(reply("a", after=n * SECOND))
        engine.handle(reply("b", after=n * SECOND, error=60 * SECOND))
    engine.handle(NoReply(START, "c", "no answer"))
    now = START + 3 * SECOND
    engine.handle(Tick(now, Local(NOON.ns) + 3 * SECOND, 0))
    return to_json(engine.status(now), {})


def test_a_table_for_people_and_an_object_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = answer()
    with answering(tmp_path / "door", {"status": lambda _: said}) as door:
        assert main(["sources", "--socket", str(door)]) == 0
        rows = capsys.readouterr().out.splitlines()
        assert main(["sources", "--socket", str(door), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert [row.split()[:2] for row in rows[2:]] == [["*", "a"], ["x", "b"], ["?", "c"]]
    assert "falseticker: +60 s" in rows[3]
    assert rows[4].endswith("unreachable: no answer")
    assert {*told} == {"version", "sources", "servers", "witness"}
    assert told["witness"]["nts"] == 1


def test_no_daemon_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sources", "--socket", str(tmp_path / "none")]) == 1
    assert "no daemon answers" in capsys.readouterr().err
