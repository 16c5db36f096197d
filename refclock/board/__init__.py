"""What a board must offer, and the settings it is found by."""
