"""What is kept on disk, and read back: state, recordings."""
