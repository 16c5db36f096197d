"""A daemon without a receiver, and a server that it asks: plainly, by key, by NTS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from refclock.app.keys.certificates import make_ca, make_certificate
from tests.rig.demo import Demo, demo, free_port, query, refclock
from tests.rig.upstreams import daemon

pytestmark = pytest.mark.slow
KEY = "3 SHA256 ASCII:a-secret-of-both-sides\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Path]]:
    """A demo at stratum 1 with a key and NTS, and the folder with both."""
    folder = tmp_path_factory.mktemp("server")
    keys = folder / "keys"
    keys.write_text(KEY)
    keys.chmod(0o600)
    make_ca(folder, 2)
    make_certificate(folder, ["127.0.0.1"], 2)
    settings = f"""server.rate_limit.enabled = false
keys.file = "{keys}"
[nts]
port = {free_port()}
listen = ["127.0.0.1"]
certificate = "{folder}/127.0.0.1.pem"
key = "{folder}/127.0.0.1.key"
cookie_keys = "{folder}/cookies"
"""
    (folder / "nts-port").write_text(settings.split("port = ")[1].split(maxsplit=1)[0])
    with demo(folder, settings=settings) as running:
        running.await_stratum(1)
        yield running, folder


def _at(server: Demo, more: str) -> str:
    return f'host = "127.0.0.1"\nport = {server.port}\n{more}'


@pytest.mark.parametrize("how", ["trust", "key", "nts"])
def test_it_follows_an_upstream_within_ten_seconds(
    server: tuple[Demo, Path], how: str, tmp_path: Path
) -> None:
    """As stratum 2, right to within the bound, and says of whom."""
    running, folder = server
    nts = (folder / "nts-port").read_text()
    block, more = {
        "trust": ("trust = true\ninterleaved = true", ""),
        "key": ("key = 3", f'keys.file = "{folder}/keys"'),
        "nts": (f'nts = true\nnts_port = {nts}\nauthority = "{folder}/ca.pem"', ""),
    }[how]
    with daemon(tmp_path, _at(running, block), more=more) as made:
        status = made.await_stratum(2)
        assert status["refid"] == "127.0.0.1"
        assert status["witness"]["proven"]
        (row,) = status["servers"]
        assert (row["mark"], row["trust"], row["why"]) == ("*", how, "")
        theirs = query("127.0.0.1", running.port)
        ours = query("127.0.0.1", made.port)
        apart_s = abs(theirs.offset_s - ours.offset_s)
        assert apart_s < theirs.error_s + ours.error_s
        assert ours.error_s < 0.2
        said = refclock("sources", "--socket", str(made.door))
        assert said.returncode == 0
        assert "* 127.0.0.1" in said.stdout
        told = json.loads(
            refclock("sources", "--json", "--socket", str(made.door)).stdout
        )
        assert told["servers"][0]["stratum"] == 1


def test_a_wrong_key_or_authority_is_no_server(
    server: tuple[Demo, Path], tmp_path: Path
) -> None:
    running, folder = server
    (tmp_path / "keys").write_text("3 SHA256 ASCII:a-secret-of-another\n")
    (tmp_path / "keys").chmod(0o600)
    make_ca(tmp_path / "other", 2)
    nts = (folder / "nts-port").read_text()
    blocks = (
        _at(running, "key = 3"),
        f'host = "localhost"\nport = {running.port}\nnts = true\nnts_port = {nts}\n'
        f'authority = "{tmp_path}/other/ca.pem"',
    )
    with daemon(tmp_path, *blocks, more=f'keys.file = "{tmp_path}/keys"') as made:
        until, why = time.monotonic() + 20, ""
        while time.monotonic() < until and not ("answer" in why and "ficate" in why):
            why = " ".join(each["why"] for each in made.status().get("servers", []))
            time.sleep(0.2)
        assert "unreachable: no answer" in why
        assert "unreachable: key exchange: its certificate is not good" in why
        assert made.status()["stratum"] == 16


def asked(server: tuple[Demo, Path], *options: str) -> tuple[int, str, str]:
    """How `refclock query` of the server with these options ends and what it says."""
    running, _ = server
    done = refclock("query", "127.0.0.1", "--port", str(running.port), *options)
    return done.returncode, done.stdout, done.stderr


def test_a_query_with_a_key_or_with_nts(server: tuple[Demo, Path]) -> None:
    _, folder = server
    keys = "--keys", str(folder / "keys")
    nts = "--nts", "--nts-port", (folder / "nts-port").read_text()
    authority = "--authority", str(folder / "ca.pem")
    assert asked(server, "--key", "3", *keys)[0] == 0
    code, said, _ = asked(server, *nts, *authority, "--count", "3", "--interval", "0")
    assert code == 0
    assert "the least of 3" in said
    code, _, said = asked(server, *nts)
    assert code == 1
    assert "key exchange: its certificate is not good" in said


def test_a_query_with_a_key_that_is_not_theirs(
    server: tuple[Demo, Path], tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("3 SHA256 ASCII:a-secret-of-another\n")
    keys = "--keys", str(tmp_path / "keys")
    code, _, said = asked(server, "--key", "3", *keys, "--timeout", "1")
    assert code == 1
    assert said.endswith("127.0.0.1: no answer\n")
    assert "there is no key 4" in asked(server, "--key", "4", *keys)[2]
    assert "No such file" in asked(server, "--key", "4", "--keys", "/none")[2]
