"""Channels as a device knows them: read `channel`, then `spatial`, which makes parallel symbols of one."""
