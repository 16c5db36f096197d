#!/bin/sh
# All the set-up a fresh Debian or Raspberry Pi OS needs, then one of two things:
#   sh config/setup.sh demo [options of refclock demo]
#   sh config/setup.sh test [options of pytest]
# The packages go into .venv, or the folder that REFCLOCK_VENV names. They are fetched
# once: a second run needs no network.
set -eu
cd "$(dirname "$0")/.."
venv=${REFCLOCK_VENV:-.venv}

say() { echo "setup: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

wish=${1:-}
case $wish in
demo) what=. ;;
test) what='.[test]' ;;
*)
    echo "usage: sh config/setup.sh demo|test [options of refclock demo, or of pytest]" >&2
    exit 2
    ;;
esac
shift

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    lack="Python 3 with its module venv is missing"
    command -v apt-get >/dev/null || fail "$lack; install it and run this again"
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "$lack, and there is no sudo;" \
            "as root: apt-get update && apt-get install python3-venv"
        sudo=sudo
    fi
    say "installing the Debian package python3-venv"
    $sudo apt-get update -q
    $sudo apt-get install -q -y python3-venv
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$(python3 --version) is too old; 3.11 (Debian 12) is the oldest that will do"

# pip's script names the interpreter it was made for: another one, or none, where the
# clone was moved or copied, or Python upgraded.
healthy() {
    own=$("$venv/bin/python" -m pip --version 2>/dev/null) &&
        script=$("$venv/bin/pip" --version 2>/dev/null) && [ "$own" = "$script" ]
}
if ! healthy; then
    if [ ! -e "$venv" ]; then
        say "making a virtual environment in $venv"
    elif [ -e "$venv/pyvenv.cfg" ]; then
        say "$venv is broken or was moved; making it anew"
    else
        fail "$venv is there already and is no virtual environment;" \
            "move it away, or name another folder in REFCLOCK_VENV"
    fi
    python3 -m venv --clear "$venv"
fi

# What is installed is as it should be while this has not changed.
wanted="$(pwd -P) $("$venv/bin/python" -VV) $(cksum <pyproject.toml)"
stamp=$venv/installed-for-$wish
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "fetching and installing packages into $venv; this takes minutes on a small board"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -e "$what" ||
        fail "the packages could not be installed; the first run needs the network"
    echo "$wanted" >"$stamp"
fi

if [ "$wish" = demo ]; then
    exec "$venv/bin/refclock" demo "$@"
fi
say "ruff: style"
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check -q .
say "mypy: types (half a minute the first time)"
"$venv/bin/mypy"
say "import-linter: which room may import which"
"$venv/bin/lint-imports"
say "pytest: the tests that need no hardware, no root and no minutes"
exec "$venv/bin/pytest" -q -n auto --maxprocesses 4 \
    -o faulthandler_timeout=180 -o faulthandler_exit_on_timeout=true \
    -m "not (slow or interop or kernel or root or hardware)" "$@"
