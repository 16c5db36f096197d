"""Plain NTP requests, answered in the kernel."""
