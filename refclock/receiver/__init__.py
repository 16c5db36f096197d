"""What a receiver is set to, and the commands of each vendor that set it."""
