"""Activations: functions of single elements, each with its slope.

A new activation is one function in a module of its family here, and two inline functions plus a row in
``csrc/kernels/activations.inc``. NaN stays NaN, and the value at an infinity is the limit.
"""

from ..activation import PUBLIC as PUBLIC
from .exponentials import *
from .gates import *
from .others import *
from .rectifiers import *
from .sigmoids import *

__all__ = [name for name, value in globals().items() if hasattr(value, "op")]
