"""The body: the real board and the emulated one."""
