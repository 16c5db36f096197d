"""CASIC (AT6558, AT6668) and modules made of it (ATGM336H, Quectel L76K): PCAS.

CASIC multimode receiver protocol V4.2, 1.5; Quectel L76K GNSS protocol specification.
PCAS commands are not acknowledged and their values cannot be asked for: what was set is
inferred from the sentences that came. They cannot set the pulse. Nothing is saved
(PCAS00 would).
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final

from refclock.gnss.framer import Item, Sentence
from refclock.receiver.profile import Profile
from refclock.receiver.sentences import NmeaSetting, sealed
from refclock.receiver.setting import Vendor

QUESTION: Final = sealed("PCAS06,0")

_VERSION: Final = re.compile(r"..TXT,\d+,\d+,\d+,(?:MA=(CASIC)|SW=(URANUS.*))")
_ORDER: Final = ("GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "ZDA")
_KEPT: Final = ",,,,,,,"
"""The fields behind them, to the fourteenth: empty is as it was."""


def recognise(item: Item, profile: Profile, heard: AbstractSet[str]) -> Vendor | None:
    """The vendor, if it answers the question. `heard`: kinds of sentences so far."""
    if not isinstance(item, Sentence):
        return None
    version = _VERSION.fullmatch(item.body.decode("ascii"))
    if version is None:
        return None
    rates = [str(profile.sentences[kind]) for kind in _ORDER]
    before = [str(int(kind in heard)) for kind in _ORDER]
    return Vendor(
        f"CASIC {version[2] or ''}".strip().replace(",", " "),
        (
            NmeaSetting(
                "sentences",
                "PCAS03,",
                ",".join(rates) + _KEPT,
                labels=_ORDER,
                observed=",".join(before) + _KEPT,
            ),
            NmeaSetting("fixes (ms)", "PCAS02,", str(profile.period_ms)),
        ),
    )
