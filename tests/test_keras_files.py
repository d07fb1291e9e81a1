"""Weights in files of Keras: the predictions of Keras, and nothing but numbers of the file itself."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import FormatError, layers

h5py = pytest.importorskip("h5py")

FILE = Path(__file__).parent / "golden" / "keras-3.keras"
# Written by Keras 3.15 on JAX: a trained model of the layers below, and what it predicts for `X`.
X = np.arange(12.0).reshape(3, 4) * 3
PREDICTED = [[1.3754879236, 1.9067387581], [1.3463287354, 1.8827379942], [1.2918654680, 1.8263214827]]


def net(hidden=3):
    a = fastnn.Input((4,))
    x = layers.Normalization()(a)
    x = layers.Dense(hidden, activation="tanh")(x)
    x = layers.LayerNormalization()(layers.BatchNormalization()(x))
    inner = fastnn.Sequential([layers.Input((hidden,)), layers.Dense(3, activation="relu"), layers.Dense(2)])
    return fastnn.Model(a, inner(x) + layers.Dense(2)(x))


@pytest.fixture
def weights(tmp_path):
    """The HDF5 file in the archive."""
    path = tmp_path / "model.weights.h5"
    path.write_bytes(zipfile.ZipFile(FILE).read("model.weights.h5"))
    return path


@pytest.mark.parametrize("kind", ["archive", "weights"])
def test_predictions_are_those_of_keras(kind, weights):
    model = net()
    model.load_weights(FILE if kind == "archive" else weights)
    # Four layers in float32, each with some ten roundings of numbers of about 1 (Keras sums in another order).
    np.testing.assert_allclose(model.predict(X, verbose=0), PREDICTED, rtol=40 * 2.0**-23)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras
def test_a_model_trained_in_keras_here(tmp_path):
    pytest.importorskip("jax")
    keras = pytest.importorskip("keras")
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(1)])
    theirs.compile("adam", "mse")
    theirs.fit(X, X[:, :1], epochs=5, verbose=0)
    theirs.save(tmp_path / "model.keras")
    ours = fastnn.Sequential([layers.Dense(5, activation="relu", input_shape=(4,)), layers.Dense(1)])
    ours.load_weights(tmp_path / "model.keras")
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), rtol=1e-5)


def test_other_layers_change_nothing(weights):
    for model, message in (
        (net(hidden=2), r"layers/dense/vars/0 .*\(4, 3\).*\(4, 2\)"),
        (fastnn.Sequential([layers.Dense(3, input_shape=(4,)), layers.PReLU()]), "layers/p_re_lu"),
        (fastnn.Sequential([layers.Dense(3, use_bias=False, input_shape=(4,))]), "received 2 arrays; expected 1"),
    ):
        before = [w.tobytes() for w in model.get_weights()]
        with pytest.raises(FormatError, match=message):
            model.load_weights(weights)
        assert [w.tobytes() for w in model.get_weights()] == before


def change(path, function):
    with h5py.File(path, "r+") as file:
        function(file)


def soft_link(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def external_link(file):
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink("other.h5", "/")


def external_data(file):
    del file["layers/dense/vars/1"]
    file.create_dataset("layers/dense/vars/1", (3,), "f4", external=[("other", 0, 12)])


def virtual_data(file):
    del file["layers/dense/vars/1"]
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    file.create_virtual_dataset("layers/dense/vars/1", layout)


def text(file):
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = [b"a", b"b", b"c"]


def large(file):
    del file["layers/dense/vars/1"]
    file.create_dataset("layers/dense/vars/1", (2**50,), "f4", chunks=(1024,))


CHANGES = [soft_link, external_link, external_data, virtual_data, text, large]


@pytest.mark.parametrize("function", CHANGES, ids=lambda f: f.__name__)
def test_what_is_not_in_the_file_is_refused(function, weights):
    model = net()
    before = [w.tobytes() for w in model.get_weights()]
    change(weights, function)
    with pytest.raises(FormatError) as caught:
        model.load_weights(weights)
    assert caught.value.path == str(weights) and caught.value.field and caught.value.reason
    assert [w.tobytes() for w in model.get_weights()] == before


def test_files_that_are_none(tmp_path):
    path, archive = tmp_path / "a.h5", tmp_path / "a.keras"
    for content in (b"", b"no file", FILE.read_bytes()[:1000]):
        for each in (path, archive):
            each.write_bytes(content)
            with pytest.raises(FormatError):
                net().load_weights(each)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", "{}")
    with pytest.raises(FormatError, match=r"model\.weights\.h5"):
        net().load_weights(archive)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.weights.h5", bytes(32 << 20))  # 32 KB of 32 MB
    with pytest.raises(FormatError, match="at most"):
        net().load_weights(archive)
    for each in (tmp_path / "none.keras", tmp_path / "none.h5"):
        with pytest.raises(FileNotFoundError):
            net().load_weights(each)


def test_without_h5py(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match="keras-files"):
        net().load_weights(FILE)


def test_whole_models_of_keras_are_not_read():
    with pytest.raises(ValueError, match="load_weights"):
        fastnn.load_model(FILE)


def test_the_archive_holds_what_the_test_says():
    with zipfile.ZipFile(FILE) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        assert set(file["layers"]) == {
            *("batch_normalization", "dense", "dense_1", "input_layer"),
            *("layer_normalization", "normalization", "sequential"),
        }
