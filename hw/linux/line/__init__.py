"""The receiver's line: serial, I2C, or a device that is neither."""
