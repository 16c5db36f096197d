"""Network Time Security, RFC 8915: pure; what needs a socket or TLS is elsewhere."""
