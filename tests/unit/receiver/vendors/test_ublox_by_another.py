"""Our frames to u-blox receivers, read by another's decoder: names, not bytes."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest

from refclock.gnss.framer import Binary
from refclock.receiver.profile import profile
from refclock.receiver.setting import Vendor
from refclock.receiver.vendors import ublox
from refclock.timebase import Mono

pyubx2 = pytest.importorskip("pyubx2")


def made(
    version: bytes,
    speed: int | None = 9600,
    heard: frozenset[str] = frozenset({"RMC"}),
) -> Vendor:
    told = pack("30s10s30s", b"EXT CORE", b"00190000", version)
    frame = Binary("UBX", 0x0A, 0x04, told, Mono(0), 0)
    maker = ublox.recognise(frame, profile(speed), heard)
    assert maker is not None
    return maker


def parsed(command: bytes, mode: int) -> Any:  # noqa: ANN401 - not ours to type
    return pyubx2.UBXReader.parse(command, msgmode=mode)


def set_by(maker: Vendor) -> dict[str, int]:
    """All keys and their values, by u-blox's names."""
    values: dict[str, int] = {}
    for setting in maker.settings:
        message = parsed(setting.wanted(b""), pyubx2.SET)
        assert (message.identity, message.ram) == ("CFG-VALSET", 1)
        assert (message.bbr, message.flash) == (0, 0)
        values |= {n: v for n, v in vars(message).items() if n.startswith("CFG_")}
    return values


def test_keys_mean_what_we_mean() -> None:
    values = set_by(made(b"PROTVER=29.20"))
    rates = {n: v for n, v in values.items() if n.startswith("CFG_MSGOUT")}
    assert {n.removeprefix("CFG_MSGOUT_").removesuffix("_UART1"): v
            for n, v in rates.items()} == {
        "NMEA_ID_RMC": 1, "NMEA_ID_GGA": 1, "NMEA_ID_ZDA": 1, "NMEA_ID_GSA": 5,
        "NMEA_ID_GSV": 5, "NMEA_ID_GLL": 0, "NMEA_ID_VTG": 0,
        "UBX_NAV_TIMEUTC": 1, "UBX_NAV_TIMELS": 1, "UBX_TIM_TP": 1,
        "UBX_NAV_STATUS": 5, "UBX_MON_HW": 5, "UBX_MON_RF": 5, "UBX_SEC_SIG": 5,
    }  # fmt: skip
    assert {n: v for n, v in values.items() if n not in rates} == {
        "CFG_RATE_MEAS": 1000, "CFG_RATE_NAV": 1, "CFG_RATE_TIMEREF": 0,
        "CFG_TP_PERIOD_TP1": 1_000_000, "CFG_TP_PERIOD_LOCK_TP1": 1_000_000,
        "CFG_TP_LEN_TP1": 0, "CFG_TP_LEN_LOCK_TP1": 100_000, "CFG_TP_TP1_ENA": 1,
        "CFG_TP_SYNC_GNSS_TP1": 1, "CFG_TP_USE_LOCKED_TP1": 1, "CFG_TP_PULSE_DEF": 0,
        "CFG_TP_PULSE_LENGTH_DEF": 1, "CFG_TP_ALIGN_TO_TOW_TP1": 1,
        "CFG_TP_TIMEGRID_TP1": 0, "CFG_NAVSPG_DYNMODEL": 2, "CFG_TMODE_MODE": 1,
        "CFG_TMODE_SVIN_MIN_DUR": 3600, "CFG_TMODE_SVIN_ACC_LIMIT": 50_000,
    }  # fmt: skip


def test_without_a_uart_both_other_ports_are_meant() -> None:
    rates = {n for n in set_by(made(b"PROTVER=29.20", None)) if "MSGOUT" in n}
    assert {name.rsplit("_", 1)[1] for name in rates} == {"USB", "I2C"}
    assert len(rates) == 28


@pytest.mark.parametrize(
    ("name", "identity", "about"),
    [
        ("GSV", "CFG-MSG", "GSV"),
        ("NAV-TIMELS", "CFG-MSG", "NAV-TIMELS"),
        ("TIM-TP", "CFG-MSG", "TIM-TP"),
        ("MON-HW", "CFG-MSG", "MON-HW"),
        ("SEC-SIG", "CFG-MSG", "SEC-SIG"),
        ("fixes", "CFG-RATE", ""),
        ("pulse", "CFG-TP5", ""),
        ("model", "CFG-NAV5", ""),
        ("position", "CFG-TMODE2", ""),
    ],
)
def test_messages_ask_what_we_mean(name: str, identity: str, about: str) -> None:
    (setting,) = [x for x in made(b"PROTVER=18.00").settings if x.name == name]
    message = parsed(setting.query, pyubx2.POLL)
    assert message.identity == identity
    assert about in str(message)


def test_the_pulse_s_flags_are_read_as_we_set_them() -> None:
    (pulse,) = [x for x in made(b"PROTVER=18.00").settings if x.name == "pulse"]
    answer = pack("<BBHhhIIIIiI", 0, 1, 0, 50, 0, 2, 3, 4, 5, -7, 0x088)
    current = pulse.current(Binary("UBX", 0x06, 0x31, answer, Mono(0), 0))
    assert current is not None
    told = parsed(pulse.wanted(current), pyubx2.SET)
    assert (told.active, told.lockGnssFreq, told.lockedOtherSet) == (1, 1, 1)
    assert (told.isFreq, told.isLength, told.alignToTow) == (0, 1, 1)
    assert (told.polarity, told.gridUtcGnss) == (0, 0)
    assert (told.freqPeriod, told.freqPeriodLock) == (1_000_000, 1_000_000)
    assert (told.pulseLenRatio, told.pulseLenRatioLock) == (0, 100_000)
    assert (told.antCableDelay, told.userConfigDelay) == (50, -7)


def test_the_keys_of_a_port_are_those_of_its_output() -> None:
    maker = made(b"PROTVER=29.20", heard=frozenset())
    message = parsed(maker.settings[0].wanted(b""), pyubx2.SET)
    sent = {n: v for n, v in vars(message).items() if n.startswith("CFG_")}
    assert sent == {"CFG_UART1OUTPROT_UBX": 1, "CFG_UART1OUTPROT_NMEA": 1}
    usb, i2c = made(b"PROTVER=29.20", None, frozenset()).settings[:2]
    assert "CFG_USBOUTPROT_NMEA" in vars(parsed(usb.wanted(b""), pyubx2.SET))
    assert "CFG_I2COUTPROT_NMEA" in vars(parsed(i2c.wanted(b""), pyubx2.SET))
