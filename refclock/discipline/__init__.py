"""What our clock is doing: its offset, its rate, and how sure we may be. Pure."""
