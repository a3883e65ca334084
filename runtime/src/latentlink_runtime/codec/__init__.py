"""The codec: read `network`, `streams`, `ends`, then `link`, which encodes and decodes, and `design`, which makes one for a channel."""
