"""Threads, supervision of devices, journal, control socket."""
