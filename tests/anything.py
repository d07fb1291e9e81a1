"""What can be passed to a function: anything at all, or something near a valid value."""

import contextlib
import datetime
import decimal
import fractions
import io

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastnn
from fastnn import callbacks, initializers, layers, losses, metrics, optimizers, regularizers, schedules


class Subclass(np.ndarray):
    pass


def nested(depth):
    return [nested(depth - 1)] if depth else 1.0


NUMBERS = [
    *(0, 1, 2, 3, 5, -1, -3, 1000, -(2**31), 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1),
    *(2**63 - 1, 2**63, 2**64, -(2**63), 10**400),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 2.0, -0.5, -1.0, 5e-324, 1e-30, 3e38, 1e300, -1e300, np.inf, -np.inf, np.nan),
    *(True, False, 1j, fractions.Fraction(1, 3), decimal.Decimal("0.5"), datetime.date(2020, 1, 1)),
    *(np.float16(0.5), np.float32(0.25), np.float64(np.nan), np.longdouble(0.1), np.complex64(1j)),
    *(np.int8(-1), np.int64(3), np.uint8(2), np.uint64(2**64 - 1), np.bool_(True), np.datetime64("2020-01-01")),
]
TEXTS = [
    *("", "x", "0.5", "3", "auto", "none", "relu", "adam", "mse", "accuracy", "zeros", "l2", "float32", "float64"),
    *("é\0\n", "x" * 1000, b"relu", b"", bytearray(3), memoryview(b"abc")),
]
CONTAINERS = [
    *((), [], {}, set(), {1, 2}, frozenset({"a"}), range(3), slice(1), nested(100)),
    *((1, 2), (3,), (4,), (-1, 2), (None, 4), [0, 1], [0.5], ["a"], [None], [True], [[1], [1, 2]], [[]]),
    *({"a": 1}, {0: 1.0}, {0: "a"}, {"class_name": "L1"}, {"class_name": "Dense", "config": 3}),
    *({"class_name": [], "config": {}}, {"class_name": "Adam", "config": {"a": 1}}),
]
OBJECTS = [
    *(None, Ellipsis, NotImplemented, object(), np.random, np.dtype("f4"), np.dtype([("a", "f4")])),
    *(print, len, np.mean, lambda: 0, lambda x: x, lambda *args, **kwargs: None),
    *(type, int, dict, io.StringIO, np.ndarray, np.float32, layers.Dense, losses.MeanSquaredError),
    *(optimizers.Adam, initializers.Zeros, callbacks.History),
]
MADE = [  # anew for each call
    lambda: layers.Dense(2),
    lambda: layers.Dropout(0.5),
    lambda: fastnn.Sequential([layers.Dense(2)]),
    lambda: losses.MeanAbsoluteError(),
    lambda: metrics.BinaryAccuracy(),
    lambda: optimizers.SGD(),
    lambda: schedules.ExponentialDecay(0.1, 5, 0.5),
    lambda: initializers.Ones(),
    lambda: regularizers.L2(),
    lambda: callbacks.History(),
    lambda: fastnn.Variable([1.0, 2.0]),
    lambda: (row for row in [1.0, 2.0]),
    lambda: iter([1, 2]),
    *(lambda: np.zeros(()), lambda: np.zeros(0), lambda: np.zeros((2, 0)), lambda: np.array(None)),
    *(lambda: np.array("x"), lambda: np.ma.masked_all(()), lambda: np.array([1, None])),
]
DTYPES = ["?", "i1", "u1", "i2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", "c8", "c16", ">f4", ">f8", ">i4", "O"]
ARRAYS = hnp.arrays(
    st.sampled_from([*DTYPES, ">i8", "S3", "U2", "M8[s]", "m8[s]"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    fill=st.nothing(),
)
ANY_NUMBER = st.sampled_from(NUMBERS)
ANYTHING = st.one_of(
    ANY_NUMBER,
    st.sampled_from(TEXTS + CONTAINERS + OBJECTS),
    st.sampled_from(MADE).map(lambda make: make()),
    ARRAYS,
)


# Near a valid value


def read_only(array):
    array.setflags(write=False)
    return array


CHANGES = [  # of an array
    *(lambda a, dtype=dtype: a.astype(dtype) for dtype in (*DTYPES, "S8", "U8")),
    lambda a: a.astype(int).astype("M8[s]"),
    *(lambda a: a[:0], lambda a: a[:1], lambda a: a[:-1], lambda a: a[0], lambda a: a.T, lambda a: a.ravel()),
    *(lambda a: a[..., None], lambda a: a[None], lambda a: a[..., :1], lambda a: a[..., :0], lambda a: a[::-1]),
    *(lambda a: np.concatenate([a, a]), lambda a: np.repeat(a, 2, -1), lambda a: np.repeat(a, 2, 0)[::2]),
    *(np.asfortranarray, read_only, lambda a: a.view(Subclass), np.ma.masked_array, lambda a: np.ma.masked_less(a, 0)),
    *(lambda a: a.tolist(), tuple, list, lambda a: [*a.tolist()[:-1], [1]], lambda a: a.tobytes()),
    *(lambda a: -a, lambda a: a + 1, lambda a: a * 1e300, lambda a: a * 0, lambda a: a + 0.5, lambda a: a * np.nan),
    *(lambda a, n=n: np.full(a.shape, n) for n in (np.inf, 2**63, -(2**63))),
    *(lambda a: {"x": a}, lambda a: [a], lambda a: (a, a), lambda a: memoryview(np.ascontiguousarray(a))),
]


def near_array(array):
    """Of another type, shape or layout, or with another number in it."""

    def changed(change):
        with np.errstate(all="ignore"), contextlib.suppress(TypeError, ValueError, IndexError):
            return change(array.copy())
        return array

    def spoiled(number):
        values = array.astype(object)
        values.flat[array.size // 2] = number
        with contextlib.suppress(Exception):
            return values.astype(array.dtype)
        return values.tolist()

    return st.one_of(st.sampled_from(CHANGES).map(changed), ANY_NUMBER.map(spoiled))


def near_sequence(items):
    """Of another length or type, or with another item."""
    kind = type(items)
    if not items:
        return ANYTHING.map(lambda item: kind([item]))
    others = [items[:-1], items[1:], items + items, items[::-1], list(items), tuple(items), dict.fromkeys("ab")]
    place = st.integers(0, len(items) - 1)
    return st.one_of(
        st.sampled_from(others),
        st.builds(lambda at, item: kind([*items[:at], item, *items[at + 1 :]]), place, ANYTHING),
        place.flatmap(lambda at: near(items[at]).map(lambda item: kind([*items[:at], item, *items[at + 1 :]]))),
    )


def near_dict(items):
    """With another entry."""
    keys = st.sampled_from([*items, "x", None, 2**70])
    return st.one_of(
        st.builds(lambda key, value: {**items, key: value}, keys, ANYTHING),
        st.sampled_from([*items]).flatmap(lambda key: near(items[key]).map(lambda value: {**items, key: value})),
        st.just(list(items)),
    )


def near_plain(value):
    """A number or string in another form."""
    forms = [[value], (value,), {value: value}, {value}, str(value), np.array(value), np.array([value])]
    if isinstance(value, (int, float)):
        forms += [-value, value + 1, value * 1.5, float(value), np.float64(value), np.int16(value), value * 2**40]
    else:
        forms += [value.upper(), value + "x", value[:-1], value.encode(), np.str_(value)]
    return st.sampled_from(forms)


def near(valid):
    """Something like a valid value."""
    if isinstance(valid, np.ndarray) and valid.ndim:
        return near_array(valid)
    if isinstance(valid, (list, tuple)):
        return near_sequence(valid)
    if isinstance(valid, dict) and valid:
        return near_dict(valid)
    if isinstance(valid, (int, float, str)):
        return near_plain(valid)
    return ANYTHING
