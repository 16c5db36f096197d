"""The hardware clock of a network interface."""

from __future__ import annotations

import ctypes
import struct

import pytest

from hw.abi.interface import device_of


def test_an_interface_without_a_hardware_clock_is_told() -> None:
    with pytest.raises(OSError, match=r"no hardware clock|not supported"):
        device_of("lo")


def test_an_interface_s_clock_is_found_by_its_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ethtool(_socket: object, request: int, ifreq: bytes) -> int:
        name, address = struct.unpack("16sP16x", ifreq)
        assert (request, name.rstrip(b"\0")) == (0x8946, b"eth7")
        info = (ctypes.c_uint8 * 44).from_address(address)
        assert struct.unpack_from("=I", info) == (0x41,)
        struct.pack_into("=i", info, 8, 3)
        return 0

    monkeypatch.setattr("fcntl.ioctl", ethtool)
    assert device_of("eth7") == "/dev/ptp3"
