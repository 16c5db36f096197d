"""Serial ports: the numbers of line disciplines.

<linux/tty.h>. The standard library's `termios` has the numbers of the ioctls.
"""

from __future__ import annotations

import struct
from typing import Final

N_TTY: Final = 0
N_PPS: Final = 18
DISCIPLINE: Final = struct.Struct("=i")
"""What TIOCSETD takes."""
