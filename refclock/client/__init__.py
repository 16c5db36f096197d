"""Asking other servers: pure; what was sent and received in, a measurement out."""
