"""What is on this machine, for whoever sets it up or finds out what is wrong."""
