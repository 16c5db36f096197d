"""Facts to their judges, and what the clock is told."""
