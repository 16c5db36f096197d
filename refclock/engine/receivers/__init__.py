"""All that is learned and believed of each receiver and its pulse."""
