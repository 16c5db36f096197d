"""What the daemon says of itself: status as values and as text."""
