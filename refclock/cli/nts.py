"""Certificates for Network Time Security on a network of one's own."""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from typing import Final

HELP: Final = "make a certificate authority, and certificates for NTS"

_FOLDER: Final = Path("/etc/refclock/nts")
_CA_DAYS: Final = 3650
_DAYS: Final = 730


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    ca = actions.add_parser("ca", help="make an authority: ca.pem, ca.key")
    cert = actions.add_parser("cert", help="make a certificate by that authority")
    for each, days in ((ca, _CA_DAYS), (cert, _DAYS)):
        each.add_argument(
            "--folder", type=Path, default=_FOLDER, help="default: %(default)s"
        )
        each.add_argument(
            "--days", type=_days, default=days, help="valid for; default: %(default)s"
        )
    cert.add_argument(
        "host",
        nargs="*",
        default=[socket.gethostname()],
        help="names and addresses of the server; default: %(default)s",
    )


def run(args: argparse.Namespace) -> int:
    """Make it, and print what it is for. 0: made; 1: it could not be."""
    try:
        from refclock.app.keys.certificates import (  # noqa: PLC0415 - of an extra
            CertificateError,
            make_ca,
            make_certificate,
        )
    except ImportError:
        return _failed("the packages are missing: pip install 'refclock[nts]'")
    try:
        if args.action == "ca":
            print(_of_ca(make_ca(args.folder, args.days)))
        else:
            made = make_certificate(args.folder, args.host, args.days)
            print(_of_certificate(made, args.folder / "ca.pem", args.host[0]))
    except FileExistsError as error:
        return _failed(f"{error.filename} is there already; move it away first")
    except FileNotFoundError as error:
        return _failed(f"{error.filename} is missing; `refclock nts ca` makes it")
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}")
    except (CertificateError, ValueError) as error:
        return _failed(str(error))
    return 0


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 36_500):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 36500")
    return int(text)


def _failed(why: str) -> int:
    print(f"refclock nts: {why}", file=sys.stderr)
    return 1


def _of_ca(path: Path) -> str:
    return f"""{path} is what clients trust: copy it to them.
{path.with_suffix(".key")} signs certificates: keep it secret.
Next: refclock nts cert NAME-OF-THE-SERVER"""


def _of_certificate(made: Path, ca: Path, host: str) -> str:
    return f"""In the settings of refclock:
  [nts]
  certificate = "{made}"
  key = "{made.with_suffix(".key")}"

On clients, with a copy of {ca}:
  chrony (chrony.conf)
    server {host} iburst nts
    ntstrustedcerts /etc/chrony/ca.pem
  ntpd-rs (ntp.toml)
    [[source]]
    mode = "nts"
    address = "{host}"
    certificate-authority = "/etc/ntpd-rs/ca.pem"
  ntpsec (ntp.conf)
    nts ca /etc/ntpsec/ca.pem
    server {host} nts iburst"""
