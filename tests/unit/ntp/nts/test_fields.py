"""NTS in packets: both sides against each other, and against anything else."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refclock.ntp.auth import AuthFault, Opened, Proof
from refclock.ntp.extension import encode, read
from refclock.ntp.nts import fields
from refclock.ntp.nts.aead import Algorithm
from refclock.ntp.nts.cookies import Association, CookieKeys
from refclock.ntp.nts.fields import (
    AUTHENTICATOR,
    COOKIE,
    PLACEHOLDER,
    UNIQUE_ID,
    NtsClient,
    NtsServer,
)
from refclock.ntp.packet import PacketError
from refclock.timebase import Utc

DRAW = Random(8915).randbytes
KEYS = CookieKeys.new(Utc.of(2026, 11, 29), DRAW)
SERVER = NtsServer(lambda: KEYS, DRAW)
HEADER = b"\x23" + bytes(39) + b"whatever"
REPLY = b"\x24\1" + bytes(46)


def client(algorithm: Algorithm = Algorithm.SIV, cookies: int = 8) -> NtsClient:
    made = Association(
        algorithm, DRAW(algorithm.key_length), DRAW(algorithm.key_length)
    )
    return NtsClient(made, [KEYS.seal(made, DRAW) for _ in range(cookies)], DRAW)


def opened(request: bytes) -> Opened:
    found = SERVER.open(request)
    assert isinstance(found, Opened)
    assert found.proof is Proof.NTS
    return found


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("cookies", range(1, 9))
def test_a_request_is_answered_with_a_proof_and_new_cookies(
    algorithm: Algorithm, cookies: int
) -> None:
    asking = client(algorithm, cookies)
    before = set(asking.cookies)
    request = asking.request(HEADER)
    trailer = opened(request).seal(REPLY)
    assert len(trailer) == len(request) - 48
    assert asking.proves(REPLY + trailer)
    assert len(asking.cookies) >= min(cookies + 4, 8)
    assert len(set(asking.cookies)) == len(asking.cookies)
    assert len(before & set(asking.cookies)) == cookies - 1
    assert not asking.proves(REPLY + trailer)  # the same again


def test_a_client_goes_on_over_rotations() -> None:
    keys = [KEYS]
    server = NtsServer(lambda: keys[-1], DRAW)
    asking = client()
    for day in range(40):
        if day % 8 == 7:
            keys.append(keys[-1].rotate(Utc(day), DRAW))
        found = server.open(asking.request(HEADER))
        assert isinstance(found, Opened)
        assert not found.nak
        assert asking.proves(REPLY + found.seal(REPLY))


def test_any_change_of_a_request_gets_no_time() -> None:
    request = client(cookies=1).request(HEADER)
    for at in range(1, len(request)):
        changed = bytearray(request)
        changed[at] ^= 0x41
        try:
            found = SERVER.open(bytes(changed))
        except PacketError:
            continue
        assert found is None or isinstance(found, AuthFault) or found.nak


def test_any_change_of_a_reply_is_found() -> None:
    asking = client()
    request = asking.request(HEADER)
    reply = REPLY + opened(request).seal(REPLY)
    for at in range(len(reply)):
        changed = bytearray(reply)
        changed[at] ^= 0x41
        assert not asking.proves(bytes(changed))
    assert asking.proves(reply)


def test_a_cookie_of_another_server_gets_a_nak() -> None:
    other = NtsServer(lambda: CookieKeys.new(Utc(0), DRAW), DRAW)
    asking = client()
    request = asking.request(HEADER)
    found = other.open(request)
    assert isinstance(found, Opened)
    assert found.nak
    trailer = found.seal(bytes(48))
    assert trailer == request[48:84]
    nak = b"\xe4\0" + bytes(10) + b"NTSN" + bytes(32) + trailer
    assert len(nak) == 84
    assert asking.is_nak(nak)
    assert not asking.proves(nak)
    assert not asking.is_nak(nak[:48] + encode(UNIQUE_ID, bytes(32)))
    assert not asking.is_nak(nak[:47])


def parts(request: bytes) -> list[bytes]:
    return [request[each.begin : each.end] for each in read(request).fields]


WRONG: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "no identifier": lambda p: p[1:],
    "two identifiers": lambda p: [p[0], *p],
    "a short identifier": lambda p: [encode(UNIQUE_ID, bytes(28)), *p[1:]],
    "no cookie": lambda p: [p[0], *p[2:]],
    "two cookies": lambda p: [*p[:2], *p[1:]],
    "no authenticator": lambda p: p[:-1],
    "two authenticators": lambda p: [*p, p[-1]],
    "something after it": lambda p: [*p, encode(5, bytes(24))],
    "a MAC after it": lambda p: [*p, bytes(24)],
    "a longer placeholder": lambda p: [*p[:2], encode(PLACEHOLDER, bytes(100)), p[-1]],
    "many cookies": lambda p: [*p[:2], *[p[2]] * 8, p[-1]],
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_fields_in_another_order_are_malformed(
    wrong: Callable[[list[bytes]], list[bytes]],
) -> None:
    request = client(cookies=7).request(HEADER)
    assert SERVER.open(HEADER + b"".join(wrong(parts(request)))) is AuthFault.NTS


def test_an_authenticator_of_odd_lengths_proves_nothing() -> None:
    unique, cookie, *_, _last = parts(client().request(HEADER))
    for body in (
        bytes(24),
        b"\0\x10\xff\xff" + bytes(20),
        b"\xff\xff\0\x10" + bytes(20),
        b"\0\x10\0\x01" + bytes(20),
        b"\0\0\0\x10" + bytes(20),
    ):
        assert opened(HEADER + unique + cookie + encode(AUTHENTICATOR, body)).nak


@pytest.mark.parametrize("length", [16, 20, 60, 68, 92, 100, 256, 800])
def test_a_cookie_of_another_length_gets_a_nak(length: int) -> None:
    unique, _, *_, last = parts(client().request(HEADER))
    assert opened(HEADER + unique + encode(COOKIE, bytes(length)) + last).nak


def test_what_has_no_field_of_nts_is_not_its_matter() -> None:
    assert SERVER.open(HEADER + encode(5, bytes(60))) is None
    assert SERVER.open(HEADER + bytes(24)) is None
    assert SERVER.open(b"\x1b" + HEADER[1:] + bytes(36)) is None
    peer = b"\x21" + client().request(HEADER)[1:]
    assert SERVER.open(peer) is AuthFault.NTS


@given(
    st.lists(
        st.builds(
            encode,
            st.sampled_from([UNIQUE_ID, COOKIE, PLACEHOLDER, AUTHENTICATOR, 5]),
            st.binary(max_size=120),
        ),
        max_size=6,
    ).map(b"".join),
    st.binary(max_size=30),
)
@settings(max_examples=300)
def test_any_fields_get_an_answer_no_longer_than_they_are(
    fields: bytes, rest: bytes
) -> None:
    data = HEADER + fields + rest
    try:
        found = SERVER.open(data)
    except PacketError:
        return
    if isinstance(found, Opened):
        assert found.nak
        assert len(found.seal(REPLY)) <= len(data) - 48
    asking = client()
    asking.request(HEADER)
    assert not asking.proves(data)
    assert not asking.is_nak(data)


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("cookies", [1, 7, 8])
def test_the_usual_shape_is_read_as_any_other(
    algorithm: Algorithm, cookies: int
) -> None:
    """Of a client's request with up to one byte changed, by either reader."""
    request = client(algorithm, cookies).request(HEADER)
    draw = Random(cookies)
    assert fields._usual_shape(request) is not None
    for at in (0, *range(48, len(request), 2)):
        changed = bytearray(request)
        changed[at] ^= draw.choice((0, 1, 2, 4, 0x40))
        usual = fields._usual_shape(bytes(changed))
        if usual is not None:
            whole = read(bytes(changed)).fields
            assert fields._shape(bytes(changed), whole) == usual
