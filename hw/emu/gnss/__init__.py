"""The emulated receiver: what it says, when, and what it can be told."""
