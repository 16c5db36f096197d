"""Keys: of authenticated requests, of NTS, and their exchange by TLS."""
