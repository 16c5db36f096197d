"""Who may ask, how often, and what is remembered of each host."""
