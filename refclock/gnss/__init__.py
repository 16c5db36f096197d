"""What the receiver says: bytes to facts, and whether to believe them."""
