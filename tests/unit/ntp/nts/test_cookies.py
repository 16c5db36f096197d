"""Cookies, and the keys they are sealed with."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association, CookieKeys, CookieKeysError
from refclock.timebase import DAY, SECOND, Utc

NOW = Utc.of(2026, 11, 29)
DRAW = Random(8915).randbytes


def association(algorithm: Algorithm) -> Association:
    return Association(
        algorithm, DRAW(algorithm.key_length), DRAW(algorithm.key_length)
    )


@pytest.mark.parametrize(("algorithm", "length"), [(15, 96), (30, 64)])
def test_a_cookie_gives_back_what_was_sealed(algorithm: int, length: int) -> None:
    keys = CookieKeys.new(NOW, DRAW)
    sealed = association(Algorithm(algorithm))
    cookies = {keys.seal(sealed, DRAW) for _ in range(8)}
    assert {len(cookie) for cookie in cookies} == {length}
    assert len(cookies) == 8
    assert all(keys.open(cookie) == sealed for cookie in cookies)


def test_a_cookie_holds_over_two_rotations_and_not_over_three() -> None:
    keys = CookieKeys.new(NOW, DRAW)
    sealed = association(Algorithm.SIV)
    cookie = keys.seal(sealed, DRAW)
    for rotation in range(1, 4):
        keys = keys.rotate(NOW + rotation * DAY, DRAW)
        assert keys.open(cookie) == (sealed if rotation < 3 else None)


def test_who_did_not_read_the_rotated_keys_yet_opens_their_cookies() -> None:
    old = CookieKeys.new(NOW, DRAW)
    sealed = association(Algorithm.GCM_SIV)
    assert old.open(old.rotate(NOW + DAY, DRAW).seal(sealed, DRAW)) == sealed


def test_it_is_time_to_rotate_after_a_day_or_when_time_went_back() -> None:
    keys = CookieKeys.new(NOW, DRAW)
    assert not keys.due(NOW)
    assert not keys.due(NOW + DAY - SECOND)
    assert keys.due(NOW + DAY)
    assert keys.due(NOW - SECOND)


def test_any_change_of_a_cookie_is_found() -> None:
    keys = CookieKeys.new(NOW, DRAW)
    cookie = keys.seal(association(Algorithm.GCM_SIV), DRAW)
    for at in range(len(cookie)):
        changed = bytearray(cookie)
        changed[at] ^= 1
        assert keys.open(bytes(changed)) is None


def test_the_file_gives_back_the_keys() -> None:
    keys = CookieKeys.new(NOW, DRAW).rotate(NOW + DAY, DRAW)
    cookie = keys.seal(sealed := association(Algorithm.SIV), DRAW)
    again = CookieKeys.parse(keys.text())
    assert again.open(cookie) == sealed
    assert (again.rotated, again.text()) == (NOW + DAY, keys.text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "refclock nts keys 2\n0 1\n1 " + 32 * "0",
        "refclock nts keys 1\n0 1\n",
        "refclock nts keys 1\n0 1\n2 " + 32 * "0",
        "refclock nts keys 1\nx 1\n1 " + 32 * "0",
        "refclock nts keys 1\n0 1\n1 " + 31 * "0",
        "refclock nts keys 1\n0 4294967296\n4294967296 " + 32 * "0",
    ],
)
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(CookieKeysError):
        CookieKeys.parse(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_cookie_or_none(cookie: bytes) -> None:
    assert CookieKeys.new(NOW, DRAW).open(cookie) is None
