"""The README's steps as they are written, on fresh minimal Debian 12 and 13.

In this order: each goes on from what the one before has left.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.install.roots import CLONE, PROJECT, Root

pytestmark = [pytest.mark.slow, pytest.mark.root]

README = (PROJECT / "README.md").read_text()
LATEST = pytest.mark.parametrize("root", ["trixie"], indirect=True)
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}


def steps(chapter: str) -> str:
    """The shell commands of a chapter, without their comments."""
    text = README.split(f"\n## {chapter}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for line in "".join(blocks).splitlines()]
    return "\n".join(line.strip() for line in lines if line.strip())


def good(root: Root, script: str, *, network: bool = True) -> str:
    ended = root.run(script, network=network)
    assert ended.returncode == 0, (
        f"{script}: {ended.stdout[-3000:]}{ended.stderr[-3000:]}"
    )
    return ended.stdout + ended.stderr


def test_the_two_commands(root: Root) -> None:
    demo, test = steps("Two commands").splitlines()
    rooms = "timebase", "codec", "ntp", "engine"  # the rest takes minutes
    test += "".join(f" tests/unit/{room}" for room in rooms)
    said = good(root, f"apt-get update -q; {test}")
    assert "setup: installing the Debian package python3-venv" in said
    assert "making a virtual environment in .venv" in said
    assert re.search(r"^\d+ passed", said, re.MULTILINE), said[-500:]
    good(root, f"{demo} --duration 25 --json > /root/figures")
    end = (root.path / "root" / "figures").read_text().splitlines()[-1]
    figures = json.loads(end)
    assert figures["stratum1_after_s"] < 20
    assert figures["within_bound"] == 1.0


def test_the_second_time_needs_no_network(root: Root) -> None:
    said = good(root, "sh config/setup.sh test --version", network=False)
    assert "installing" not in said
    assert "pytest" in said


@LATEST
@pytest.mark.parametrize(
    "harm",
    [
        "rm .venv/bin/python3*",
        "rm -r .venv/lib/python3*/site-packages/pip",
        f"cp -a .venv /root/old && mv /root/old {CLONE}/moved && rm -r .venv"
        " && mv moved .venv && sed -i '1s|.*|#!/gone/bin/python|' .venv/bin/pip",
    ],
)
def test_a_broken_environment_is_made_anew(root: Root, harm: str) -> None:
    said = good(root, f"{harm}; sh config/setup.sh demo --help")
    assert ".venv is broken or was moved; making it anew" in said
    assert "usage: refclock demo" in said


@LATEST
def test_a_moved_clone_runs_its_own_code(root: Root) -> None:
    said = good(
        root,
        f"cp -a {CLONE} /root/other; cd /root/other; sh config/setup.sh demo --help;"
        ".venv/bin/python -c 'import refclock; print(refclock.__file__)'",
    )
    assert "making it anew" in said
    assert "/root/other/refclock/__init__.py" in said


@LATEST
def test_what_is_no_environment_is_left_alone(root: Root) -> None:
    ended = root.run(
        "mkdir -p /root/mine; REFCLOCK_VENV=/root/mine sh config/setup.sh demo"
    )
    assert ended.returncode == 1
    assert "/root/mine is there already and is no virtual environment" in ended.stderr


def test_without_sudo_it_says_what_to_do(root: Root) -> None:
    without = (
        "apt-get remove -q -y python3-venv 'python3.*-venv' >/dev/null;"
        "chmod 755 /root; mv /usr/bin/sudo /root/sudo;"
        "su nobody -s /bin/sh -c 'sh config/setup.sh demo'; code=$?;"
        "mv /root/sudo /usr/bin/sudo; exit $code"
    )
    ended = root.run(without)
    assert ended.returncode == 1
    assert "there is no sudo; as root: apt-get update" in ended.stderr


def test_it_is_installed_by_the_steps_upgraded_and_removed(root: Root) -> None:
    install = next(
        line for line in steps("Ten minutes on a Pi").splitlines() if "install" in line
    )
    good(root, install)
    for command in ("demo --help", "--version"):
        good(root, f"cd /; /opt/refclock/bin/refclock {command}")
    board = 'shipped("config", "boards", "uputronics.toml").read_text()'
    show = f"from refclock.shipped import shipped; print({board})"
    assert "[receiver]" in good(root, f"cd /; /opt/refclock/bin/python -c '{show}'")
    # an upgrade: own settings stay, modules that are no more go
    packages = "/opt/refclock/lib/python3*/site-packages/refclock"
    good(root, "echo '# mine' >> /etc/refclock/refclock.toml; echo > refclock/gone.py")
    good(root, install)
    good(root, f"ls {packages}/gone.py; rm refclock/gone.py")
    good(root, f"{install}; ! ls {packages}/gone.py")
    good(root, "tail -n 1 /etc/refclock/refclock.toml | grep mine")
    assert not (root.path / CLONE.lstrip("/") / "build").exists()
    good(root, "sh config/setup.sh remove")
    left = good(root, "find /etc /opt /usr/lib -name '*refclock*'")
    assert left.split() == ["/etc/refclock", "/etc/refclock/refclock.toml"]


def test_python_is_the_one_of_the_release(root: Root) -> None:
    version = PYTHON[root.release()]
    assert good(root, "python3 --version").startswith(f"Python {version}.")
