"""What the stamps of pulses are like: their noise, its level, and its modes. Pure."""
