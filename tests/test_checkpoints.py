"""Callbacks that write models and tables, end trainings that diverge, and evaluate running means."""

import csv
import os
import re
import time
from datetime import timedelta

import numpy as np
import pytest
from nets import bits
from test_resume import Kill, Killed, X, Y, net

import fastnn
from fastnn import callbacks, layers, optimizers
from fastnn.callbacks import BackupAndRestore, CSVLogger, ModelCheckpoint, TerminateOnNaN

# ---- ModelCheckpoint ---------------------------------------------------------------------------------------


def test_names_have_epoch_and_logs(tmp_path):
    model = net()
    target = tmp_path / "new" / "{epoch:02d}-{loss:.3f}-{val_accuracy:.2f}.safetensors"
    history = model.fit(X, Y, epochs=3, verbose=0, validation_split=0.2, callbacks=ModelCheckpoint(target)).history
    expected = [f"{i + 1:02d}-{history['loss'][i]:.3f}-{history['val_accuracy'][i]:.2f}.safetensors" for i in range(3)]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(expected)
    assert bits(fastnn.load_model(tmp_path / "new" / expected[2])) == bits(model)


def test_the_best_only(tmp_path, capsys):
    class Script(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["watched"] = [0.5, 0.7, 0.4, 0.4, 0.2][epoch]

    for mode, best in (("min", [1, 3, 5]), ("max", [1, 2])):
        check = ModelCheckpoint(tmp_path / (mode + "-{epoch}"), "watched", 1, save_best_only=True, mode=mode)
        net().fit(X, Y, epochs=5, verbose=0, callbacks=[Script(), check])
        assert sorted(path.name for path in tmp_path.glob(f"{mode}-*")) == [f"{mode}-{i}" for i in best]
    assert "Epoch 2: watched improved from 0.5 to 0.7: saving model to" in capsys.readouterr().out
    check = ModelCheckpoint(
        tmp_path / "t-{epoch}", "watched", save_best_only=True, mode="min", initial_value_threshold=0.45
    )
    net().fit(X, Y, epochs=5, verbose=0, callbacks=[Script(), check])
    assert sorted(path.name for path in tmp_path.glob("t-*")) == ["t-3", "t-5"]


def test_the_best_stays_from_one_training_to_the_next(tmp_path):
    model, check = net(), ModelCheckpoint(tmp_path / "best", "loss", save_best_only=True)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=check)
    best, before = check.best, (tmp_path / "best").read_bytes()
    net(optimizers.SGD(0.0), seed=9).fit(X, Y, epochs=1, verbose=0, callbacks=check)  # a worse one
    assert check.best == best and (tmp_path / "best").read_bytes() == before


def test_after_so_many_batches_that_run_together(tmp_path):
    model = net()
    model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=3)
    model.fit(X, Y, batch_size=5, verbose=0, callbacks=ModelCheckpoint(tmp_path / "{batch}", save_freq=5))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["12", "6"]


def test_after_so_many_batches(tmp_path):
    check = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=4, save_weights_only=True)
    net().fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=check)  # 6 batches each
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-4", "2-2", "2-6"]
    model = net(seed=9)
    model.load_weights(tmp_path / "2-6")
    whole = net()
    whole.fit(X, Y, batch_size=10, epochs=2, verbose=0)
    assert model.get_weights()[0].tobytes() == whole.get_weights()[0].tobytes()


def test_after_so_much_time(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Clock(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            now[0] += 1

        def on_test_end(self, logs=None):
            now[0] += 2

    check = ModelCheckpoint(tmp_path / "{epoch} {batch} {loss}", save_freq=timedelta(seconds=3.5))
    at_end = ModelCheckpoint(tmp_path / "{epoch} of {val_loss}", save_freq=timedelta(seconds=8))
    model = net()
    options = {"batch_size": 10, "epochs": 2, "validation_data": (X, Y), "callbacks": [Clock(), at_end]}
    history = model.fit(X, Y, verbose=0, **options).history  # 6 batches and the validation: 8 s
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{i + 1} of {history['val_loss'][i]}" for i in (0, 1)]
    model.fit(X, Y, 10, 2, verbose=0, callbacks=[Clock(), check])
    assert sorted(path.name[:3] for path in tmp_path.iterdir() if "of" not in path.name) == ["1 4", "2 2", "2 6"]
    assert bits(fastnn.load_model(next(tmp_path.glob("2 of*")))) != bits(model)


def test_what_only_whole_epochs_have_is_waited_for(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Clock(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            now[0] += 1

    often = timedelta(seconds=2)
    best = ModelCheckpoint(tmp_path / "best {epoch} {batch}", save_best_only=True, save_freq=often)
    named = ModelCheckpoint(tmp_path / "named {epoch} {batch} {val_loss:.2f}", save_freq=often)
    options = {"epochs": 2, "validation_data": (X, Y), "callbacks": [Clock(), best, named]}
    losses = net(optimizers.SGD(0.1)).fit(X, Y, 10, verbose=0, **options).history["val_loss"]
    assert losses[1] < losses[0]
    names = [f"best {i} 6" for i in (1, 2)] + [f"named {i} 6 {losses[i - 1]:.2f}" for i in (1, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_the_batch_in_a_name_is_the_last_one_that_was_done(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            now[0] += 10

        def on_train_batch_end(self, batch, logs=None):
            if (self.params["epochs"], batch) == (7, 2):
                self.model.stop_training = True

    def batches():
        for low in range(0, 60, 10):
            yield X[low : low + 10], Y[low : low + 10]

    class Again:
        def __iter__(self):
            return batches()

    for epochs in (3, 7):
        check = ModelCheckpoint(tmp_path / (f"{epochs}" + " {epoch} {batch}"), save_freq=timedelta(seconds=5))
        net().fit(Again(), epochs=epochs, verbose=0, callbacks=[Stop(), check])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3 1 6", "3 2 6", "3 3 6", "7 1 3"]


def test_hooks_of_a_subclass_are_called(tmp_path):
    calls = []

    class Check(ModelCheckpoint):
        def on_train_batch_end(self, batch, logs=None):
            calls.append(batch)
            super().on_train_batch_end(batch, logs)

    class Ends(TerminateOnNaN):
        def on_batch_end(self, batch, logs=None):
            calls.append(-batch)

    for save_freq in ("epoch", 3):
        calls.clear()
        called = [Check(tmp_path / f"{save_freq}", save_freq=save_freq), Ends()]
        net().fit(X, Y, 20, verbose=0, callbacks=called, on_nonfinite="ignore")
        assert calls == [0, 0, 1, -1, 2, -2]


def test_a_monitor_that_is_missing_is_warned_of(tmp_path):
    check = ModelCheckpoint(tmp_path / "best", "val_loss", save_best_only=True)
    with pytest.warns(UserWarning, match="no 'val_loss'"):
        net().fit(X, Y, epochs=2, verbose=0, callbacks=check)
    assert not list(tmp_path.iterdir())


# ---- CSVLogger and TerminateOnNaN --------------------------------------------------------------------------


def test_a_table_of_logs(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    history = net().fit(X, Y, epochs=3, verbose=0, callbacks=CSVLogger(path, ";")).history
    with path.open() as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert rows[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]  # as Keras has them
    assert [int(row[0]) for row in rows[1:]] == [0, 1, 2] and {cell for row in rows[1:] for cell in row[3:]} == {"NA"}
    assert [[float(v) for v in row[1:3]] for row in rows[1:]] == [
        list(v) for v in zip(history["accuracy"], history["loss"], strict=True)
    ]


def test_a_table_that_has_lost_lines_is_warned_of(tmp_path):
    def run(kill=None):
        called = [CSVLogger(tmp_path / "log.csv"), BackupAndRestore(tmp_path / "backup"), kill or Kill()]
        net().fit(X, Y, epochs=4, verbose=0, callbacks=called)

    with pytest.raises(Killed):
        run(Kill(2, 0))
    os.truncate(tmp_path / "log.csv", 5)
    with pytest.warns(UserWarning, match="has lost what was in it"):
        run()
    text = (tmp_path / "log.csv").read_text()
    assert "\0" not in text and text.splitlines()[-1].startswith("3,")


def test_a_table_goes_on(tmp_path):
    path = tmp_path / "log.csv"
    for append in (False, True):
        net().fit(X, Y, epochs=2, verbose=0, callbacks=CSVLogger(path, append=append))
    rows = path.read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1", "0", "1"]
    logger = CSVLogger(path, append=True)
    logger.on_train_begin()
    logger.on_epoch_end(7, {"loss": np.array([1.0, 2.0]), "other": 3})
    assert path.read_text().splitlines()[-1] == "7,NA,[1.0 2.0],NA,NA"


@pytest.mark.parametrize("policy", ["raise", "ignore"])
def test_training_ends_where_it_diverges(policy, capsys):
    x, y = np.ones((40, 1)), np.full((40, 1), 1e30)
    model = fastnn.Sequential([layers.Dense(1, input_shape=(1,))])
    model.compile(optimizers.SGD(1e30), "mse")
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[TerminateOnNaN()], on_nonfinite=policy)
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    assert len(history.epoch) <= 1 and np.isfinite(model.get_weights()[0]).all() == (policy == "raise")
    assert net().fit(X, Y, epochs=2, verbose=0, callbacks=[TerminateOnNaN()]).epoch == [0, 1]
    model.set_weights([np.ones((1, 1)), np.ones(1)])
    with pytest.raises(fastnn.NonFiniteError):
        model.fit(x, y, epochs=3, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)], on_nonfinite=policy)


def test_where_it_ends_does_not_depend_on_time(capsys):
    """The third batch of a hundred is not finite."""
    x, y = np.ones((400, 1)), np.zeros((400, 1))
    y[8:12] = np.nan
    for _ in range(3):
        model = fastnn.Sequential([layers.Dense(1, input_shape=(1,))])
        model.compile("sgd", "mse")
        model.fit(x, y, 4, 3, verbose=0, shuffle=False, callbacks=[TerminateOnNaN()], on_nonfinite="ignore")
        assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"
        assert model.optimizer.iterations == 3
    stop = TerminateOnNaN()
    for policy, steps in (("ignore", 3), ("skip", 100)):
        model.compile("sgd", "mse")
        model.set_weights([np.ones((1, 1)), np.ones(1)])
        model.fit(x, y, 4, verbose=0, shuffle=False, callbacks=[stop], on_nonfinite=policy)
        assert model.optimizer.iterations == steps and np.isfinite(model.get_weights()[0]).all() == (policy == "skip")


def test_a_validation_that_is_not_finite_ends_nothing():
    model = net()
    nothing = (np.full((4, 4), np.nan, np.float32), Y[:4])
    options = {"validation_data": nothing, "callbacks": [TerminateOnNaN()], "on_nonfinite": "ignore"}
    assert model.fit(X, Y, epochs=3, verbose=0, **options).epoch == [0, 1, 2]


# ---- SwapEMAWeights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_epoch", [False, True])
@pytest.mark.parametrize("stops", [False, True])
def test_running_means_are_evaluated(on_epoch, stops, tmp_path):
    """Against the means of the weights after each step, worked out with the weights of a training of its own."""
    momentum, rate = 0.75, 0.1

    def make(**options):
        fastnn.set_random_seed(1)
        model = fastnn.Sequential([layers.Dense(1, input_shape=(4,))])
        model.compile(optimizers.SGD(rate, **options), "mse")
        return model

    plain, means, losses, ends = make(), None, [], []
    for _ in range(3):
        for low in range(0, 60, 20):
            plain.train_on_batch(X[low : low + 20], X[low : low + 20, :1])
            now = [w.astype(np.float64) for w in plain.get_weights()]
            means = (
                now if means is None else [momentum * m + (1 - momentum) * w for m, w in zip(means, now, strict=True)]
            )
        losses.append(((X @ means[0] + means[1] - X[:, :1]) ** 2).mean())
        ends.append(means[0])

    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = stops and epoch == 1

    model = make(use_ema=True, ema_momentum=momentum)
    called = [callbacks.SwapEMAWeights(on_epoch), ModelCheckpoint(tmp_path / "{epoch}"), Stop()]
    history = model.fit(
        X, X[:, :1], 20, 3, verbose=0, shuffle=False, validation_data=(X, X[:, :1]), callbacks=called
    ).history
    last = 2 if stops else 3
    np.testing.assert_allclose(history["val_loss"], losses[:last], rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], ends[last - 1], rtol=1e-5)
    if on_epoch:
        for epoch in range(last):
            saved = fastnn.load_model(tmp_path / str(epoch + 1))
            np.testing.assert_allclose(saved.get_weights()[0], ends[epoch], rtol=1e-5)
    with pytest.raises(ValueError, match="use_ema=True"):
        make().fit(X, X[:, :1], verbose=0, callbacks=[callbacks.SwapEMAWeights()])


def test_weights_and_means_are_where_they_were_after_an_error():
    def broken():
        yield X[:20], X[:20, :1]
        raise RuntimeError("no more")

    model = fastnn.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile(optimizers.SGD(0.1, use_ema=True), "mse")
    model.train_on_batch(X, X[:, :1])
    model.train_on_batch(X, X[:, :1])
    before = bits(model)
    with pytest.raises(RuntimeError, match="no more"):
        model.evaluate(broken(), verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert bits(model) == before and not model.optimizer.swapped


SOON = timedelta(microseconds=1)
WRONG = {
    "filepath": (lambda: ModelCheckpoint(3), TypeError, "filepath: received 3"),
    "save-freq": (lambda: ModelCheckpoint("m", save_freq="batch"), ValueError, "save_freq: received 'batch'"),
    "save-freq-0": (lambda: ModelCheckpoint("m", save_freq=0), ValueError, "save_freq: received 0"),
    "best": (lambda: ModelCheckpoint("m", save_best_only="yes"), TypeError, "save_best_only: received 'yes'"),
    "weights": (lambda: ModelCheckpoint("m", save_weights_only=2), TypeError, "save_weights_only: received 2"),
    "mode": (lambda: ModelCheckpoint("m", save_best_only=True, mode="up"), ValueError, "mode: received 'up'"),
    "threshold": (lambda: ModelCheckpoint("m", initial_value_threshold="0"), TypeError, "initial_value_threshold"),
    "field": (lambda: fit(ModelCheckpoint("{val_loss}")), ValueError, "filepath: received '{val_loss}'"),
    "format-timed": (lambda: fit(ModelCheckpoint("{", save_freq=SOON)), ValueError, "filepath: received '{'"),
    "format": (lambda: fit(ModelCheckpoint("{epoch:x.y}")), ValueError, "filepath: received '{epoch:x.y}'"),
    "backup-dir": (lambda: BackupAndRestore(None), TypeError, "backup_dir: received None"),
    "backup-empty": (lambda: BackupAndRestore(""), TypeError, "backup_dir: received ''"),
    "backup-freq": (lambda: BackupAndRestore("b", save_freq=timedelta(0)), ValueError, "save_freq: received"),
    "backup-double": (lambda: BackupAndRestore("b", double_checkpoint=True), ValueError, "double_checkpoint"),
    "backup-delete": (lambda: BackupAndRestore("b", delete_checkpoint=None), TypeError, "delete_checkpoint"),
    "csv": (lambda: CSVLogger(3), TypeError, "filename: received 3"),
    "csv-separator": (lambda: CSVLogger("a.csv", ", "), ValueError, "separator: received ', '"),
    "csv-append": (lambda: CSVLogger("a.csv", append="a"), TypeError, "append: received 'a'"),
}


def fit(callback):
    return net().fit(X, Y, epochs=1, verbose=0, callbacks=callback)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, kind, message = WRONG[name]
    with pytest.raises(kind, match=re.escape(message)):
        call()
    assert not list(tmp_path.iterdir())
