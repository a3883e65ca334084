"""The receiver's task: read `head`."""
