"""How cells are run: read `situation` (channels and what is known of them), `gain_control`, `measure`, `timing`, `cost`, and `runner`."""
