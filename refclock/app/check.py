"""Settings against the machine: devices, paths, the leap table.

For `refclock run --check`. While the service runs, a missing device is no fault: it is
waited for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from refclock.app.compose import leap_table
from refclock.board.wiring import PulseSource, RtcSource, ThermometerSource
from refclock.config import Config, ConfigError, Key, load, places
from refclock.daemon.control import LONGEST_PATH
from refclock.daemon.supervise import plain
from refclock.shipped import shipped
from refclock.timebase import LeapTable, LeapTableError

THERMAL: Final = Path("/sys/class/thermal")
NETWORK: Final = Path("/sys/class/net")


def settings(path: Path) -> tuple[Config, LeapTable]:
    """The settings at `path` and the leap table they name. ConfigError: every fault,
    a line each, with its file."""
    try:
        config = load(path)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; copy {shipped('config', 'refclock.toml')} there,"
            " or name another with --config"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{_with(error, path)}; name a file that can be read with --config"
        ) from error
    file = Path(config.leap.file)
    try:
        return config, leap_table(config.leap.file)
    except OSError as error:
        message = f"{_with(error, file)}; without the key the packaged table is used"
    except LeapTableError as error:
        message = f"{file}: {error}; without the key the packaged table is used"
    raise ConfigError(places(path).fault(("leap", "file"), message))


def check(path: Path) -> None:
    """ConfigError: every fault of the settings at `path`, and of what they name."""
    config, _ = settings(path)
    found = list(faults(config))
    if found:
        at = places(path)
        raise ConfigError("\n".join(at.fault(key, message) for key, message in found))


def faults(config: Config) -> Iterator[tuple[Key, str]]:
    """What this machine has not, or cannot do, of what the settings name."""
    yield from _devices(config)
    yield from _upstreams(config)
    yield from _socket(Path(config.control.socket))
    yield from _state(Path(config.state.file))
    if config.control.socket == config.state.file:
        yield ("state", "file"), "is the path of control.socket, too"


def _devices(config: Config) -> Iterator[tuple[Key, str]]:
    if config.receiver.device not in {"auto", "none"}:
        yield from _device(("receiver", "device"), config.receiver.device)
    pulse = config.pulse
    if pulse.device != "auto" and pulse.source in {
        PulseSource.KERNEL,
        PulseSource.SERIAL,
        PulseSource.PHC,
    }:
        interface = pulse.source is PulseSource.PHC and "/" not in pulse.device
        if not interface:
            yield from _device(("pulse", "device"), pulse.device)
        elif not (NETWORK / pulse.device).exists():
            yield ("pulse", "device"), f"no network interface {pulse.device!r} here"
    if pulse.source is PulseSource.GPIO and pulse.chip.startswith("/"):
        yield from _device(("pulse", "chip"), pulse.chip)
    rtc = config.rtc
    if rtc.source is RtcSource.KERNEL and rtc.device != "auto":
        yield from _device(("rtc", "device"), rtc.device)
    if rtc.source is RtcSource.I2C:
        yield from _device(("rtc", "bus"), f"/dev/i2c-{rtc.bus}")
    zone = config.thermometer.zone
    if config.thermometer.source is ThermometerSource.THERMAL and zone != "auto":
        known = sorted(_zones())
        if zone not in known:
            names = ", ".join(known) or "none"
            yield ("thermometer", "zone"), f"no zone {zone!r} here; there is {names}"


def _upstreams(config: Config) -> Iterator[tuple[Key, str]]:
    for number, each in enumerate(config.upstream, 1):
        if each.key and not config.keys.file:
            yield ("upstream", number, "key"), "it takes a file of keys: keys.file"
        if each.nts and find_spec("OpenSSL") is None:
            missing = "its packages are missing: pip install 'refclock[nts]'"
            yield ("upstream", number, "nts"), missing
        if each.authority and not Path(each.authority).is_file():
            key = "upstream", number, "authority"
            yield key, f"{each.authority} is not there, or no file"


def _device(key: Key, name: str) -> Iterator[tuple[Key, str]]:
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        yield key, f"{name}: {error.strerror}; is it plugged in, and its driver loaded?"
    except ValueError:
        yield key, f"{name!r} is no path"
    else:
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            yield key, f"{name} is no device"


def _zones() -> Iterator[str]:
    for zone in THERMAL.glob("*/type"):
        yield zone.read_text(errors="replace").strip()


def _socket(path: Path) -> Iterator[tuple[Key, str]]:
    key = ("control", "socket")
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        yield key, f"{length} bytes; a socket's path has at most {LONGEST_PATH}"
    elif not path.is_absolute():
        yield key, f"{path} depends on where the service is started; begin it with /"
    elif path.exists() and not path.is_socket():
        yield key, f"{path} is there and is no socket; it would be left alone"
    else:
        yield from _folder(key, path)


def _state(path: Path) -> Iterator[tuple[Key, str]]:
    key = ("state", "file")
    if not path.is_absolute():
        yield key, f"{path} depends on where the service is started; begin it with /"
    elif path.is_dir():
        yield key, f"{path} is a folder; name a file, as {path / 'state.json'}"
    elif path.exists() and not path.is_file():
        yield key, f"{path} is no plain file"
    else:
        yield from _folder(key, path)


def _folder(key: Key, path: Path) -> Iterator[tuple[Key, str]]:
    """The nearest folder above that is there must be one."""
    above = next((each for each in path.parents if each.exists()), Path("/"))
    if not above.is_dir():
        yield key, f"{above} is no folder"


def _with(error: OSError, path: Path) -> str:
    return plain(error) if error.filename else f"{path}: {plain(error)}"
