"""The way back to NMEA from each protocol that a receiver may be left in."""

from __future__ import annotations

from typing import Final

_CONFIGURE: Final = "receiver.configure = true sends it back to NMEA"
_WAYS: Final = {
    "UBX": "NAV-PVT, NAV-TIMEUTC or NAV-TIMEGPS tell the time; receiver.configure ="
    " true has it send NMEA, too",
    "CASIC": "NAV-TIMEUTC tells the time; receiver.configure = true has it send NMEA",
    "SiRF": f"{_CONFIGURE} (message 129)",
    "SkyTraq": f"{_CONFIGURE} (message 9)",
    "Allystar": f"{_CONFIGURE} (CFG-MSG)",
    "Unicore": f"{_CONFIGURE} (GPRMC 1)",
    "NovAtel": f"{_CONFIGURE} (LOG GPRMC ONTIME 1)",
    "SBF": f"{_CONFIGURE} (setNMEAOutput)",
    "TSIP": "Trimble's tools set its port to NMEA (packet 0xBC), where it has NMEA",
    "Garmin": "SNSRXCFG sets its port to NMEA",
    "Oncore": "@@Ci sets its port to NMEA, where it has NMEA",
    "RTCM3": "these are corrections, which name no time: have it send RMC, too",
    "gpsd": "stop gpsd (gpsd.socket, too) and name the receiver's own device",
}


def way_back(protocol: str) -> str:
    """What to do about a receiver that speaks `protocol`, a name of `gnss.frames`."""
    return _WAYS.get(protocol, "set it to NMEA, with RMC")
