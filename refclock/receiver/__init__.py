"""What a receiver is asked to do differently, and how to ask each maker's."""
