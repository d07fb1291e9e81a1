"""Operations on arrays and on symbolic arrays; each is a row of the table in `table`."""

from typing import TYPE_CHECKING, Any

from .activations import *
from .adaptive import *
from .arithmetic import *
from .crossentropy import *
from .data import check_finite, gather, gather_int32, gather_uint8, mean_seed, weighted_sum
from .dense import dense, dense_grad_bias, dense_grad_input, dense_grad_kernel, matmul
from .elementwise import *
from .losses import *
from .metrics import *
from .norm import batch_moments, layer_normalization, moving_average, standardize
from .python import python
from .random import drop, dropout, gaussian_dropout, gaussian_noise
from .reduce import *
from .shape import *
from .signed import *
from .simplex import *
from .units import *
from .updates import adam, assign, rmsprop, sgd

if TYPE_CHECKING:  # some modules compute their lists of names

    def __getattr__(name: str) -> Any: ...
