"""Certificates of NTS: used by server and client, and made for a LAN of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from refclock.ntp.nts.records import ALPN
from refclock.timebase import Utc

_WARN: Final = timedelta(days=14)
_SKEW: Final = timedelta(days=1)
"""Made valid from so long ago, for clients whose clock is behind."""


class CertificateError(ValueError):
    """A certificate or key that cannot be used."""


def context(certificate: str, key: str) -> SSL.Context:
    """TLS 1.3 of a server with that certificate. CertificateError: of no use."""
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_options(SSL.OP_NO_TICKET)
    made.set_alpn_select_callback(_protocol)
    for path, load in (
        (certificate, made.use_certificate_chain_file),
        (key, made.use_privatekey_file),
    ):
        _readable(path)
        try:
            load(path)
        except SSL.Error as error:
            if "mismatch" in str(error):
                raise CertificateError("key and certificate do not match") from error
            raise CertificateError(f"{path} is no PEM file for that") from error
    return made


def check(certificate: str, now: Utc | None) -> Sequence[str]:
    """What is to be said of it; `now`: None, if the time is not known.

    CertificateError: clients cannot use it.
    """
    _readable(certificate)
    try:
        found = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    except ValueError as error:
        raise CertificateError(f"{certificate} is no certificate") from error
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        named = bool(list(names.value))
    except x509.ExtensionNotFound:
        named = False
    if not named:
        raise CertificateError(f"{certificate} names no host (subjectAltName)")
    if now is None:
        return ()
    left = found.not_valid_after_utc - datetime.fromtimestamp(now.ns / 1e9, UTC)
    if left < timedelta(0):
        return (f"the certificate ended {-left.days} days ago",)
    return (f"the certificate ends in {left.days} days",) if left < _WARN else ()


def make_ca(folder: Path, days: int) -> Path:
    """A certificate authority of one's own: `ca.pem` and `ca.key` in the folder.
    FileExistsError: there is one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "refclock NTS CA")])
    builder = _builder(name, name, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "ca.key", _pem(key), 0o600)
    _write(folder / "ca.pem", _certificate(builder, key), 0o644)
    return folder / "ca.pem"


def make_certificate(folder: Path, hosts: Sequence[str], days: int) -> Path:
    """A certificate for these names and addresses, by the authority in the folder:
    `HOST.pem` and `HOST.key` of the first. OSError: no authority, or it is there."""
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signing = serialization.load_pem_private_key(
        (folder / "ca.key").read_bytes(), password=None
    )
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{folder / 'ca.key'} is none of ours")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    builder = _builder(name, authority.subject, key.public_key(), days)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([*_names(hosts)]), critical=False
    )
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
        critical=False,
    )
    path = folder / f"{hosts[0].replace(':', '-')}.pem"
    _write(path.with_suffix(".key"), _pem(key), 0o600)
    _write(path, _certificate(builder, signing), 0o644)
    return path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
    builder = builder.serial_number(x509.random_serial_number()).public_key(key)
    builder = builder.not_valid_before(now - _SKEW)
    builder = builder.not_valid_after(now + timedelta(days=days))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return builder.add_extension(identifier, critical=False)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _names(hosts: Sequence[str]) -> Iterator[x509.GeneralName]:
    for host in hosts:
        try:
            yield x509.IPAddress(ip_address(host))
        except ValueError:
            yield x509.DNSName(host)


def _certificate(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey
) -> bytes:
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(content)


def _readable(path: str) -> None:
    """OSError, with its path, if it cannot be read."""
    with Path(path).open("rb"):
        pass


def _protocol(_: SSL.Connection, offered: list[bytes]) -> Any:  # noqa: ANN401 - bytes, or the package's own mark
    # with none in common the handshake goes on: the server ends the session after it
    return ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
