"""NTS in NTP packets, the server's side and the client's: RFC 8915 section 5.

    unique identifier | cookie | placeholders … | authenticator      (request)
    unique identifier | authenticator, with as many cookies in it    (reply)

The authenticator proves all that stands before it. A reply is as long as its request
or shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Final, NamedTuple

from refclock.ntp.auth import AuthFault, Opened, Proof
from refclock.ntp.extension import Field, encode, read
from refclock.ntp.nts.aead import TAG_LENGTH, Cipher, cipher
from refclock.ntp.nts.cookies import Association, CookieKeys, Draw
from refclock.ntp.packet import HEADER_LENGTH, PacketError

UNIQUE_ID, COOKIE, PLACEHOLDER, AUTHENTICATOR = 0x0104, 0x0204, 0x0304, 0x0404
_KINDS: Final = frozenset({UNIQUE_ID, COOKIE, PLACEHOLDER, AUTHENTICATOR})
UNIQUE_ID_LENGTH: Final = 32
MOST_COOKIES: Final = 8
_MOST_REQUEST: Final = 864
"""Bytes of fields in a request of ours, as chrony's."""
_COOKIE_LENGTHS: Final = range(16, 257, 4)
_LENGTHS: Final = Struct(">HH")
_USUAL: Final = Struct(">48xHH32xHH")
"""Kind and length of a unique identifier of 32 bytes and of the cookie behind it."""
_COOKIE_AT: Final = _USUAL.size - 4
_COOKIE_STEPS: Final = frozenset({68, 100})
"""Bytes of a field with a cookie of ours."""
_PROOF_LENGTHS: Final = frozenset({36, 40})
"""Of an authenticator that hides nothing, with a nonce of 12 or 16 bytes."""
_SEALED_OVERHEAD: Final = 2 * _LENGTHS.size + TAG_LENGTH
"""Bytes of an authenticator besides its nonce and the cookies in it."""
_CLIENT_4: Final = 4 << 3 | 3


class NtsServer:
    """Opens requests with a cookie of ours. Used by one thread."""

    def __init__(self, keys: Callable[[], CookieKeys], draw: Draw) -> None:
        """`keys`: those in force now."""
        self._keys = keys
        self._draw = draw

    def open(self, request: bytes) -> Opened | AuthFault | None:
        """As `Authenticator` has it: a cookie or a proof that is not good gets a NAK,
        fields in another order than ours are malformed."""
        if request[0] >> 3 & 7 != 4 or len(request) < HEADER_LENGTH + 28:
            return None
        found = _usual_shape(request)
        if found is None:
            fields = read(request).fields
            if not any(field.kind in _KINDS for field in fields):
                return None
            found = _shape(request, fields)
            if found is None:
                return AuthFault.NTS
        identifier = found.identifier
        keys = self._keys()
        association = keys.open(found.cookie)
        if association is not None:
            c2s = cipher(association.algorithm, association.c2s)
            if _opened(c2s, found.authenticator, request) is not None:
                return self._answered(
                    len(request), identifier, association, found.wished, keys
                )
        return Opened(Proof.NTS, lambda _: identifier, nak=True)

    def _answered(
        self,
        length: int,
        identifier: bytes,
        association: Association,
        count: int,
        keys: CookieKeys,
    ) -> Opened:
        """All that does not depend on the reply's header is made here.

        `length`: of the request; a cookie that would make the reply longer is left out.
        """
        draw, algorithm = self._draw, association.algorithm
        nonce = draw(algorithm.nonce_length)
        s2c = cipher(algorithm, association.s2c)
        room = length - HEADER_LENGTH - len(identifier) - _SEALED_OVERHEAD - len(nonce)
        cookie = encode(COOKIE, keys.seal(association, draw))
        cookies = [cookie] * min(count, room // len(cookie))
        for place in range(1, len(cookies)):
            cookies[place] = encode(COOKIE, keys.seal(association, draw))
        plain = b"".join(cookies)

        def seal(header: bytes) -> bytes:
            sealed = s2c.seal(nonce, plain, header + identifier)
            return identifier + _authenticator(nonce, sealed)

        return Opened(Proof.NTS, seal)


class NtsClient:
    """The client's side of an association. Used by one thread."""

    def __init__(
        self, association: Association, cookies: Sequence[bytes], draw: Draw
    ) -> None:
        """As the key exchange gave them."""
        self._association = association
        self.cookies = list(cookies)[:MOST_COOKIES]
        self._draw = draw
        self._unique = b""

    def request(self, header: bytes) -> bytes:
        """The whole request, with one of the cookies, which is used up, and a
        placeholder for each of those missing. IndexError: there is no cookie left."""
        cookie = self.cookies.pop(0)
        self._unique = encode(UNIQUE_ID, self._draw(UNIQUE_ID_LENGTH))
        placeholder = encode(PLACEHOLDER, bytes(len(cookie)))
        missing = MOST_COOKIES - 1 - len(self.cookies)
        missing = min(missing, (_MOST_REQUEST - len(cookie) - 100) // len(placeholder))
        data = header + self._unique + encode(COOKIE, cookie) + placeholder * missing
        algorithm = self._association.algorithm
        nonce = self._draw(algorithm.nonce_length)
        c2s = cipher(algorithm, self._association.c2s)
        return data + _authenticator(nonce, c2s.seal(nonce, b"", data))

    def proves(self, reply: bytes) -> bool:
        """Is it the true answer to the last request? Its cookies are kept then."""
        fields = self._fields(reply)
        if not fields or fields[-1].kind != AUTHENTICATOR:
            return False
        s2c = cipher(self._association.algorithm, self._association.s2c)
        plain = _opened(s2c, fields[-1], reply)
        if plain is None:
            return False
        self._unique = b""
        self.cookies += _cookies_in(plain)
        del self.cookies[MOST_COOKIES:]
        return True

    def is_nak(self, reply: bytes) -> bool:
        """Says the server, or who saw our request, that it could not open the cookie?
        Nothing proves that."""
        return (
            len(reply) >= HEADER_LENGTH
            and reply[1] == 0
            and reply[12:16] == b"NTSN"
            and bool(self._fields(reply))
        )

    def _fields(self, reply: bytes) -> Sequence[Field]:
        """Of a reply with our unique identifier; else none."""
        try:
            fields = read(reply).fields
        except PacketError:
            return ()
        unique = [field for field in fields if field.kind == UNIQUE_ID]
        if len(unique) != 1 or not self._unique or unique[0].body != self._unique[4:]:
            return ()
        return fields


class _Shape(NamedTuple):
    """A request's fields, as section 5.7 has them."""

    identifier: bytes
    """The whole field."""
    cookie: bytes
    wished: int
    """Cookies."""
    authenticator: Field


def _usual_shape(request: bytes) -> _Shape | None:
    """As `_shape`, for the order and the lengths that clients use; None: others."""
    if len(request) < _USUAL.size or request[0] & 63 != _CLIENT_4:
        return None
    *identifier, cookie, step = _USUAL.unpack_from(request)
    if identifier != [UNIQUE_ID, 36] or cookie != COOKIE or step not in _COOKIE_STEPS:
        return None
    wished, last = divmod(len(request) - _COOKIE_AT, step)
    at = len(request) - last
    begins = range(_COOKIE_AT + step, at, step)
    if (
        not 1 <= wished <= MOST_COOKIES
        or last not in _PROOF_LENGTHS
        or request[at : at + 4] != _LENGTHS.pack(AUTHENTICATOR, last)
        or (begins and _heads(request, begins) != {_LENGTHS.pack(PLACEHOLDER, step)})
    ):
        return None
    return _Shape(
        request[HEADER_LENGTH:_COOKIE_AT],
        request[_COOKIE_AT + 4 : _COOKIE_AT + step],
        wished,
        Field(AUTHENTICATOR, at, request[at + 4 :]),
    )


def _heads(request: bytes, begins: Iterable[int]) -> set[bytes]:
    """Kinds and lengths of the fields that begin there."""
    return {request[begin : begin + 4] for begin in begins}


def _shape(request: bytes, fields: Sequence[Field]) -> _Shape | None:
    """None: the fields are not as section 5.7 has them."""
    by_kind: dict[int, list[Field]] = {kind: [] for kind in _KINDS}
    for field in fields:
        by_kind.setdefault(field.kind, []).append(field)
    unique, cookies = by_kind[UNIQUE_ID], by_kind[COOKIE]
    if (
        request[0] & 63 != _CLIENT_4
        or len(unique) != 1
        or len(cookies) != 1
        or len(by_kind[AUTHENTICATOR]) != 1
        or fields[-1].kind != AUTHENTICATOR
        or fields[-1].end != len(request)
        or len(unique[0].body) < UNIQUE_ID_LENGTH
    ):
        return None
    length = len(cookies[0].body)
    placeholders = by_kind[PLACEHOLDER]
    if any(len(each.body) != length for each in placeholders):
        return None
    if len(placeholders) >= MOST_COOKIES:
        return None
    identifier = request[unique[0].begin : unique[0].end]
    return _Shape(identifier, cookies[0].body, 1 + len(placeholders), fields[-1])


def _opened(key: Cipher, field: Field, packet: bytes) -> bytes | None:
    """What the authenticator hides; None: it proves nothing."""
    body = field.body
    nonce_length, length = _LENGTHS.unpack_from(body)
    begin = _LENGTHS.size + nonce_length + -nonce_length % 4
    if begin + length > len(body):
        return None
    nonce = body[_LENGTHS.size : _LENGTHS.size + nonce_length]
    return key.open(nonce, body[begin : begin + length], packet[: field.begin])


def _authenticator(nonce: bytes, sealed: bytes) -> bytes:
    body = _LENGTHS.pack(len(nonce), len(sealed))
    body += nonce + bytes(-len(nonce) % 4) + sealed
    return encode(AUTHENTICATOR, body)


def _cookies_in(plain: bytes) -> Sequence[bytes]:
    """The cookies in what an authenticator hid; anything else is skipped."""
    try:
        fields = read(bytes([_CLIENT_4]) + bytes(47) + plain).fields
    except PacketError:
        return ()
    return [
        field.body
        for field in fields
        if field.kind == COOKIE and len(field.body) in _COOKIE_LENGTHS
    ]
