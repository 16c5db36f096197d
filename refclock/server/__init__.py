"""What we tell others: pure; bytes and instants in, bytes out."""
