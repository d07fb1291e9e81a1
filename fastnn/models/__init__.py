"""Models: layers put together, trained and used."""

from ..old_spellings import accept
from .model import Model
from .sequential import Sequential
from .training import Trainer

__all__ = ["Model", "Sequential"]

accept(Model, "__init__")
accept(Trainer, "compile", "fit", "evaluate")
