"""Other time servers: their addresses and keys, and how they are asked."""
