"""What the receiver says: bytes to facts."""
