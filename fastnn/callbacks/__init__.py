"""Callbacks: objects that training, evaluation and prediction tell about their progress."""

from .base import Callback, CallbackList
from .checkpoints import BackupAndRestore, ModelCheckpoint
from .csv_logger import CSVLogger
from .functions import LambdaCallback, LearningRateScheduler, SwapEMAWeights
from .history import History
from .monitors import EarlyStopping, ReduceLROnPlateau, TerminateOnNaN
from .progress import ProgbarLogger

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TerminateOnNaN",
]
