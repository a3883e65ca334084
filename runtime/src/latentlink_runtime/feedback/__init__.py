"""A receiver's report to its transmitter: read `givens`, `codes`, `report` (the bytes), `streams`, then `links` (both ends of bytes)."""
