"""Samples in and out: read `protocol`, `addresses`, `buffer`, then what carries them: `memory`, `zeromq`, `udp`, `sigmf`, `soapy`."""
