"""Data that come batch by batch: the bits of the same data in arrays, and the ends of streams."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from nets import class_patterns, small_net, state

import fastnn
from fastnn import callbacks, layers, optimizers
from fastnn.models import loop
from fastnn.utils import PyDataset

SAMPLES, BATCH = 83, 8  # eleven batches, the last with three rows
X, Y = class_patterns(SAMPLES, width=20, classes=5)
WEIGHTS = np.linspace(0.5, 1.5, SAMPLES).astype(np.float32)
ENDS = "Your input ran out of data"


def batch(i, weighted=False):
    rows = slice(BATCH * i, BATCH * (i + 1))
    return (X[rows], Y[rows], WEIGHTS[rows])[: 3 if weighted else 2]


def generator(passes=1, weighted=False):
    for _ in range(passes):
        for i in range(11):
            yield batch(i, weighted)


class Iterable:
    """What a DataLoader is to `fit`: gives its batches, as lists, each time it is asked."""

    def __len__(self):
        return 11

    def __iter__(self):
        return map(list, generator())


class Batches(PyDataset):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.begun = self.epochs = 0

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return batch(index)

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.epochs += 1


def trained(data, y=None, optimizer="adam", **kwargs):
    """State and history after two epochs."""
    model = small_net(optimizer)
    history = model.fit(data, y, verbose=0, **{"epochs": 2, **kwargs})
    return state(model), history.history


@pytest.fixture(scope="module")
def from_arrays():
    return trained(X, Y, batch_size=BATCH, shuffle=False)


# Where other tests have left threads of other libraries, forking warns.
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (lambda: generator(2), {"steps_per_epoch": 11}),
        (lambda: iter(Iterable()), {"steps_per_epoch": 11, "epochs": 1}),
        (Iterable, {}),
        (Batches, {"shuffle": False}),
        (lambda: Batches(workers=3, max_queue_size=2), {"shuffle": False}),
        (lambda: Batches(workers=2, use_multiprocessing=True), {"shuffle": False}),
    ],
    ids=["generator", "iterator", "iterable", "dataset", "threads", "processes"],
)
def test_streams_train_to_the_bits_of_arrays(make, arguments, from_arrays):
    if "epochs" in arguments:
        from_arrays = trained(X, Y, batch_size=BATCH, shuffle=False, epochs=1)
    assert trained(make(), **arguments) == from_arrays


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_streams_in_chunks_of_any_size(seconds, monkeypatch, from_arrays):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
    assert trained(Iterable()) == from_arrays


def test_batches_of_several_sizes():
    """A larger one may come at any time."""
    sizes = [3, 40, 1, 39]
    ends = np.cumsum(sizes)
    model, twin = small_net(), small_net()
    model.fit(((X[e - n : e], Y[e - n : e]) for n, e in zip(sizes, ends, strict=True)), verbose=0)
    for n, e in zip(sizes, ends, strict=True):
        twin.train_on_batch(X[e - n : e], Y[e - n : e])
    assert state(model) == state(twin)


def test_weights_and_validation_in_streams():
    whole = {"batch_size": BATCH, "shuffle": False, "epochs": 1}
    expected = trained(X, Y, sample_weight=WEIGHTS, validation_data=(X, Y), validation_steps=3, **whole)
    found = trained(generator(1, weighted=True), epochs=1, validation_data=Iterable(), validation_steps=3)
    assert found == expected
    by_class = {c: 1 + c / 4 for c in range(5)}
    expected = trained(X, Y, class_weight=by_class, **whole)
    assert trained(Iterable(), class_weight=by_class, epochs=1) == expected


def test_evaluate_and_predict_streams():
    model = small_net()
    assert model.evaluate(Iterable(), verbose=0) == model.evaluate(X, Y, batch_size=BATCH, verbose=0)
    assert model.evaluate(Iterable(), steps=2, verbose=0) == model.evaluate(X, Y, BATCH, 0, steps=2)
    assert model.predict(Batches()).tobytes() == model.predict(X).tobytes()
    assert model.predict((x for x, _ in generator())).tobytes() == model.predict(X).tobytes()
    assert model.predict(X, batch_size=BATCH, steps=2).tobytes() == model.predict(X[:16]).tobytes()


def test_a_dataset_is_shuffled_by_the_seed_and_told_of_ends():
    data = Batches()
    shuffled = trained(data)
    assert data.begun == data.epochs == 2
    assert trained(Batches(workers=2)) == shuffled != trained(Batches(), shuffle=False)


def test_several_inputs_and_outputs_in_streams():
    def net():
        fastnn.set_random_seed(2)
        a, b = fastnn.Input((20,), name="a"), fastnn.Input((1,), name="b")
        joined = layers.Concatenate()([layers.Dense(4, activation="tanh")(a), b])
        outputs = {"label": layers.Dense(5, activation="softmax")(joined), "number": layers.Dense(1)(joined)}
        model = fastnn.Model({"a": a, "b": b}, outputs)
        model.compile("sgd", {"label": "sparse_categorical_crossentropy", "number": "mse"})
        return model

    b = X[:, :1]

    def batches():
        for i in range(11):
            rows = slice(BATCH * i, BATCH * (i + 1))
            yield {"a": X[rows], "b": b[rows]}, {"label": Y[rows], "number": b[rows]}

    model, twin = net(), net()
    model.fit(batches(), verbose=0)
    twin.fit({"a": X, "b": b}, {"label": Y, "number": b}, batch_size=BATCH, shuffle=False, verbose=0)
    assert state(model) == state(twin)
    assert model.history.history == twin.history.history


# Epochs of a number of steps


def test_an_epoch_of_some_steps_goes_on_where_the_last_one_ended():
    """Four and four of eleven batches, then the three that are left, with a warning; then from the beginning."""
    model, twin = small_net(), small_net()
    with pytest.warns(UserWarning, match=ENDS):
        model.fit(X, Y, batch_size=BATCH, shuffle=False, steps_per_epoch=4, epochs=4, verbose=0)
    for i in [*range(11), *range(4)]:
        twin.train_on_batch(*batch(i))
    assert state(model) == state(twin)


def test_steps_that_fill_the_data_are_whole_epochs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = trained(X, Y, batch_size=BATCH, steps_per_epoch=11)
    assert found == trained(X, Y, batch_size=BATCH)


def test_a_generator_that_ends_early_ends_the_training():
    """After 11 of 14 steps: one epoch of 7, one of 4, and none for the third."""
    with pytest.warns(UserWarning, match=ENDS):
        found, history = trained(generator(), steps_per_epoch=7, epochs=3)
    assert found == trained(X, Y, batch_size=BATCH, shuffle=False, epochs=1)[0]
    assert len(history["loss"]) == 2


def test_a_generator_that_has_ended_gives_no_further_epoch():
    assert len(trained(generator(), epochs=3)[1]["loss"]) == 1


def test_an_error_in_a_generator_is_the_users():
    def failing():
        yield batch(0)
        yield batch(1)
        raise KeyError("no such file")

    model, twin = small_net(), small_net()
    with pytest.raises(KeyError, match="no such file"):
        model.fit(failing(), verbose=0)
    twin.train_on_batch(*batch(0))
    assert model.optimizer.iterations in (1, 2)
    assert model.optimizer.iterations == 2 or state(model) == state(twin)


def test_validation_frequency():
    history = trained(X, Y, validation_data=(X, Y), validation_freq=2, epochs=5)[1]
    assert len(history["loss"]) == 5 and len(history["val_loss"]) == 2
    history = trained(X, Y, validation_data=(X, Y), validation_freq=[1, 4, 5], epochs=5)[1]
    assert len(history["val_loss"]) == 3


def test_full_batches_go_down_the_gradient_of_all_data():
    fastnn.set_random_seed(1)
    model = fastnn.Sequential([layers.Dense(1, input_shape=(20,))])
    model.compile(optimizers.SGD(0.05), "mse")
    x, y = X.astype(np.float64), Y[:, None] / 5
    w, b = (v.astype(np.float64) for v in model.get_weights())
    model.fit(X, y, batch_size="full", epochs=3, verbose=0)
    for _ in range(3):
        error = 2 * (x @ w + b - y) / SAMPLES
        w, b = w - 0.05 * x.T @ error, b - 0.05 * error.sum(0)
    assert model.optimizer.iterations == 3
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=0, atol=1e-5)


def test_hooks_come_once_per_execution():
    seen = []
    note = callbacks.LambdaCallback(
        on_train_batch_begin=lambda i, logs: seen.append(i), on_train_batch_end=lambda i, logs: seen.append(i)
    )
    model = small_net()
    model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=4)
    model.fit(X, Y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[note])
    twin = small_net()
    twin.fit(X, Y, batch_size=BATCH, shuffle=False, verbose=0)
    assert seen == [0, 3, 4, 7, 8, 10]
    assert state(model) == state(twin)


def test_running_eagerly_calls_the_layers_for_each_batch():
    calls = []

    class Counting(layers.Layer):
        def call(self, x):
            calls.append(x.shape)
            return x

    def net(**how):
        fastnn.set_random_seed(4)
        model = fastnn.Sequential([layers.Dense(5, activation="softmax", input_shape=(20,)), Counting()])
        model.compile("adam", "sparse_categorical_crossentropy", **how)
        return model

    model, twin = net(run_eagerly=True), net()
    calls.clear()
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert len(calls) >= 11
    twin.fit(X, Y, batch_size=BATCH, verbose=0)
    for found, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)  # eleven steps of 0.001, to 1 %


# Gradient accumulation


@pytest.mark.parametrize("make", [optimizers.SGD, optimizers.RMSprop, optimizers.Adam])
def test_gathered_gradients_are_those_of_larger_batches(make):
    """Four batches of 8 are one of 32: the mean of means of equal size."""
    x, y = X[:64], np.sin(Y[:64, None])

    def net(**kwargs):
        fastnn.set_random_seed(1)
        model = fastnn.Sequential([layers.Dense(6, activation="tanh", input_shape=(20,)), layers.Dense(1)])
        model.compile(make(0.01, **kwargs), "mse")
        return model

    model, twin = net(gradient_accumulation_steps=4), net()
    start = model.get_weights()
    model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    twin.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0)
    assert model.optimizer.iterations == twin.optimizer.iterations == 6
    for found, expected, first in zip(model.get_weights(), twin.get_weights(), start, strict=True):
        moved = np.abs(expected - first).max()
        assert moved > 0
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * moved)


def test_gathered_gradients_in_an_own_loop():
    model, twin = (
        small_net(optimizers.Adam(0.01, gradient_accumulation_steps=2)),
        small_net(optimizers.Adam(0.01, gradient_accumulation_steps=2)),
    )
    variables = model.trainable_variables
    loss = fastnn.losses.SparseCategoricalCrossentropy()
    step = fastnn.value_and_grad(lambda x, y: loss(y, model(x, training=False)), variables)
    for layer in twin.layers:
        if isinstance(layer, layers.Dropout):
            layer.rate = 0
    for i in range(4):
        x, y = batch(i)
        _, gradients = step(x, y)
        before = [v.numpy() for v in variables]
        model.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        changed = [not np.array_equal(a, v.numpy()) for a, v in zip(before, variables, strict=True)]
        assert all(changed) if i % 2 else not any(changed)
        twin.train_on_batch(x, y)
    for found, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)  # two steps of 0.01, to half a percent
    assert model.optimizer.get_config()["gradient_accumulation_steps"] == 2


def test_a_batch_that_is_not_finite_leaves_what_was_gathered():
    bad = X[:16].copy()
    bad[9, 3] = np.nan  # in the second batch
    model = small_net(optimizers.SGD(0.1, gradient_accumulation_steps=2))
    model.fit(bad, Y[:16], batch_size=8, shuffle=False, verbose=0, on_nonfinite="skip")
    sums = [v.numpy() for v, _ in model.optimizer._beside.values()]
    assert all(np.isfinite(a).all() for a in sums) and any(a.any() for a in sums)


# Tables with named columns


class Table:
    """What a frame is to fastnn: columns by name, an array as a whole."""

    def __init__(self, **columns):
        self.data = columns

    @property
    def columns(self):
        return list(self.data)

    def __getitem__(self, name):
        return self.data[name]

    def __len__(self):
        return len(next(iter(self.data.values())))

    def __array__(self, dtype=None, copy=None):
        return np.stack(list(self.data.values()), 1).astype(dtype or float)


def test_tables_are_arrays_or_inputs_by_name():
    table = Table(**{f"f{i}": X[:, i] for i in range(20)})
    assert trained(table, Y, epochs=1) == trained(X, Y, epochs=1)
    a, b = fastnn.Input((1,), name="f3"), fastnn.Input((1,), name="f7")
    model = fastnn.Model([a, b], layers.Subtract()([a, b]))
    np.testing.assert_array_equal(model.predict(table)[:, 0], X[:, 3] - X[:, 7])


def test_the_columns_of_a_table_are_kept():
    """They have to come again in the same order; arrays have no names."""
    table = Table(**{f"f{i}": X[:, i] for i in range(20)})
    model = small_net()
    model.fit(table, Y, verbose=0)
    assert model.feature_names == table.columns
    assert model.predict(table).tobytes() == model.predict(X).tobytes()
    before = state(model)
    turned = Table(**{name: table[name] for name in reversed(table.columns)})
    for call in (model.predict, lambda x: model.fit(x, Y, verbose=0), lambda x: model.evaluate(x, Y, verbose=0)):
        with pytest.raises(ValueError, match=r"x: received a table with columns .*'f19'.*expected .*'f0'"):
            call(turned)
    assert state(model) == before


def test_frames_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"f{i}" for i in range(20)])
    assert trained(frame, pandas.Series(Y), epochs=1) == trained(X, Y, epochs=1)


def test_loaders_of_torch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH)
    assert trained(loader) == trained(X, Y, batch_size=BATCH, shuffle=False)


def test_memory_maps(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert trained(np.load(tmp_path / "x.npy", mmap_mode="r"), Y, epochs=1) == trained(X, Y, epochs=1)


SLOW = """
import os, sys, time
import numpy as np
import fastnn

class Slow(fastnn.utils.PyDataset):
    def __len__(self):
        return 1000

    def __getitem__(self, i):
        os.write(1, b"%d\\n" % os.getpid())
        time.sleep(0.05)
        return np.zeros((2, 1)), np.zeros((2, 1))

if __name__ == "__main__":
    model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    model.fit(Slow(workers=2, use_multiprocessing=True), verbose=0)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_processes_that_make_batches_end_with_the_one_that_trains(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        workers = {int(process.stdout.readline()) for _ in range(10)}
        assert workers and process.pid not in workers
        process.kill()
        process.stdout.read()  # ends when nobody can write any more
