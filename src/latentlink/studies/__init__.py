"""studies."""

from latentlink.numerics.extras import require_extra

require_extra("lab", "Studies", "polars", "pydantic", "yaml", "joblib")
