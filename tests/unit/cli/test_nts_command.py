"""`refclock nts`: an authority and certificates, and what is printed of them."""

from pathlib import Path

import pytest

from refclock.app.keys.certificates import check, context
from refclock.cli import main


def test_an_authority_and_a_certificate_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--folder", str(tmp_path)]
    assert main(["nts", "ca", *folder]) == 0
    assert main(["nts", "cert", "ntp.lan", "192.168.1.9", *folder]) == 0
    said = capsys.readouterr().out
    certificate, key = tmp_path / "ntp.lan.pem", tmp_path / "ntp.lan.key"
    context(str(certificate), str(key))
    assert check(str(certificate), None) == ()
    for line in (
        f'  certificate = "{certificate}"',
        "    server ntp.lan iburst nts",
        '    address = "ntp.lan"',
        "    server ntp.lan nts iburst",
    ):
        assert line in said.splitlines()


def test_what_cannot_be_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--folder", str(tmp_path)]
    assert main(["nts", "cert", "ntp.lan", *folder]) == 1
    assert "`refclock nts ca` makes it" in capsys.readouterr().err
    assert main(["nts", "ca", *folder]) == 0
    assert main(["nts", "ca", *folder]) == 1
    assert "ca.key is there already" in capsys.readouterr().err
    assert main(["nts", "cert", "bücher.example", *folder]) == 1
    assert main(["nts", "ca", "--folder", "/proc/none"]) == 1
    for days in ("0", "x", "40000"):
        with pytest.raises(SystemExit):
            main(["nts", "ca", "--days", days])
