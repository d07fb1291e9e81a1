"""Several networks for one question: predictions with a spread."""

from .ensemble import Ensemble
from .sampling import mc_dropout

__all__ = ["Ensemble", "mc_dropout"]
