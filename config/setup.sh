#!/bin/sh
# All the set-up a fresh Debian or Raspberry Pi OS needs, then one of these:
#   sh config/setup.sh demo [options of refclock demo]
#   sh config/setup.sh test [options of pytest]
#   sudo sh config/setup.sh install    into /opt/refclock, with its service; or upgrade
#   sudo sh config/setup.sh remove     all of that but settings and state
# For demo and test the packages go into .venv, or the folder that REFCLOCK_VENV names.
# They are fetched once: a second run needs no network.
set -eu
cd "$(dirname "$0")/.."
venv=${REFCLOCK_VENV:-.venv}
home=/opt/refclock

say() { echo "setup: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

wish=${1:-}
case $wish in
demo) what=. ;;
test) what='.[test]' ;;
install | remove)
    [ "$(id -u)" -eq 0 ] || fail "$wish is for root: sudo sh config/setup.sh $wish"
    ;;
*)
    echo "usage: sh config/setup.sh demo [options of refclock demo]" >&2
    echo "       sh config/setup.sh test [options of pytest]" >&2
    echo "       sudo sh config/setup.sh install|remove" >&2
    exit 2
    ;;
esac
shift

# Files of the service: from here, to there. Units of other time daemons get yield.conf.
service_files() {
    units=/etc/systemd/system
    echo config/systemd/refclock.service $units/refclock.service
    echo config/systemd/refclock.socket $units/refclock.socket
    echo config/systemd/refclock-wait.service $units/refclock-wait.service
    echo config/systemd/refclock.service.d/sockets.conf \
        $units/refclock.service.d/sockets.conf
    for other in chrony ntpsec ntpd-rs openntpd systemd-timesyncd; do
        echo config/systemd/yield.conf $units/$other.service.d/refclock.conf
    done
    echo config/systemd/ntp-units.list /etc/systemd/ntp-units.d/10-refclock.list
    echo config/systemd/refclock.sysusers /etc/sysusers.d/refclock.conf
    echo udev/99-refclock.rules /etc/udev/rules.d/99-refclock.rules
}

# Where systemd or udev do not run, as in a chroot, they read the files when they start.
reread() {
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    if [ -S /run/udev/control ]; then
        udevadm control --reload
        udevadm trigger
    fi
}

if [ "$wish" = remove ]; then
    if [ -d /run/systemd/system ]; then
        systemctl disable --now refclock.service refclock-wait.service || true
    fi
    service_files | while read -r _ there; do
        rm -f "$there"
        rmdir "${there%/*}" 2>/dev/null || true
    done
    rm -rf "$home"
    reread
    say "removed; /etc/refclock and /var/lib/refclock are left, and the user refclock"
    exit 0
fi

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

if [ "$wish" = install ]; then
    [ -e pyproject.toml ] || fail "there is no source here; run it in a clone"
    say "installing refclock into $home; this takes minutes on a small board"
    [ ! -e "$home" ] || [ -e "$home/pyvenv.cfg" ] || fail "$home is something else"
    python3 -m venv --clear "$home"
    "$home/bin/python" -m pip install -q --disable-pip-version-check . ||
        fail "the packages could not be installed; is there a network?"
    say "installing units, udev rules and the user refclock"
    service_files | while read -r here there; do
        install -D -m 644 "$here" "$there"
    done
    if [ ! -e /etc/refclock/refclock.toml ]; then
        mkdir -p /etc/refclock
        cat >/etc/refclock/refclock.toml <<EOF
# What differs from the defaults; nothing has to. Every setting is explained by
#   $home/bin/refclock files config/refclock.toml
# A hat's own wiring, by the name of its file in config/boards:
#board = "uputronics"
EOF
    fi
    systemd-sysusers refclock.conf
    reread
    say "installed; the settings are in /etc/refclock/refclock.toml. Next:"
    echo "  $home/bin/refclock run --check"
    echo "  sudo timedatectl set-ntp true"
    exit 0
fi

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
