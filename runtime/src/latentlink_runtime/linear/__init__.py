"""Linear links: read `link`, which encodes and decodes, then `design`, which makes one for a channel."""
