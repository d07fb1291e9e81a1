"""Pictures: what they show, that they are saved, and that pyplot is left alone."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastnn.plotting import plot_history

LOGS = {
    "accuracy": [0.5, 0.7, 0.8, 0.9],
    "loss": [1.0, 0.6, 0.4, 0.3],
    "val_accuracy": [0.5, 0.6, 0.7, 0.7],
    "val_loss": [1.1, 0.8, 0.6, 0.6],
}


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib")


def test_panels_curves_and_labels(matplotlib):
    figure = plot_history(LOGS, title="a run")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert [text.get_text() for text in figure.texts] == ["a run"]
    for axes, name in zip(figure.axes, ["loss", "accuracy"], strict=True):
        training, validation = axes.get_lines()
        assert axes.get_xlabel() == "epoch"
        assert training.get_xdata().tolist() == validation.get_xdata().tolist() == [1, 2, 3, 4]
        assert training.get_ydata().tolist() == LOGS[name]
        assert validation.get_ydata().tolist() == LOGS["val_" + name]
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]


def test_history_object_continued_at_a_later_epoch(matplotlib):
    history = SimpleNamespace(history={"loss": [3.0, 2.0, 1.0], "val_loss": [4.0]}, epoch=[3, 4, 5])
    training, validation = plot_history(history).axes[0].get_lines()
    assert training.get_xdata().tolist() == [4, 5, 6]
    assert validation.get_xdata().tolist() == [6]  # validation_freq=3


@pytest.mark.parametrize(("epochs", "freq"), [(10, 1), (10, 2), (11, 2), (10, 3)])
def test_validation_every_few_epochs(matplotlib, epochs, freq):
    logs = {"loss": np.ones(epochs), "val_loss": np.ones(epochs // freq)}
    training, validation = plot_history(logs).axes[0].get_lines()
    assert training.get_xdata().tolist() == list(range(1, epochs + 1))
    assert validation.get_xdata().tolist() == list(range(freq, epochs + 1, freq))


def test_many_metrics_one_epoch_and_gaps(matplotlib, tmp_path):
    logs = {f"metric_{i}": [float(i)] for i in range(6)} | {"loss": [float("nan")], "val_auc": [0.5]}
    figure = plot_history(logs, path=tmp_path / "run.png")
    assert len(figure.axes) == 8 and figure.axes[0].get_ylabel() == "loss"
    assert figure.axes[-1].get_lines()[0].get_label() == "validation"


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_saving(matplotlib, tmp_path, ending, start):
    plot_history(LOGS, path=tmp_path / f"run.{ending}")
    assert (tmp_path / f"run.{ending}").read_bytes().startswith(start)


def test_pyplot_and_settings_are_left_alone(matplotlib):
    code = (
        # rcParams.copy() compares without choosing a backend, which would import pyplot
        "import sys, fastnn.plotting as p\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "p.plot_history({'loss': [1, 2]})\n"
        "assert 'matplotlib.pyplot' not in sys.modules and matplotlib.rcParams.copy() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib(monkeypatch):
    for name in ["matplotlib", *(name for name in sys.modules if name.startswith("matplotlib."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install fastnn\[plot\]"):
        plot_history(LOGS)


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ([1, 2], TypeError, "history: received "),
        ({}, ValueError, "history: received no values"),
        ({"loss": []}, ValueError, "history: received no values"),
        ({"f1": [[0.1, 0.2]]}, ValueError, "history\\['f1'\\]: received "),
        ({"loss": ["low"]}, ValueError, "history\\['loss'\\]: received "),
        (SimpleNamespace(history={"loss": [1, 2]}, epoch=[0]), ValueError, "history.epoch: received 1 epochs"),
    ],
)
def test_wrong_history(history, error, message):
    with pytest.raises(error, match=f"^{message}.*; to fix it, "):
        plot_history(history)


def test_curve_that_fits_no_epochs(matplotlib):
    with pytest.raises(ValueError, match=r"^history\['val_loss'\]: received 4 values; expected"):
        plot_history({"loss": [1, 2, 3, 4, 5], "val_loss": [1, 2, 3, 4]})
