"""The kernel's own thermometers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hw.linux.sensors import (
    hwmon,
    zone,
    zones,
)


@pytest.fixture
def thermal(tmp_path: Path) -> Path:
    for number, (kind, temp) in enumerate([("gpu", "40000"), ("cpu-thermal", "51250")]):
        entry = tmp_path / f"thermal_zone{number}"
        entry.mkdir()
        (entry / "type").write_text(f"{kind}\n")
        (entry / "temp").write_text(f"{temp}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "celsius"),
    [("auto", "cpu-thermal", 51.25), ("gpu", "gpu", 40.0)],
)
def test_a_thermal_zone_by_type(
    thermal: Path, kind: str, name: str, celsius: float
) -> None:
    sensor = zone(kind, thermal)
    assert (sensor.name, sensor.celsius()) == (name, celsius)
    sensor.close()


def test_without_a_processor_s_the_first_zone_will_do(thermal: Path) -> None:
    (thermal / "thermal_zone1" / "type").write_text("gpu\n")
    sensor = zone("auto", thermal)
    assert (sensor.name, sensor.celsius()) == ("gpu", 40.0)


@pytest.mark.parametrize("find", [zone, hwmon])
def test_a_missing_sensor_is_told(
    find: Callable[[str, Path], object], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="lm75"):
        find("lm75", tmp_path)


def test_a_sensor_that_goes_is_an_os_error(thermal: Path) -> None:
    sensor = zone("auto", thermal)
    (thermal / "thermal_zone1" / "temp").unlink()
    with pytest.raises(OSError, match=r"no such device.*thermometer.zone"):
        sensor.celsius()


def test_a_chip_s_thermometer_by_the_driver_s_name(tmp_path: Path) -> None:
    for number, kind in enumerate(["cpu_thermal", "ds3231"]):
        entry = tmp_path / f"hwmon{number}"
        entry.mkdir()
        (entry / "name").write_text(f"{kind}\n")
        (entry / "temp1_input").write_text(f"{number}5250\n")
    sensor = hwmon("ds3231", tmp_path)
    assert (sensor.name, sensor.celsius()) == ("ds3231", 15.25)


@pytest.mark.parametrize("words", ["", "hot\n"])
def test_a_sensor_that_shows_no_number_is_an_os_error(
    thermal: Path, words: str
) -> None:
    sensor = zone("auto", thermal)
    (thermal / "thermal_zone1" / "temp").write_text(words)
    with pytest.raises(OSError, match=r"does not answer.*thermometer.zone"):
        sensor.celsius()


def test_a_zone_that_goes_while_we_look_is_passed_over(thermal: Path) -> None:
    (thermal / "thermal_zone0" / "type").unlink()
    assert list(zones(thermal)) == ["cpu-thermal"]
