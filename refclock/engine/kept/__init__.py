"""What is kept of an engine: memory over a restart, a recording for a replay."""
