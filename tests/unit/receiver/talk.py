"""A receiver on the desk: an emulated one, its line, and a clock of our own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hw.emu.gnss.dialects import CommandParser, VendorProtocol
from hw.emu.gnss.receiver import ReceiverModel, sky
from hw.emu.gnss.sentences import FixState, write
from refclock.board.ports import Chunk
from refclock.gnss.framer import Framer
from refclock.receiver.configurator import Configurator, State
from refclock.receiver.profile import profile
from refclock.timebase import MILLISECOND, SECOND, ZERO, Duration, Mono

FACTORY = ReceiverModel(
    sentences=tuple((k, 1) for k in ("RMC", "VTG", "GGA", "GSA", "GSV", "GLL"))
)
"""As most makers send them out."""
STEP = 50 * MILLISECOND
_REPORT = FixState(None, mode="N", sats=sky(0, tracked=False))


@dataclass
class Desk:
    """One opening of the line. Time passes in `run`."""

    ear: CommandParser
    saved: dict[str, bytes] = field(default_factory=dict)
    speed: int | None = 9600
    late: Duration = ZERO
    """How long it thinks before it answers."""
    split: bool = False
    """One answer at a time comes down the line."""
    now: Mono = field(default_factory=lambda: Mono(10**12))
    sent: list[bytes] = field(default_factory=list)
    describe: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.configurator = Configurator(profile(self.speed), self.saved)
        self._framer = Framer()
        self._due: deque[tuple[Mono, bytes]] = deque()

    @property
    def tongue(self) -> VendorProtocol:
        """The receiver's."""
        return self.ear.tongue

    def run(self, limit: Duration = 120 * SECOND) -> Desk:
        """Until the conversation rests, or so long."""
        end = self.now + limit
        while self.now < end and self.configurator.state is not State.RESTING:
            self._step()
        return self

    def put_back(self) -> None:
        """The end of the run."""
        for command in self.configurator.undo().values():
            self.ear.observe(command)

    def _step(self) -> None:
        self.now += STEP
        data = b""
        if self.now.ns % SECOND.ns == 0:
            k = self.now.ns // SECOND.ns
            for kind, every in self.tongue.receiver_model.sentences:
                if k % every == 0:
                    data += b"".join(write(kind, "GN", _REPORT))
        while self._due and self._due[0][0] <= self.now:
            data += self._due.popleft()[1]
            if self.split:
                break
        items = self._framer.feed(Chunk(data, self.now, self.now)) if data else []
        for said in self.configurator.observe(items, self.now):
            if isinstance(said, bytes):
                self.sent.append(said)
                answers = self.ear.observe(said)
                self._due.extend((self.now + self.late, each) for each in answers)
            else:
                self.describe.append(said)
