"""Inputs in any layout and dtype give the same bits as the contiguous float32 copy, and are never modified."""

import numpy as np
import pytest

import fastnn
from fastnn import layers
from fastnn.models.programs import TRAIN
from fastnn.program import DATA

ROWS, FEATURES, CLASSES = 70, 6, 3
# Whole numbers from 0 to 255 are the same in every dtype below.
WHOLE = np.random.default_rng(4).integers(0, 256, (ROWS, FEATURES))
REAL = np.random.default_rng(5).standard_normal((ROWS, FEATURES)).astype(np.float32)
LABELS = np.arange(ROWS) % CLASSES
WEIGHTS = np.linspace(0.25, 2, ROWS).astype(np.float32)


def strided(array):
    """Every third element of a larger array."""
    larger = np.zeros(tuple(3 * n for n in array.shape), array.dtype)
    view = larger[tuple(slice(1, None, 3) for _ in array.shape)]
    view[...] = array
    return view


def reversed_memory(array):
    """Negative strides along every axis."""
    back = tuple(slice(None, None, -1) for _ in array.shape)
    return array[back].copy()[back]


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">"))


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def broadcast(array):
    """A read-only view in which all rows share their memory; only for arrays of equal rows."""
    return np.broadcast_to(array[:1], array.shape)


def mapped(array, folder):
    path = folder / "array.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


LAYOUTS = {
    "contiguous": lambda a: a.copy(),
    "fortran": np.asfortranarray,
    "strided": strided,
    "negative-strides": reversed_memory,
    "read-only": read_only,
    "big-endian": big_endian,
    "unaligned": unaligned,
    "float64": lambda a: a.astype(np.float64),
    "float64-big-endian-fortran": lambda a: np.asfortranarray(a.astype(">f8")),
    "list": lambda a: a.tolist(),
    "tuple-of-rows": tuple,
    "subclass": lambda a: a.view(np.recarray),
}
DTYPES = ("uint8", "int16", "uint16", "int32", "int64", ">i4", "uint64", "float64", ">f4")


def net(loss="sparse_categorical_crossentropy", **shape):
    fastnn.set_random_seed(9)
    model = fastnn.Sequential(
        [
            layers.Rescaling(1 / 64, offset=-1.5, **(shape or {"input_shape": (FEATURES,)})),
            layers.Flatten(),
            layers.Dense(7, activation="tanh"),
            layers.Dropout(0.2),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def results(x, y=LABELS, weights=WEIGHTS, **options):
    """All that fit, evaluate and predict give, as bytes."""
    model = net(**options)
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, sample_weight=weights, validation_split=0.3)
    return {
        "weights": [w.tobytes() for w in model.get_weights()],
        "history": history.history,
        "scores": model.evaluate(x, y, batch_size=32, verbose=0, sample_weight=weights),
        "predictions": model.predict(x, batch_size=24).tobytes(),
        "batch": model.train_on_batch(x, y, sample_weight=weights),
        "call": model(x).tobytes(),
    }


@pytest.fixture(scope="module")
def expected():
    """Results on contiguous native float32 arrays."""
    return {"whole": results(WHOLE.astype(np.float32)), "real": results(REAL)}


def frozen(array):
    """Something that changes whenever a byte of the values or the layout does."""
    if not isinstance(array, np.ndarray):
        return repr(array)
    return array.tobytes("A"), array.dtype, array.shape, array.strides, array.flags.writeable


def same_results(expected, *given, **options):
    """The results are the expected ones and the data are as they were."""
    before = [frozen(a) for a in given]
    assert results(*given, **options) == expected
    assert [frozen(a) for a in given] == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_inputs(layout, expected):
    same_results(expected["real"], LAYOUTS[layout](REAL))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_inputs(dtype, expected):
    same_results(expected["whole"], WHOLE.astype(dtype))
    same_results(expected["whole"], reversed_memory(WHOLE.astype(dtype)))


@pytest.mark.parametrize("dtype", ["float32", "uint8", ">f8"])
def test_memory_mapped_inputs(dtype, expected, tmp_path):
    x = mapped(WHOLE.astype(dtype), tmp_path)
    assert not x.flags.writeable
    same_results(expected["whole"], x)


def test_bool_inputs():
    x = WHOLE > 128
    same_results(results(x.astype(np.float32)), x)
    same_results(results(x.astype(np.float32)), x.tolist())


def test_rows_that_share_their_memory():
    x = broadcast(REAL)
    assert x.strides[0] == 0
    same_results(results(np.ascontiguousarray(x)), x)


def test_a_vector_is_a_column():
    column = REAL[:, :1].copy()
    same_results(results(column, input_shape=(1,)), column[:, 0], input_shape=(1,))
    same_results(results(column, input_shape=(1,)), strided(column[:, 0]), input_shape=(1,))


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "tuple-of-rows"])
def test_layouts_of_images(layout):
    images = np.random.default_rng(6).standard_normal((ROWS, 4, 3, 2)).astype(np.float32)
    same_results(results(images, input_shape=(4, 3, 2)), LAYOUTS[layout](images), input_shape=(4, 3, 2))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_one_hot_targets_and_weights(layout):
    hot = np.eye(CLASSES, dtype=np.float32)[LABELS]
    loss = "categorical_crossentropy"
    same_results(results(REAL, hot, loss=loss), REAL, LAYOUTS[layout](hot), LAYOUTS[layout](WEIGHTS), loss=loss)


@pytest.mark.parametrize("dtype", [*DTYPES, "float32", "int8"])
def test_dtypes_of_labels(dtype, expected):
    labels = LABELS.astype(dtype)
    same_results(expected["real"], REAL, labels)
    same_results(expected["real"], REAL, reversed_memory(labels))
    same_results(expected["real"], REAL, labels[:, None])
    same_results(expected["real"], REAL, labels.tolist())


def test_validation_data_in_any_layout():
    def fitted(change):
        model = net()
        data = tuple(change(a) for a in (REAL[:20], LABELS[:20], WEIGHTS[:20]))
        before = [frozen(a) for a in data]
        history = model.fit(REAL, LABELS, verbose=0, validation_data=data).history
        assert [frozen(a) for a in data] == before
        return history

    for name in ("fortran", "negative-strides", "read-only", "big-endian", "list"):
        assert fitted(LAYOUTS[name]) == fitted(np.copy)


def test_numbers_beyond_float32_are_infinite_without_a_warning():
    model, huge = net(), np.full((ROWS, FEATURES), 1e300)
    with pytest.raises(fastnn.NonFiniteError):
        model.fit(huge, LABELS, verbose=0)
    assert model.predict(huge).tobytes() == model.predict(np.full((ROWS, FEATURES), np.inf)).tobytes()


# uint8 data stay as they are: a data set of images must not become four times as large.


def x_of_the_program(model, x, mode=TRAIN):
    """The array that the program of a mode reads its inputs from, and the dtype it expects."""
    prepared = model._data(model._samples(x, LABELS, None))
    (area,) = [
        area
        for key, executor in model._executors.items()
        if key[0] == mode
        for area in executor.program.areas
        if area.kind == DATA and area.name == "x"
    ]
    return prepared["x"], area.dtype


@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_uint8_is_converted_batch_by_batch(mode):
    x, model = WHOLE.astype(np.uint8), net()
    model.fit(x, LABELS, verbose=0)
    model.evaluate(x, LABELS, verbose=0)
    read, dtype = x_of_the_program(model, x, mode)
    assert dtype == "uint8" and read.dtype == np.uint8 and np.shares_memory(read, x)


@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_contiguous_float32_is_not_copied(mode):
    x, model = read_only(REAL), net()
    model.fit(x, LABELS, verbose=0)
    model.evaluate(x, LABELS, verbose=0)
    read, dtype = x_of_the_program(model, x, mode)
    assert dtype == "float32" and np.shares_memory(read, x)


def test_uint8_and_float32_programs_live_side_by_side(expected):
    model = net()
    for x in (WHOLE.astype(np.uint8), WHOLE.astype(np.float32), WHOLE.astype(np.uint8)):
        scores = model.evaluate(x, LABELS, verbose=0)
        assert scores == model.evaluate(WHOLE, LABELS, verbose=0)
