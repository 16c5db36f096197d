"""refclock: a stratum-1 NTP server in one process, from antenna to UDP 123."""

__version__ = "0.1.0"
