"""Nets learn what they should: XOR, real digits, MNIST, concrete, with the examples."""

import importlib.util
import socket
from pathlib import Path

import numpy as np
import pytest
from own import example as example_named

import fastnn
from fastnn import datasets, layers, optimizers

EXAMPLE = Path(fastnn.__file__).parents[1] / "examples" / "mnist_mlp.py"


@pytest.fixture(autouse=True)
def one_thread():
    """The results are those of any number; one thread waits for no other where the machine is busy."""
    with fastnn.threads(1):
        yield


@pytest.mark.parametrize("seed", range(6))
def test_xor(seed):
    fastnn.set_random_seed(seed)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = [0, 1, 1, 0]
    model = fastnn.Sequential(
        [
            layers.Dense(8, activation="tanh", input_shape=(2,)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=4, epochs=400, verbose=0)
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy == 1 and loss < 0.05
    assert (model.predict(x)[:, 0] > 0.5).tolist() == [False, True, True, False]


def test_a_line_is_found_by_gradient_descent():
    fastnn.set_random_seed(0)
    x = np.linspace(-1, 1, 64)[:, None]
    model = fastnn.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile(optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mse")
    model.fit(x, 3 * x - 2, batch_size=16, epochs=60, verbose=0)
    (slope,), offset = model.get_weights()[0][0], model.get_weights()[1][0]
    assert abs(slope - 3) < 1e-3 and abs(offset + 2) < 1e-3


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_real_digits(optimizer):
    sklearn = pytest.importorskip("sklearn.datasets")
    x, y = sklearn.load_digits(return_X_y=True)
    fastnn.set_random_seed(1)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1400], order[1400:]
    model = fastnn.Sequential(
        [
            layers.Rescaling(1 / 16, input_shape=(64,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = optimizers.SGD(0.1, momentum=0.9) if optimizer == "sgd" else optimizer
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x[train], y[train], epochs=15, verbose=0, validation_data=(x[test], y[test])).history
    assert history["val_accuracy"][-1] >= 0.95
    assert history["loss"][-1] < history["loss"][0] / 5


# The examples


def test_xor_by_hand_and_from_20_of_20_seeds(capsys):
    assert example_named("xor").main([]) == (True, 20)
    lines = capsys.readouterr().out.splitlines()
    table = [line.split() for line in lines[1:5]]
    assert [row[:3] for row in table] == [["0", "0", "0"], ["0", "1", "1"], ["1", "0", "1"], ["1", "1", "0"]]
    assert lines[-1] == "Solved from 20 of 20 seeds"


def test_the_strength_of_concrete_within_4_5_mpa(capsys):
    if datasets._files.find("concrete", ["concrete.csv"]) is None:
        pytest.skip("no data of concrete here")
    made = example_named("concrete_strength")
    (x_train, _), (x_test, y_test) = made.load()
    assert x_train.shape == (824, 8) and len(x_test) == len(y_test) == 206
    assert np.abs(x_train.mean(0)).max() < 1e-5 and np.abs(x_train.std(0) - 1).max() < 1e-5
    assert made.build(1, 1).count_params() == 530_433
    error = made.main([])
    assert error <= 4.5
    assert f"{error:.2f} MPa on 206 others" in capsys.readouterr().out


def test_bagging_is_better_than_one_network(capsys):
    if datasets._files.find("concrete", ["concrete.csv"]) is None:
        pytest.skip("no data of concrete here")
    alone, together, unseen, covered = example_named("bagging").main([])
    assert together < 0.95 * alone
    assert abs(unseen - together) < 0.25 * together  # of other mixtures
    assert covered > 0.7
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Each member has seen 63.") and second.endswith(f"mean of 16 members {together:.2f}")
    assert last == f"{covered:.0%} of errors are within two standard deviations of the members"


@pytest.fixture
def example():
    if not EXAMPLE.exists():
        pytest.skip("installed without the examples")
    spec = importlib.util.spec_from_file_location("mnist_mlp", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """Neither a data folder nor a cache nor a network."""

    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setenv("FASTNN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_example_falls_back_to_digits(example, no_data, tmp_path, capsys):
    pytest.importorskip("sklearn.datasets")
    with pytest.raises(datasets.DataNotFoundError):
        datasets.mnist.load_data()
    picture = tmp_path / "curves.png"
    accuracy = example.main(["--epochs", "8", "--batch-size", "64", "--picture", str(picture)])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("MNIST is not here") and "training on scikit-learn's 8x8 digits" in lines[0]
    assert "(None, 200)" in out and "Epoch 8/8 - " in out
    assert f"Test loss {float(lines[-3].split()[2].rstrip(',')):.4f}, test accuracy {accuracy:.4f}" == lines[-3]
    assert lines[-1].startswith("Trained ") and "samples per second" in lines[-1] and "threads" in lines[-1]
    assert fastnn.current_isa() in lines[-1]
    assert accuracy >= 0.85  # learned from 1,500 small pictures
    if lines[-2].startswith("Training curves"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_example_needs_neither_matplotlib_nor_the_network(example, no_data, monkeypatch, capsys):
    pytest.importorskip("sklearn.datasets")

    def refuse(*args):
        raise ImportError("no matplotlib in this test")

    monkeypatch.setattr(fastnn.plotting, "plot_history", refuse)
    example.main(["--epochs", "1"])
    assert "No picture of the training curves: no matplotlib in this test" in capsys.readouterr().out


def test_one_epoch_of_the_example_on_mnist(example, capsys):
    if datasets._files.find("mnist", ["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"]) is None:
        pytest.skip("no MNIST here")
    (x_train, y_train), (x_test, y_test), largest = example.load()
    fastnn.set_random_seed(1)
    model = example.build(x_train.shape[1:], largest)
    assert model.count_params() == 185_300
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, verbose=0)
    assert model.evaluate(x_test, y_test, batch_size=1000, verbose=0)[1] >= 0.94
