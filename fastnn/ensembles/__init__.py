"""Several networks for one question: predictions with a spread."""

from .sampling import mc_dropout

__all__ = ["mc_dropout"]
