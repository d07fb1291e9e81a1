"""Models: layers put together, trained and used."""

from ..old_spellings import accept
from .cloning import clone_model
from .model import Model
from .sequential import Sequential
from .training import Trainer

__all__ = ["Model", "Sequential", "clone_model"]

accept(Model, "__init__")
accept(Trainer, "compile", "fit", "evaluate")
