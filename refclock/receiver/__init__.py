"""What a receiver is set to, and how."""
