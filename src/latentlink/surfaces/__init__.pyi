from .design import SurfaceDesign, SurfaceSolution
from .surface import StackedSurface, Surface

__all__ = ["StackedSurface", "Surface", "SurfaceDesign", "SurfaceSolution"]
