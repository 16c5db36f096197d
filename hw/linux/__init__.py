"""The real board: Linux devices, clocks and sockets."""
