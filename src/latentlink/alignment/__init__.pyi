from .ends import Concepts, Marginal

__all__ = ["Concepts", "Marginal"]
