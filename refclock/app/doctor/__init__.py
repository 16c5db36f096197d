"""Why this machine is not stratum 1: checks from evidence to findings, all pure."""
