"""Debian's packages, fetched by apt and unpacked in a folder; none is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_LIMIT_S: Final = 200


class MissingError(Exception):
    """What a test needs cannot be had here, and why."""


def call(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit_s: float = _LIMIT_S,
) -> str:
    """What it prints. MissingError: it failed, with its own last words."""
    try:
        return subprocess.run(  # noqa: S603 - our own commands
            command,
            env=env,
            cwd=cwd,
            check=True,
            capture_output=True,
            text=True,
            timeout=limit_s,
        ).stdout
    except FileNotFoundError as error:
        raise MissingError(f"there is no {command[0]} here") from error
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{command[0]} took over {limit_s} s") from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-3:]
        raise MissingError(f"{' '.join(command[:3])}: {' '.join(last)}") from error


def apt(*options: str) -> Sequence[str]:
    """Its flags for `options`, where it may be run by anybody."""
    told = "APT::Sandbox::User=root", *options
    return [word for option in told for word in ("-o", option)]


def unpacked_here(
    names: Sequence[str], into: Path, env: Mapping[str, str] | None = None
) -> None:
    """Programs for this machine, with what they lack, unpacked instead of installed."""
    fetched = into / "fetched"
    (fetched / "partial").mkdir(parents=True, exist_ok=True)
    flags = apt(f"Dir::Cache::archives={fetched}", "Debug::NoLocking=1")
    command = ["apt-get", "-q", "-y", "install", "--no-install-recommends"]
    call([*command, "--download-only", *flags, *names], env)
    for package in fetched.glob("*.deb"):
        unpack(package, into)
    shutil.rmtree(fetched)


def unpack(package: Path, into: Path) -> None:
    """All files of a package."""
    call(["dpkg-deb", "-x", str(package), str(into)])


def mirrors() -> tuple[str, str | None]:
    """Where this machine's apt has Debian from, and its security updates; None: it has
    none of these.

    MissingError: it has no Debian.
    """
    form = "$(CODENAME) $(REPO_URI)"
    told = call(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    suites = {at: suite for suite, at in map(str.split, told.splitlines())}
    secure = next((at for at in suites if suites[at].endswith("-security")), None)
    main = next((at for at in suites if at != secure), None)
    if main is None:
        raise MissingError("apt of this machine knows no mirror of Debian")
    return main, secure
