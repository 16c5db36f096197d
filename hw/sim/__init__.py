"""Worlds, and who runs them: in fast time, live, from a trace."""
