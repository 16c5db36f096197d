"""UDP: sockets, sweeps and the kernel's stamps; what server processes share."""
