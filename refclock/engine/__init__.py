"""Facts to their judges, what they accept to the clock, commands back."""
