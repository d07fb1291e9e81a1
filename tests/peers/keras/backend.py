"""`keras.backend` for Keras' own tests: tensors are NumPy arrays, variables are fastnn's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import fastnn
from fastnn.config import floatx, set_floatx

__all__ = ["floatx", "set_floatx"]

SUPPORTS_SPARSE_TENSORS = SUPPORTS_RAGGED_TENSORS = False
_scopes: list[str] = []


class Tensor(np.ndarray):
    """An array that can carry a mask, as Keras' tensors do."""

    _keras_mask: Any = None


def backend() -> str:
    """Tensors are NumPy's: what Keras' tests leave out for that backend is left out here."""
    return "numpy"


def epsilon() -> float:
    """That of fastnn's losses and optimizers."""
    return 1e-7


def image_data_format() -> str:
    return "channels_last"


@contextmanager
def name_scope(name: str, **_: Any) -> Iterator[None]:
    """Paths of variables begin with the names of the scopes they are made in."""
    _scopes.append(name)
    try:
        yield
    finally:
        _scopes.pop()


class Variable(fastnn.Variable):
    """`fastnn.Variable` with Keras' order of arguments."""

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        **more: Any,
    ):
        value = initializer(shape, dtype=dtype or floatx()) if callable(initializer) else initializer
        dtype = None if dtype is None else standardize_dtype(dtype)
        super().__init__(value, trainable=trainable, name=name or "variable", dtype=dtype, **more)
        self.path = "/".join([*_scopes, self.name])


class _AnyKerasTensor(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, type(fastnn.Input((1,))))


class KerasTensor(metaclass=_AnyKerasTensor):
    """`fastnn.Input` with Keras' order of arguments."""

    def __new__(cls, shape: Any, dtype: Any = "float32", name: str | None = None, **more: Any) -> Any:
        return fastnn.Input(batch_shape=tuple(shape), dtype=dtype, name=name, **more)


def is_tensor(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


def is_symbolic(x: Any) -> bool:
    """Whether functions of `fastnn.ops` are needed, as there are no values yet."""
    if isinstance(x, (list, tuple)):
        return any(map(is_symbolic, x))
    return hasattr(x, "shape") and not isinstance(x, (np.ndarray, np.generic, fastnn.Variable))


def standardize_dtype(dtype: Any) -> str:
    if dtype is None:
        return floatx()
    if isinstance(dtype, type) and dtype in (bool, int, float):  # np.dtype("float64") == float
        return {bool: "bool", int: "int32", float: floatx()}[dtype]
    return np.dtype(getattr(dtype, "name", dtype)).name


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    return tuple(shape)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """Python's numbers become `floatx` or int32; arrays keep their type."""
    if is_symbolic(x):
        return x
    array = np.asarray(x.numpy() if isinstance(x, fastnn.Variable) else x)
    if dtype is None and not hasattr(x, "dtype"):
        dtype = {"f": floatx(), "i": "int32"}.get(array.dtype.kind)
    if dtype is not None:
        array = array.astype(standardize_dtype(dtype))
    if isinstance(x, Tensor) and array.dtype == x.dtype:
        return x
    return array.view(Tensor)


def convert_to_numpy(x: Any) -> np.ndarray:
    return np.array(x)


def cast(x: Any, dtype: Any) -> Any:
    return convert_to_tensor(x, dtype)


def shape(x: Any) -> tuple[int | None, ...]:
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def is_float_dtype(dtype: Any) -> bool:
    return "float" in standardize_dtype(dtype)


def set_keras_mask(x: Any, mask: Any) -> None:
    x._keras_mask = mask


def get_keras_mask(x: Any) -> Any:
    return getattr(x, "_keras_mask", None)
