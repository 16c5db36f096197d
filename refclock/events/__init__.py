"""Facts for the engine, and commands to the clock. Frozen values.

A driver makes facts and never judges them; a command has no effect until the daemon
applies it. A log of facts is a recording: replayed, it gives the same run.
"""

from __future__ import annotations

from refclock.events.commands import Command, SetLeap, SetRate, SetStatus, Step
from refclock.events.device import (
    MONO_DRIFT,
    Bracket,
    Edge,
    Found,
    InForce,
    Lost,
    PulseEdge,
    Temperature,
    Tick,
    Witness,
)
from refclock.events.receiver import (
    AntennaFeed,
    Configured,
    Dropped,
    DropReason,
    Feed,
    Fix,
    Identity,
    Interference,
    LeapNotice,
    LineLoad,
    NoTime,
    Position,
    Satellite,
    Sawtooth,
    SkyView,
    TimeMessage,
)
from refclock.events.source import (
    GPS0,
    ONE_PAIR,
    PIN0,
    PPS0,
    RTC0,
    TEMP0,
    SourceId,
    SourcePair,
)
from refclock.events.upstream import (
    UPSTREAM,
    NoReply,
    ServerAdded,
    ServerRemoved,
    ServerReply,
    Trust,
    UpstreamFact,
)

__all__ = [
    "GPS0",
    "MONO_DRIFT",
    "ONE_PAIR",
    "PIN0",
    "PPS0",
    "RTC0",
    "TEMP0",
    "UPSTREAM",
    "AntennaFeed",
    "Bracket",
    "Command",
    "Configured",
    "DropReason",
    "Dropped",
    "Edge",
    "Event",
    "Feed",
    "Fix",
    "Found",
    "Identity",
    "InForce",
    "Interference",
    "LeapNotice",
    "LineLoad",
    "Lost",
    "NoReply",
    "NoTime",
    "Position",
    "PulseEdge",
    "Satellite",
    "Sawtooth",
    "ServerAdded",
    "ServerRemoved",
    "ServerReply",
    "SetLeap",
    "SetRate",
    "SetStatus",
    "SkyView",
    "SourceId",
    "SourcePair",
    "Step",
    "Temperature",
    "Tick",
    "TimeMessage",
    "Trust",
    "UpstreamFact",
    "Witness",
]

Event = (
    PulseEdge
    | Bracket
    | TimeMessage
    | NoTime
    | LeapNotice
    | SkyView
    | Position
    | Sawtooth
    | Interference
    | AntennaFeed
    | Identity
    | Configured
    | LineLoad
    | Temperature
    | Witness
    | ServerAdded
    | ServerRemoved
    | ServerReply
    | NoReply
    | Tick
    | InForce
    | Dropped
    | Lost
    | Found
)
