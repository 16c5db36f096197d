"""NTP on the wire: packets, and the client's side of an exchange."""
