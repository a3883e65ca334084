"""How a study file says what is run: read `plug_in`, `cell`, `study`, `overrides`, `reading`, `grid`, and `errors`."""
