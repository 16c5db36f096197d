"""MediaTek's receivers, set by PMTK, and those of its successor Airoha, by PAIR.

GlobalTop PMTK command packet, rev. A11; Quectel L76 and L80 protocol specification
(MT3329, MT3333, MT3339). Quectel LC29H and LC79H protocol specification 1.1; LC26G,
LC76G and LC86G 1.1 (AG3335, AG3352). Nothing is saved to flash: what is set lasts as
long as power or battery do. The settings of their pulse cannot be asked for.
"""

from __future__ import annotations

import re
from typing import Final

from refclock.gnss.framer import Item, Sentence
from refclock.receiver.profile import Profile
from refclock.receiver.sentences import AcknowledgementRules, NmeaSetting, sealed
from refclock.receiver.setting import Vendor

QUESTION: Final = sealed("PMTK605") + sealed("PAIR020") + sealed("PQTMVERNO")
"""MediaTek's release; Airoha's chip, which new firmware does not answer; the module."""

_PMTK: Final = AcknowledgementRules("PMTK", "3")
_PAIR: Final = AcknowledgementRules("PAIR", "0", frozenset({"1", "5"}))
"""1 is being done, 5 is busy."""
_VERSION: Final = re.compile(
    r"PMTK705,(.+)|(?:PAIR020|PQTMVERNO),((?:AG33|LC\d\d)[^,]*).*"
)
_FIELDS: Final = (
    *("GLL", "RMC", "VTG", "GGA", "GSA", "GSV"),
    *[""] * 11,
    "ZDA",
    "",
)
"""Of PMTK314; '' are not used."""
_TYPES: Final = ("GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "ZDA")
"""Of PAIR062, from 0 on."""
_FIXES: Final = "fixes (ms)"
_PULSE: Final = "pulse (type, ms)"
_WHILE_FIXED: Final = 3
"""PPSType: with a fix in two dimensions or three."""


def recognise(item: Item, profile: Profile) -> Vendor | None:
    """The vendor, if it answers the question."""
    if not isinstance(item, Sentence):
        return None
    version = _VERSION.fullmatch(item.body.decode("ascii"))
    if version is None:
        return None
    if version[1]:
        return Vendor(f"MediaTek {version[1].replace(',', ' ')}", _pmtk(profile))
    return Vendor(f"Airoha {version[2]}", _pair(profile))


def _pmtk(profile: Profile) -> tuple[NmeaSetting, ...]:
    rates = ",".join(str(profile.sentences.get(kind, 0)) for kind in _FIELDS)
    fixes, pulse = str(profile.period_ms), f"{_WHILE_FIXED},{profile.pulse_ms}"
    return (
        NmeaSetting(
            *("sentences", "PMTK314,", rates, _PMTK, "PMTK414", "PMTK514,"),
            labels=_FIELDS,
        ),
        NmeaSetting(_FIXES, "PMTK220,", fixes, _PMTK, "PMTK400", "PMTK500,", fields=1),
        NmeaSetting("sentences paced by the pulse", "PMTK255,", "1", _PMTK),
        NmeaSetting(_PULSE, "PMTK285,", pulse, _PMTK),
    )


def _pair(profile: Profile) -> tuple[NmeaSetting, ...]:
    sentences = [
        NmeaSetting(
            kind,
            f"PAIR062,{number},",
            str(profile.sentences[kind]),
            _PAIR,
            f"PAIR063,{number}",
            f"PAIR063,{number},",
        )
        for number, kind in enumerate(_TYPES)
    ]
    fixes, pulse = str(profile.period_ms), f"{_WHILE_FIXED},{profile.pulse_ms}"
    return (
        *sentences,
        NmeaSetting(_FIXES, "PAIR050,", fixes, _PAIR, "PAIR051", "PAIR051,"),
        NmeaSetting(_PULSE, "PAIR752,", pulse, _PAIR),
    )
