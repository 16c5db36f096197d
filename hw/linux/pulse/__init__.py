"""The pulse: as the kernel stamps it, on a GPIO line, a serial port, a network card."""
