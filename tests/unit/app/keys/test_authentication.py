"""Key files as the daemon reads them."""

import logging
from pathlib import Path

import pytest

from refclock.app.keys.authentication import Authentication
from refclock.ntp.auth import AuthFault, Opened
from refclock.ntp.mac import KeysSettings, key

PACKET = b"\x23" + bytes(47)
SIGNED = PACKET + key(1, "SHA1", b"0123456789").mac(PACKET, 4)


def test_without_a_file_nothing_is_authenticated() -> None:
    assert Authentication(KeysSettings()).authenticators() == []


def test_the_file_is_read_and_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("1 SHA1 0123456789")
    authentication = Authentication(KeysSettings(str(file)))
    (keys,) = authentication.authenticators()
    assert isinstance(keys.open(SIGNED), Opened)
    file.write_text("1 SHA1 another-secret")
    authentication.reload()
    assert keys.open(SIGNED) is AuthFault.BAD_MAC
    file.unlink()
    with pytest.raises(FileNotFoundError):
        authentication.reload()
    assert keys.open(SIGNED) is AuthFault.BAD_MAC


def test_what_is_wrong_with_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"7 AES128 HEX:00\n1 SHA1 0123456789\n\xff\xfe")
    for mode, open_to_all in ((0o640, False), (0o644, True)):
        file.chmod(mode)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            Authentication(KeysSettings(str(file)))
        assert "keys: line 1: AES128 needs 16 bytes, not 1" in caplog.messages
        said = f"keys: others can read {file}; chmod o-rwx {file}" in caplog.messages
        assert said is open_to_all


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Authentication(KeysSettings(str(tmp_path / "none")))
