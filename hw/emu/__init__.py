"""The emulated board: a world whose true time is known."""
