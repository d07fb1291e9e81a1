"""The operators of Python as functions of the table, for everything that stands for an array in a recording."""

from typing import Any

from ..errors import invalid
from .arithmetic import (
    add,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    subtract,
)
from .dense import matmul
from .elementwise import abs, power
from .shape import get_item


class Operators:
    """Operators, comparisons and indices of arrays; they compute or record as the functions of `fastnn.ops` do."""

    __slots__ = ()
    __array_priority__ = 1000.0  # NumPy's operators give way to these
    __hash__ = object.__hash__  # == compares elements, a dict still knows objects apart

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        return add(other, self)

    def __sub__(self, other: Any) -> Any:
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def __neg__(self) -> Any:
        return negative(self)

    def __abs__(self) -> Any:
        return abs(self)

    def __eq__(self, other: Any) -> Any:
        return equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return not_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return less(self, other)

    def __le__(self, other: Any) -> Any:
        return less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return greater_equal(self, other)

    def __getitem__(self, index: Any) -> Any:
        return get_item(self, index)

    def __iter__(self) -> Any:
        raise invalid(
            "iteration",
            self,
            "a sequence",
            "write x[:, i] for parts of an array, or use functions of fastnn.ops",
            TypeError,
        )
