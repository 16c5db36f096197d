"""Ports to events: a driver stamps and yields, and never judges."""
