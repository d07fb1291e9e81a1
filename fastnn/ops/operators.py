"""The operators of Python as functions of the table, for everything that stands for an array in a recording."""

from typing import Any

from ..errors import invalid
from . import arithmetic, dense, elementwise, shape


class Operators:
    """Operators, comparisons and indices of arrays; they compute or record as the functions of `fastnn.ops` do."""

    __slots__ = ()
    __array_priority__ = 1000.0  # NumPy's operators give way to these
    __hash__ = object.__hash__  # == compares elements, a dict still knows objects apart

    def __add__(self, other: Any) -> Any:
        return arithmetic.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return arithmetic.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return arithmetic.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return arithmetic.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return arithmetic.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return arithmetic.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return arithmetic.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return elementwise.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return elementwise.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return dense.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return dense.matmul(other, self)

    def __neg__(self) -> Any:
        return arithmetic.negative(self)

    def __abs__(self) -> Any:
        return elementwise.abs(self)

    def __eq__(self, other: Any) -> Any:
        return arithmetic.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return arithmetic.not_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return arithmetic.less(self, other)

    def __le__(self, other: Any) -> Any:
        return arithmetic.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return arithmetic.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return arithmetic.greater_equal(self, other)

    def __getitem__(self, index: Any) -> Any:
        return shape.get_item(self, index)

    def __iter__(self) -> Any:
        raise invalid(
            "iteration",
            self,
            "a sequence",
            "write x[:, i] for parts of an array, or use functions of fastnn.ops",
            TypeError,
        )
