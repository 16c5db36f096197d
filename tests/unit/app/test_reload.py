"""What a reload takes over, what it names, and that it ends nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from refclock.app.reload import Reload, not_taken_over
from refclock.config import Config, parse
from refclock.server.settings import ServerSettings

OLD = parse(b"[[server.listener]]\naddresses = ['127.0.0.1']\nport = 1123")


class Taken:
    """Keeps what it is given, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.settings: list[ServerSettings] = []
        self._error = error

    def __call__(self, settings: ServerSettings) -> None:
        if self._error is not None:
            raise self._error
        self.settings.append(settings)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("server.deny = ['10.0.0.1/32']\nserver.rate_limit.burst = 9", []),
        ("server.port = 1\nserver.symmetric = false", ["port", "symmetric"]),
        (
            "[[server.listener]]\naddresses = ['127.0.0.1']\nport = 1123\ndeny = []\n"
            "stratum_least = 3",
            [],
        ),
        (
            "[[server.listener]]\naddresses = ['127.0.0.1']\nport = 1124",
            ["listener"],
        ),
    ],
)
def test_what_waits_for_a_restart_is_named(text: str, keys: list[str]) -> None:
    if "listener" not in text:
        text += "\n[[server.listener]]\naddresses = ['127.0.0.1']\nport = 1123"
    named = list(not_taken_over(parse(text.encode()), OLD))
    assert named == [f"server.{key}" for key in keys]


def test_good_settings_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    path.write_text("server.deny = ['10.0.0.0/8']")
    taken = Taken()
    Reload(path, Config(), taken).run()
    assert taken.settings == [ServerSettings(deny=("10.0.0.0/8",))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "new.toml: No such file or directory"),
        (b"leap.mode = ['smear']", "new.toml:1: leap.mode: ['smear'] is not one of"),
        (b"\xff", "new.toml:1: not UTF-8 text"),
        (b"a = " + b"[" * 5_000, "new.toml:1: nested without end"),
    ],
)
def test_a_fault_is_logged_and_the_old_settings_stay(
    content: bytes | None,
    message: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "new.toml"
    if content is not None:
        path.write_bytes(content)
    taken = Taken()
    Reload(path, Config(), taken).run()
    assert taken.settings == []
    (record,) = caplog.records
    assert record.getMessage().startswith("not reloaded, the old settings stay: ")
    assert message in record.getMessage()


def test_not_even_a_bug_in_it_ends_anything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "new.toml"
    path.write_text("")
    Reload(path, Config(), Taken(ZeroDivisionError("a bug"))).run()
    assert "ZeroDivisionError: a bug" in caplog.text


def test_it_begins_in_a_thread_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "new.toml"
    path.write_text("")
    reload = Reload(path, Config(), Taken())
    with reload._lock:
        reload.start()
        assert caplog.text == ""
    reload.run()
    assert "reloaded" in caplog.text
