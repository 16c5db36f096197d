"""`python -m refclock` is `refclock`."""

import sys

from refclock.cli import main

sys.exit(main())
