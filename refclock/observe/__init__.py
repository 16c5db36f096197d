"""The daemon's state for operators: status as values, as JSON and as text."""
