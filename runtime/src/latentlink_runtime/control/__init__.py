"""What two ends say beside the samples: read `wire`, `session`, `transmitter`, `receiver`, `keys`, then `link` (ZeroMQ)."""
