"""Several networks for one question: predictions with a spread."""

from .bagging import Bagging
from .ensemble import Ensemble
from .sampling import mc_dropout

__all__ = ["Bagging", "Ensemble", "mc_dropout"]
