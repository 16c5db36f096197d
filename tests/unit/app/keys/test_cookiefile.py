"""The file of cookie keys: one process makes it, others read it."""

import secrets
from pathlib import Path

import pytest

from refclock.app.keys import cookiefile
from refclock.app.keys.cookiefile import CookieKeyFile
from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association, CookieKeysError
from refclock.timebase import DAY, Utc

SHARED = Association(Algorithm.SIV, bytes(32), bytes(32))


def test_what_one_makes_another_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "keys"
    owner, other = CookieKeyFile(path), CookieKeyFile(path)
    with pytest.raises(FileNotFoundError):
        other.refresh()
    owner.own()
    assert path.stat().st_mode & 0o777 == 0o600
    other.refresh()
    cookie = owner.get().seal(SHARED, secrets.token_bytes)
    assert other.get().open(cookie) == SHARED
    now = cookiefile._now()
    monkeypatch.setattr(cookiefile, "_now", lambda: Utc((now + DAY).ns))
    owner.rotate()
    fresh = owner.get().seal(SHARED, secrets.token_bytes)
    assert fresh[:4] != cookie[:4]
    assert other.get().open(fresh) == SHARED  # of the key to come
    other.refresh()
    assert other.get().text() == owner.get().text()
    again = CookieKeyFile(path)
    again.own()
    assert again.get().open(cookie) == SHARED


def test_a_file_that_is_none_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CookieKeysError):
        CookieKeyFile(path).refresh()
    owner = CookieKeyFile(path)
    owner.own()
    CookieKeyFile(path).refresh()
