"""Callbacks that write files: trainings that go on after any interruption with the bits of one without."""

import csv
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_mutated_files import joined, parts

import fastnn
from fastnn import FormatError, callbacks, layers, optimizers, schedules
from fastnn.callbacks import BackupAndRestore, CSVLogger, ModelCheckpoint, TerminateOnNaN
from fastnn.saving import files

RNG = np.random.default_rng(8)
X = RNG.standard_normal((60, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 60)
EPOCHS = 6


class Batches(fastnn.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return X[10 * i : 10 * i + 10], Y[10 * i : 10 * i + 10]


def net(optimizer="adam", seed=4):
    layers.base.reset_names()
    fastnn.set_random_seed(seed)
    model = fastnn.Sequential(
        [
            layers.Dense(6, activation="tanh", input_shape=(4,)),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def bits(model):
    kept = model.optimizer.state(model.variables)
    return [w.tobytes() for w in model.get_weights()] + [kept[name].tobytes() for name in sorted(kept)]


class Killed(BaseException):
    pass


class Kill(callbacks.Callback):
    """Ends training in the middle of an epoch, as a power failure does."""

    def __init__(self, epoch=None, batch=0):
        self.epoch, self.batch, self.now = epoch, batch, None
        if epoch is not None:
            self.on_train_batch_end = self.after

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def after(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, self.batch):
            raise Killed


def others(folder):
    return [
        callbacks.EarlyStopping("loss", patience=4, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("accuracy", patience=1, factor=0.5),
        CSVLogger(folder / "log.csv"),
        ModelCheckpoint(folder / "best.safetensors", "loss", save_best_only=True),
    ]


def train(folder, make=lambda: "adam", data=None, kill=None, swaps=False, **options):
    """A training with backups, its history, and what is in its other files."""
    folder.mkdir(exist_ok=True)
    model = net(make())
    watching = others(folder) if not callable(getattr(model.optimizer, "_learning_rate", None)) else []
    x, y = data() if data else (X, Y)
    called = [BackupAndRestore(folder / "backup"), *[callbacks.SwapEMAWeights(True)] * swaps, *watching, kill or Kill()]
    options = {"batch_size": 10} | options if data is None else options
    history = model.fit(x, y, epochs=EPOCHS, verbose=0, callbacks=called, **options)
    written = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    assert not [path for path in (folder / "backup").iterdir() if path.suffix != ".damaged"]
    return bits(model), history.history, history.epoch, model.optimizer.iterations, written


CASES = {
    "arrays": {},
    "validation": {"validation_split": 0.3},
    "weights": {"sample_weight": RNG.random(60), "shuffle": False},
    "steps": {"steps_per_epoch": 3},
    "dataset": {"data": lambda: (Batches(), None)},
    "dataset-steps": {"data": lambda: (Batches(), None), "steps_per_epoch": 6},
    "swapped": {"make": lambda: optimizers.Adam(0.1, use_ema=True), "swaps": True, "validation_split": 0.3},
    "averages": {"make": lambda: optimizers.RMSprop(0.01, use_ema=True, centered=True)},
    "accumulation": {"make": lambda: optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=4)},
    "schedule": {"make": lambda: optimizers.Nadam(schedules.CosineDecay(0.1, 50))},
    "lbfgs": {"make": lambda: optimizers.LBFGS(), "batch_size": "full"},
}


@pytest.mark.parametrize("case", CASES)
def test_killed_in_the_middle_it_ends_in_the_same_bits(case, tmp_path):
    options, last = CASES[case], {"lbfgs": 0, "steps": 2}.get(case, 3)
    expected = train(tmp_path / "whole", **options)
    for kill in (Kill(0, last), Kill(2, 0), Kill(2, last), Kill(4, 0)):
        with pytest.raises(Killed):
            train(tmp_path / "killed", kill=kill, **options)
    assert train(tmp_path / "killed", **options) == expected


def test_two_files_are_kept_and_a_damaged_one_is_skipped(tmp_path):
    expected = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(4, 1))
    backups = sorted((tmp_path / "killed" / "backup").iterdir())
    assert [path.name for path in backups] == ["epoch-3.safetensors", "epoch-4.safetensors"]
    damaged = bytearray(backups[1].read_bytes())
    damaged[-1] ^= 1
    backups[1].write_bytes(damaged)
    with pytest.warns(UserWarning, match=r"skips .*epoch-4\.safetensors.*: array"):
        assert train(tmp_path / "killed") == expected


def test_a_training_that_was_stopped_is_at_its_end(tmp_path):
    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    class Last(callbacks.Callback):
        kills = True

        def on_train_end(self, logs=None):
            if self.kills:
                raise Killed

    def run():
        return net().fit(X, Y, epochs=5, verbose=0, callbacks=[Stop(), Last(), BackupAndRestore(tmp_path)])

    with pytest.raises(Killed):
        run()
    Last.kills = False
    assert run().epoch == [0, 1, 2]


SCRIPT = """
import hashlib, json, sys
import numpy as np
import fastnn
from fastnn import callbacks, layers

folder, threads = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
x, y = rng.standard_normal((2000, 10)).astype(np.float32), rng.integers(0, 3, 2000)
fastnn.set_num_threads(threads)
fastnn.set_random_seed(2)
model = fastnn.Sequential([
    layers.Dense(16, activation="relu", input_shape=(10,)), layers.Dropout(0.1), layers.Dense(3, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
print("begins", flush=True)
history = model.fit(x, y, epochs=60, batch_size=16, verbose=0, validation_split=0.1, callbacks=[
    callbacks.BackupAndRestore(folder),
    callbacks.EarlyStopping("val_loss", patience=100, restore_best_weights=True),
    callbacks.CSVLogger(folder + ".csv"),
])
digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights()))
digest.update(json.dumps([history.epoch, history.history]).encode())
digest.update(open(folder + ".csv", "rb").read())
print(digest.hexdigest())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("kills", [8, pytest.param(40, marks=pytest.mark.long)])
def test_killed_by_the_system_at_any_moment_it_ends_in_the_same_bits(kills, tmp_path):
    def start(folder, threads):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / folder), str(threads)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begins\n", process.stderr.read()
        return process

    def digest(process):
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        return out.strip()

    began = time.monotonic()
    expected = digest(start("whole", 1))
    seconds, moments, killed = time.monotonic() - began, random.Random(1), 0
    while killed < kills:
        process = start("killed", 1 + killed % 2)
        time.sleep(moments.uniform(0, min(1.0, 4 * seconds / kills)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1
        if process.returncode == 0:  # it had ended before
            break
    assert digest(start("killed", 2)) == expected


@pytest.mark.parametrize(
    "change, field",
    [
        (lambda: {"seed": 5}, "seed"),
        (lambda: {"called": [callbacks.Callback()]}, "callbacks"),
        (lambda: {"units": 7}, "weights/0"),
    ],
    ids=["seed", "callbacks", "layers"],
)
def test_a_backup_of_another_training_is_refused(change, field, tmp_path):
    def run(seed=4, called=(), units=6, kill=None):
        fastnn.set_random_seed(seed)
        model = fastnn.Sequential([layers.Dense(units, input_shape=(4,)), layers.Dense(3)])
        model.compile("sgd", "mse")
        before = bits(model)
        try:
            model.fit(X, X[:, :3], epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), *called, kill or Kill()])
        except FormatError:
            assert bits(model) == before
            raise

    with pytest.raises(Killed):
        run(kill=Kill(2, 0))
    with pytest.raises(FormatError, match=field):
        run(**change())


def test_a_backup_of_another_optimizer_or_other_data_is_refused(tmp_path):
    def run(optimizer="adam", data=(X, Y), kill=None):
        model = net(optimizer)
        before = bits(model)
        try:
            model.fit(*data, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), kill or Kill()])
        except FormatError:
            assert bits(model) == before and model.optimizer.iterations == 0
            raise

    with pytest.raises(Killed):
        run(kill=Kill(2, 0))
    for options, field in (
        ({"optimizer": "nadam"}, "optimizer"),
        ({"optimizer": optimizers.Adam(beta_1=0.5)}, "optimizer"),
        ({"data": (Batches(), None)}, "data"),
    ):
        with pytest.raises(FormatError, match=field):
            run(**options)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.pop("callbacks"),
        lambda b: b.pop("learning_rate"),
        lambda b: b.update(learning_rate="x"),
        lambda b: b.update(epoch=None),
        lambda b: b.update(epoch=-1),
        lambda b: b.update(source=[1]),
        lambda b: b.update(source=["a", 2]),
        lambda b: b.update(random=[]),
        lambda b: b["callbacks"][0].__setitem__(1, []),
        lambda b: b["callbacks"][1][1]["dict"].append(["model", 3]),
        lambda b: b["callbacks"][1][1]["dict"][1].__setitem__(1, {"array": "none"}),
    ],
    ids=range(11),
)
def test_a_backup_that_says_something_else_changes_nothing(change, tmp_path):
    def run(kill=None):
        model = net()
        stop = callbacks.EarlyStopping("loss", patience=9)
        before = bits(model)
        try:
            model.fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), stop, kill or Kill()])
        except FormatError:
            assert bits(model) == before and model.optimizer.iterations == 0
            raise

    with pytest.raises(Killed):
        run(Kill(2, 0))
    for path in tmp_path.iterdir():
        header, description, rest = parts(path.read_bytes())
        change(description["backup"])
        path.write_bytes(joined(header, description, rest))
    with pytest.raises(FormatError):
        run()


def test_data_that_draw_random_numbers_go_on_drawing(tmp_path):
    class Noisy(Batches):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + np.random.normal(size=x.shape) + random.random(), y

    def run(folder, kill=None):
        random.seed(3)
        model = net()
        model.fit(Noisy(), epochs=4, verbose=0, callbacks=[BackupAndRestore(folder), kill or Kill()])
        return bits(model)

    expected = run(tmp_path / "whole")
    for kill in (Kill(1, 2), Kill(3, 0)):
        with pytest.raises(Killed):
            run(tmp_path / "killed", kill)
    assert run(tmp_path / "killed") == expected


def test_with_both_files_damaged_it_begins_anew(tmp_path):
    expected = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(4, 1))
    for path in (tmp_path / "killed" / "backup").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "killed" / "backup" / ".epoch-3.safetensors.12345678.tmp").write_bytes(b"left")
    with pytest.warns(UserWarning, match="skips"), pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(2, 1))
    assert sorted(path.name for path in (tmp_path / "killed" / "backup").glob("*.safetensors")) == [
        "epoch-1.safetensors",
        "epoch-2.safetensors",
    ]
    assert train(tmp_path / "killed")[:4] == expected[:4]


def test_generators_are_refused_before_training(tmp_path):
    model = net()
    before = bits(model)
    with pytest.raises(ValueError, match="can begin with any epoch"):
        model.fit(((X, Y) for _ in range(100)), steps_per_epoch=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    with pytest.raises(ValueError, match="validation_data: received"):
        tested = ((X, Y) for _ in range(100))
        options = {"validation_data": tested, "validation_steps": 2, "callbacks": [BackupAndRestore(tmp_path)]}
        model.fit(X, Y, verbose=0, **options)
    with pytest.raises(ValueError, match="steps_per_epoch: received 4"):
        model.fit(Batches(), steps_per_epoch=4, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert bits(model) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_missing_space_shows_before_the_first_epoch(number, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "write", fail)
    model = net()
    before = bits(model)
    with pytest.raises(OSError) as caught:
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path / "backup")])
    assert caught.value.errno == number and bits(model) == before
    assert not list((tmp_path / "backup").iterdir())


def test_the_files_stay_if_they_shall(tmp_path):
    net().fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path, delete_checkpoint=False)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-2.safetensors", "epoch-3.safetensors"]
    model = net()
    model.fit(X, Y, epochs=5, verbose=0, callbacks=[BackupAndRestore(tmp_path)])  # two more
    whole = net()
    whole.fit(X, Y, epochs=5, verbose=0)
    assert bits(model) == bits(whole)


def test_callbacks_of_ones_own_remember_what_they_say(tmp_path):
    class Count(callbacks.Callback):
        kept = ("numbers", "array")

        def __init__(self):
            self.numbers, self.array = {"nan": float("nan"), 3: [1.5]}, np.zeros(2)

        def on_epoch_end(self, epoch, logs=None):
            self.numbers["nan"], self.array = float("inf"), self.array + 1

    count = Count()
    with pytest.raises(Killed):
        net().fit(X, Y, epochs=4, verbose=0, callbacks=[count, BackupAndRestore(tmp_path), Kill(2, 0)])
    again = Count()
    net().fit(X, Y, epochs=4, verbose=0, callbacks=[again, BackupAndRestore(tmp_path), Kill()])
    assert again.array.tolist() == [4.0, 4.0] and again.numbers == {"nan": float("inf"), 3: [1.5]}


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


WRONG = {
    "filepath": (lambda: ModelCheckpoint(3), TypeError, "filepath: received 3"),
    "save-freq": (lambda: ModelCheckpoint("m", save_freq="batch"), ValueError, "save_freq: received 'batch'"),
    "save-freq-0": (lambda: ModelCheckpoint("m", save_freq=0), ValueError, "save_freq: received 0"),
    "best": (lambda: ModelCheckpoint("m", save_best_only="yes"), TypeError, "save_best_only: received 'yes'"),
    "weights": (lambda: ModelCheckpoint("m", save_weights_only=2), TypeError, "save_weights_only: received 2"),
    "mode": (lambda: ModelCheckpoint("m", save_best_only=True, mode="up"), ValueError, "mode: received 'up'"),
    "threshold": (lambda: ModelCheckpoint("m", initial_value_threshold="0"), TypeError, "initial_value_threshold"),
    "field": (lambda: fit(ModelCheckpoint("{val_loss}")), ValueError, "filepath: received '{val_loss}'"),
    "format": (lambda: fit(ModelCheckpoint("{epoch:x.y}")), ValueError, "filepath: received '{epoch:x.y}'"),
    "backup-dir": (lambda: BackupAndRestore(None), TypeError, "backup_dir: received None"),
    "backup-empty": (lambda: BackupAndRestore(""), TypeError, "backup_dir: received ''"),
    "backup-freq": (lambda: BackupAndRestore("b", save_freq=10), ValueError, "save_freq: received 10"),
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


def test_states_of_callbacks_are_json_and_arrays(tmp_path):
    """So that what a backup has can be read by others."""
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(3, 0))
    from safetensors import safe_open

    with safe_open(tmp_path / "killed" / "backup" / "epoch-3.safetensors", "numpy") as file:
        found = json.loads(file.metadata()["fastnn"])["backup"]
        assert [name for name, _ in found["callbacks"]][:2] == ["BackupAndRestore", "EarlyStopping"]
        assert sum(name.startswith("callbacks/") for name in list(file.keys())) == 8  # the best weights
