"""The sockets to serve on; tests/rig has the listeners themselves, answering."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from hw.linux.clock import FreeClock
from refclock.app.keys.cookiefile import CookieKeyFile
from refclock.app.serving import services as module
from refclock.app.serving.services import key_exchange, services
from refclock.config import Config, parse
from refclock.server.service import NtpService
from tests.fakes.published import right


def passed_on(config: Config, *made: socket.socket) -> list[str]:
    """The names of the services on sockets that systemd passed to us."""
    with pytest.MonkeyPatch.context() as patched, ExitStack() as opened:
        patched.setattr(module, "inherited", lambda: list(made))
        running = [
            opened.enter_context(closing(service))
            for service in services(config, right, FreeClock(), ())
        ]
        return [each.name for each in running if isinstance(each, NtpService)]


def listening(*addresses: str, port: int, more: str = "") -> Config:
    """Settings that listen there."""
    text = f"[server]\nlisten = {list(addresses)}\nport = {port}\n{more}"
    return parse(text.replace("'", '"').encode())


def bound(address: str, *, only_v6: bool = False) -> tuple[socket.socket, int]:
    """As systemd would pass it, and its port."""
    made = socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM
    )
    if ":" in address:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
    made.bind((address, 0))
    return made, made.getsockname()[1]


def test_sockets_that_were_passed_on_are_served() -> None:
    made, port = bound("127.0.0.1")
    assert passed_on(listening("127.0.0.1", port=port), made) == [f"127.0.0.1:{port}"]
    assert made.fileno() == -1  # served, and given back


@pytest.mark.parametrize(
    ("address", "only_v6", "listen", "missing"),
    [
        ("::", False, ["0.0.0.0", "::"], ""),  # noqa: S104
        ("::", True, ["0.0.0.0", "::"], "0.0.0.0 port {}"),  # noqa: S104
        ("::", False, ["127.0.0.1"], "127.0.0.1 port {}"),
        ("127.0.0.1", False, ["127.0.0.1", "::1"], "::1 port {}"),
    ],
)
def test_places_that_systemd_did_not_pass_on_are_named(
    caplog: pytest.LogCaptureFixture,
    address: str,
    *,
    only_v6: bool,
    listen: list[str],
    missing: str,
) -> None:
    made, port = bound(address, only_v6=only_v6)
    passed_on(listening(*listen, port=port), made)
    named = [text for text in caplog.messages if "not listening at" in text]
    assert len(named) == bool(missing)
    for text in named:
        assert text.startswith(f"not listening at {missing.format(port)}, as")
        assert "take refclock.service.d/sockets.conf away" in text


@pytest.mark.parametrize(
    ("more", "lack"),
    [
        ("workers = 2", "cannot be shared by workers"),
        ('broadcast = ["192.0.2.255"]', "takes an IPv4 address to listen at"),
    ],
)
def test_what_takes_sockets_of_our_own_says_how_to_have_them(
    more: str, lack: str
) -> None:
    made, port = bound("::1")
    with pytest.raises(OSError, match=f"{lack}; .*sockets.conf away"):
        passed_on(listening("::1", port=port, more=more), made)
    assert made.fileno() == -1


@pytest.mark.parametrize(
    "refusal", [OSError(errno.EAFNOSUPPORT, "not supported"), MemoryError("closure")]
)
def test_so_does_a_key_exchange_in_the_strictest_sandbox(
    refusal: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise refusal

    exchange = SimpleNamespace(KeyExchange=refused)
    monkeypatch.setattr(module, "import_module", lambda _: exchange)
    keys = CookieKeyFile(tmp_path / "keys")
    with pytest.raises(OSError, match=r"nts: the sandbox .*sockets.conf away"):
        key_exchange(parse(b""), keys, right, FreeClock())
