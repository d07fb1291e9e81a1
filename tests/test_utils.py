"""One-hot labels and normalisation."""

import numpy as np
import pytest

from fastnn.utils import normalize, to_categorical


def test_to_categorical_as_in_the_documentation_of_keras():
    a = to_categorical([0, 1, 2, 3], num_classes=4)
    assert a.dtype == np.float32
    assert str(a) == "[[1. 0. 0. 0.]\n [0. 1. 0. 0.]\n [0. 0. 1. 0.]\n [0. 0. 0. 1.]]"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (5,)),
        ((1,), (1, 5)),
        ((3,), (3, 5)),
        ((4, 3), (4, 3, 5)),
        ((5, 4, 3), (5, 4, 3, 5)),
        ((3, 1), (3, 5)),
        ((3, 2, 1), (3, 2, 5)),
        ((1, 1), (1, 5)),
        ((0,), (0, 5)),
        ((0, 1), (0, 5)),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "object"])
def test_to_categorical_shapes(shape, expected, dtype):
    labels = np.random.RandomState(0).randint(0, 5, shape)
    one_hot = to_categorical(np.asarray(labels).astype(dtype), 5)
    assert one_hot.shape == expected
    np.testing.assert_array_equal(one_hot, np.eye(5)[labels].reshape(expected))


def test_to_categorical_infers_the_number_of_classes():
    assert to_categorical([0, 2, 5]).shape == (3, 6)
    assert to_categorical(np.array([True, False])).tolist() == [[0, 1], [1, 0]]
    assert to_categorical(["1", "0"], np.int64(2)).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("x", "num_classes", "message"),
    [
        ([0, -1], None, "x: received the label -1; expected integers from 0 up"),
        ([0, -1], 3, "x: received the label -1; expected integers from 0 to 2"),
        ([0, 3], 3, "x: received the label 3; expected integers from 0 to 2"),
        ([0, 1.5], 3, "x: received the label 1.5; expected"),
        ([0, np.nan], None, "x: received the label nan; expected"),
        ([0, None], 2, "x: received the label nan; expected"),
        ([0, np.inf], None, "x: received the label inf; expected"),
        (7, 3, "x: received the label 7; expected"),
        ([], None, "x: received .*; expected at least one label"),
        ([0], 0, "num_classes: received 0"),
        ([0], -2, "num_classes: received -2"),
    ],
)
def test_to_categorical_refuses_wrong_values(x, num_classes, message):
    with pytest.raises(ValueError, match=f"^{message}.*; to fix it, "):
        to_categorical(x, num_classes)


@pytest.mark.parametrize(
    ("x", "num_classes", "message"),
    [
        (["cat", "dog"], None, "x: received "),
        ("cat", 2, "x: received 'cat'"),
        ([{}], 2, "x: received "),
        ([1j], 2, "x: received "),
        ([0], 2.0, "num_classes: received 2.0"),
        ([0], "2", "num_classes: received '2'"),
    ],
)
def test_to_categorical_refuses_wrong_types(x, num_classes, message):
    with pytest.raises(TypeError, match=f"^{message}.*; to fix it, "):
        to_categorical(x, num_classes)


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
def test_normalize_gives_vectors_of_norm_one(axis, order):
    x = np.random.RandomState(0).uniform(-1, 1, (3, 4))
    y = normalize(x, axis=axis, order=order)
    np.testing.assert_allclose(np.linalg.norm(y, order, axis), 1, rtol=1e-15)
    ratio = x / y
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio.take([0], axis), x.shape), rtol=1e-15)


def test_normalize_known_values_zero_vectors_and_dtypes():
    columns = normalize([[3, 0, 12], [4, 5, 0]], axis=0)
    np.testing.assert_allclose(columns, [[0.6, 0, 1], [0.8, 1, 0]], rtol=1e-15)
    assert normalize(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert normalize(np.ones((2, 3), np.float32)).dtype == np.float32
    assert normalize(np.ones(4, np.uint8)).tolist() == [0.5] * 4
    assert normalize(np.ones((0, 3))).shape == (0, 3)


def test_normalize_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"^axis: received 2 .*an axis of x, which has 2; to fix it"):
        normalize(np.ones((2, 2)), axis=2)
    with pytest.raises(ValueError, match=r"^axis: received"):
        normalize(3.0)
    with pytest.raises(TypeError, match=r"^axis: received None"):
        normalize([1.0], axis=None)
    with pytest.raises(TypeError, match=r"^order: received 'fro'"):
        normalize([1.0], order="fro")
