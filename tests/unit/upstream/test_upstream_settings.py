from __future__ import annotations

import pytest

from refclock.config import ConfigError, parse
from refclock.events import Trust
from refclock.upstream.settings import Fallback


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text.encode())
    return str(error.value)


def test_servers_of_every_kind() -> None:
    config = parse(
        b"""
witness.fallback = "authenticated"
[[upstream]]
host = "a"
[[upstream]]
host = "b"
key = 3
[[upstream]]
host = "c"
nts = true
[[upstream]]
host = "d"
trust = true
"""
    )
    proofs = [each.proof for each in config.upstream]
    assert proofs == [Trust.NOTHING, Trust.KEY, Trust.NTS, Trust.OPERATOR]
    assert config.engine().witness.fallback is Fallback.AUTHENTICATED


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("", "host"),
        ('host = ""', "host: name a server or its address"),
        ('host = "a"\nleast_s = 20', "20 is not a power of two"),
        ('host = "a"\nleast_s = 1024\nmost_s = 64', "1024 is more than most_s"),
        ('host = "a"\nkey = 1\nnts = true', "key and nts exclude each other"),
        ('host = "a"\npool = true\nnts = true', "nts and pool exclude each other"),
        ('host = "a"\nauthority = "x"', "authority is for nts = true"),
        ('host = "a"\nminpoll = 4', "no such key"),
    ],
)
def test_what_is_wrong_is_told(block: str, says: str) -> None:
    assert says in refused(f"[[upstream]]\n{block}")
