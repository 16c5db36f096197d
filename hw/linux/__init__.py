"""The real board: Linux devices and clocks."""
