#!/bin/sh
# All the set-up a fresh Debian or Raspberry Pi OS needs, then one of two things:
#   sh config/setup.sh demo [options of refclock demo]
#   sh config/setup.sh test [options of pytest]
set -eu
cd "$(dirname "$0")/.."
venv=${REFCLOCK_VENV:-.venv}

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    sudo=sudo
    [ "$(id -u)" -ne 0 ] || sudo=
    $sudo apt-get update -q
    $sudo apt-get install -q -y python3-venv
fi
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"

wish=${1:-}
[ $# -eq 0 ] || shift
case $wish in
demo)
    "$venv/bin/pip" install -q -e .
    exec "$venv/bin/refclock" demo "$@"
    ;;
test)
    "$venv/bin/pip" install -q -e '.[test]'
    "$venv/bin/ruff" check .
    "$venv/bin/ruff" format --check -q .
    "$venv/bin/mypy"
    "$venv/bin/lint-imports"
    [ $# -gt 0 ] || set -- -m "not (slow or interop or kernel or hardware)"
    exec "$venv/bin/pytest" -q "$@"
    ;;
*)
    echo "say: sh config/setup.sh demo, or: sh config/setup.sh test" >&2
    exit 2
    ;;
esac
