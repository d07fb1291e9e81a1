"""Callbacks: objects that training, evaluation and prediction tell about their progress."""

from .base import Callback, CallbackList
from .functions import LambdaCallback, LearningRateScheduler
from .history import History
from .monitors import EarlyStopping, ReduceLROnPlateau
from .progress import ProgbarLogger

__all__ = [
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ProgbarLogger",
    "ReduceLROnPlateau",
]
