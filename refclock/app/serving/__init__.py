"""Who answers requests: services on sockets, workers, and the kernel."""
