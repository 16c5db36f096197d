"""Settings and a board made into a daemon; its files and processes."""
