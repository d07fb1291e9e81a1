"""BackupAndRestore: trainings go on after any interruption with the bits of one without."""

import collections
import contextlib
import copy
import enum
import errno
import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
import weakref
from datetime import timedelta

import nets
import numpy as np
import pytest
from nets import bits
from test_mutated_files import joined, parts

import fastnn
from fastnn import FormatError, callbacks, layers, metrics, optimizers, schedules
from fastnn.callbacks import BackupAndRestore, CSVLogger, ModelCheckpoint
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
    return nets.net(optimizer, seed)


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
        if self.now == self.epoch and batch >= self.batch:
            raise Killed


def goes_on(run, folder, *kills):
    """A training in a folder, killed so often, ends as one in another folder that is not."""
    expected = run(folder / "whole")
    for kill in kills:
        with pytest.raises(Killed):
            run(folder / "killed", kill)
    assert run(folder / "killed") == expected


def others(folder):
    return [
        callbacks.EarlyStopping("loss", patience=4, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("accuracy", patience=1, factor=0.5),
        CSVLogger(folder / "log.csv"),
        ModelCheckpoint(folder / "best.safetensors", "loss", save_best_only=True),
    ]


def train(
    folder, make=lambda: "adam", data=None, kill=None, swaps=False, every="epoch", more=lambda folder: [], scores=None,
    eager=False, at_once=1, **options,
):  # fmt: skip
    """A training with backups, its history, and what is in its other files."""
    folder.mkdir(exist_ok=True)
    model = net(make())
    loss = "mse" if scores else "sparse_categorical_crossentropy"
    compiled = {"run_eagerly": eager, "steps_per_execution": at_once}
    model.compile(make(), loss, metrics=["accuracy", *(scores or ())], **compiled)
    fixed = callable(model.optimizer._learning_rate) or isinstance(model.optimizer, optimizers.Rprop)
    watching = [] if fixed else others(folder)
    x, y = data() if data else (X, Y)
    backup = BackupAndRestore(folder / "backup", every)
    called = [backup, *[callbacks.SwapEMAWeights(True)] * swaps, *more(folder), *watching, kill or Kill()]
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
    options, last = CASES[case], {"lbfgs": 0, "rprop": 0, "steps": 2}.get(case, 3)
    expected = train(tmp_path / "whole", **options)
    for kill in (Kill(0, last), Kill(2, 0), Kill(2, last), Kill(4, 0)):
        with pytest.raises(Killed):
            train(tmp_path / "killed", kill=kill, **options)
    assert train(tmp_path / "killed", **options) == expected


class Largest(metrics.Metric):
    """A metric that keeps what it needs in an attribute."""

    kept = ("largest",)
    largest = 0.0

    def reset_state(self):
        self.largest = 0.0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest = max(self.largest, float(np.abs(y_true - y_pred).max()))

    def result(self):
        return self.largest


class Shuffled(Batches):
    """Changes itself, as data sets for Keras do."""

    kept = ("indices", "calls")

    def __init__(self):
        super().__init__()
        self.indices, self.calls = np.arange(60, dtype=np.uint8), (0, np.float32(0))

    def __getitem__(self, i):
        chosen = self.indices[10 * i : 10 * i + 10]
        return X[chosen] * (1 + 0.1 * self.calls[1]) + np.random.normal(size=(10, 4)), Y[chosen]

    def on_epoch_begin(self):
        self.calls = self.calls[0] + 1, np.float32(random.random())

    def on_epoch_end(self):
        np.random.shuffle(self.indices)


def rates(folder):
    return [callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)]


class Drawing(Batches):
    """Draws the batches that it is asked for."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return X[10 * i : 10 * i + 10] + np.random.normal(size=(10, 4)), Y[10 * i : 10 * i + 10]


class Samples(callbacks.Callback):
    """Predictions with dropped units, and of a model that is made and trained on the way."""

    def on_epoch_end(self, epoch, logs=None):
        logs["dropped"] = float(np.asarray(self.model(X[:5], training=True))[0, 0])
        other = fastnn.Sequential([layers.Dense(1, input_shape=(4,))])
        logs["other"] = float(other.predict(X[:1], verbose=0)[0, 0])


class Previous(callbacks.Callback):
    """Needs what it remembers at the beginning of an epoch, and freezes a layer there."""

    kept = ("losses",)

    def __init__(self):
        self.losses = None

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.model.optimizer.learning_rate = 0.01 * min(1.0, self.losses[-1])
        if epoch == 1:
            self.model.layers[0].trainable = False

    def on_epoch_end(self, epoch, logs=None):
        self.losses = [*(self.losses or []), logs["loss"]]


def by_batches(folder):
    return [ModelCheckpoint(folder / "{epoch}-{batch}.safetensors", save_freq=7)]


GATHERING = {"make": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=4)}
SCORES = ["AUC", metrics.AUC(multi_label=True, name="by_label"), metrics.F1Score("macro"), metrics.R2Score(), Largest()]
WITHIN = CASES | {
    "shuffled": {"data": lambda: (Shuffled(), None)},
    "shuffled-validation": {"data": lambda: (X, Y), "validation_data": Shuffled(), "batch_size": 10},
    "rates": {"more": rates, "validation_split": 0.3, "validation_freq": 2},
    "metrics": {"data": lambda: (X, np.eye(3)[Y]), "batch_size": 10, "scores": SCORES, "validation_split": 0.3},
    "scorer": {"data": lambda: (X, np.eye(3)[Y]), "batch_size": 10, "scores": ["balanced_accuracy"]},
    "eager": {"eager": True},
    "rprop": {"make": lambda: optimizers.Rprop(), "batch_size": "full"},
    "drawing": GATHERING | {"data": lambda: (Drawing(), None)},
    "steps-drawing": GATHERING | {"data": lambda: (Drawing(), None), "at_once": 3},
    "steps-hooks": GATHERING | {"at_once": 3, "batch_size": 5, "more": by_batches},
    "samples": {"more": lambda folder: [Samples()]},
    "previous": {"more": lambda folder: [Previous()]},
}


@pytest.mark.parametrize("every", [1, 5, timedelta(microseconds=1)], ids=["1", "5", "time"])
@pytest.mark.parametrize("case", WITHIN)
def test_within_an_epoch_it_goes_on_with_the_next_batch(case, every, tmp_path):
    if case == "scorer":
        pytest.importorskip("sklearn")

    def run(folder, kill=None):
        np.random.seed(7)
        random.seed(7)
        options = WITHIN[case] | ({"validation_data": Shuffled()} if "validation_data" in WITHIN[case] else {})
        return train(tmp_path / folder, kill=kill, every=every, **options)

    last = {"lbfgs": 0, "rprop": 0, "steps": 2}.get(case, 3)
    expected = run("whole")
    for kill in (Kill(0, 0), Kill(0, last), Kill(2, 0), Kill(2, last), Kill(4, min(last, 1))):
        with pytest.raises(Killed):
            run("killed", kill)
    assert run("killed") == expected


def test_within_an_epoch_no_batch_is_done_again(tmp_path):
    seen = []

    class See(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(f"epoch {epoch}")

        def on_train_batch_begin(self, batch, logs=None):
            seen.append(batch)

    def run(kill):
        backup = BackupAndRestore(tmp_path, save_freq=2)
        net().fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[See(), backup, kill])

    with pytest.raises(Killed):
        run(Kill(1, 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "backup-epoch-1-batch-2.safetensors",
        "backup-epoch-1-batch-4.safetensors",
    ]
    seen.clear()
    run(Kill())
    assert seen == ["epoch 1", 4, 5]


def test_time_is_what_it_waits_for(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Clock(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            now[0] += 1
            found.append(sorted(path.name for path in tmp_path.iterdir()))

    found = []
    backup = BackupAndRestore(tmp_path, save_freq=timedelta(seconds=4))
    net().fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[Clock(), backup])
    first, second, third = "backup-epoch-0", "backup-epoch-0-batch-4", "backup-epoch-1-batch-2"
    assert [[name.removesuffix(".safetensors") for name in names] for names in found] == [
        *[[first]] * 4,
        *[[second, first]] * 4,  # the second after the fourth batch; in the order of "-" and "."
        *[[second, third]] * 4,
    ]


def test_a_metric_that_keeps_something_else_is_refused_within_epochs(tmp_path):
    class Silent(Largest):
        kept = None

    def run(save_freq, metric):
        model = net()
        model.compile("adam", "mse", metrics=[metric])
        model.fit(X, np.eye(3)[Y], verbose=0, callbacks=[BackupAndRestore(tmp_path, save_freq)])

    run("epoch", Silent())
    with pytest.raises(ValueError, match=r"metric 'silent': received Silent, which resets itself and does not say"):
        run(3, Silent())
    assert not list(tmp_path.iterdir())
    Silent.kept = ()
    run(3, Silent())


def test_data_that_change_themselves_and_do_not_say_so_are_refused(tmp_path):
    class Silent(Shuffled):
        kept = None

    for data, options, argument in (
        ((Silent(),), {}, "x"),
        ((X, Y), {"validation_data": Silent()}, "validation_data"),
    ):
        with pytest.raises(ValueError, match=f"^{argument}: .*Silent.*which does not; .* kept to their names"):
            net().fit(*data, verbose=0, callbacks=[BackupAndRestore(tmp_path)], **options)
    assert not list(tmp_path.iterdir())


def test_one_folder_for_two_trainings_is_refused(tmp_path):
    def run(kill=None):
        model = net()
        for last in (Kill(), kill or Kill()):
            model.fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), last])

    run()
    with pytest.raises(Killed):
        run(Kill(1, 0))
    with pytest.raises(FormatError, match=r"step with which it began of .*: received 6; expected at most 0"):
        run()


def test_files_stay_until_all_know_of_the_end_and_the_last_logs_are_told_again(tmp_path):
    class Last(callbacks.Callback):
        kills, logs = True, None

        def on_train_end(self, logs=None):
            assert len(list(tmp_path.iterdir())) == 2
            if self.kills:
                raise Killed
            Last.logs = dict(logs)

    def run():
        return net().fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), Last()])

    with pytest.raises(Killed):
        run()
    Last.kills = False
    history = run().history
    assert Last.logs == {name: values[-1] for name, values in history.items()}
    assert not list(tmp_path.iterdir())


def test_what_is_remembered_has_the_types_that_it_had(tmp_path):
    values = {
        "bool": np.array([True, False]),
        "uint64": np.array([2**64 - 1], np.uint64),
        "float16": np.array([1.5], np.float16),
        "numbers": [np.int32(3), np.float64("nan"), np.bool_(True), np.uint64(2**64 - 1), 3, 1.0, True, None],
        "tuple": (1, (2.0, "3")),
    }

    class Keeps(callbacks.Callback):
        kept = ("values",)
        values = None

        def on_epoch_begin(self, epoch, logs=None):
            self.values = values

    with pytest.raises(Killed):
        net().fit(X, Y, epochs=3, verbose=0, callbacks=[Keeps(), BackupAndRestore(tmp_path), Kill(1, 0)])
    again = Keeps()
    again.on_epoch_begin = lambda epoch, logs=None: None
    net().fit(X, Y, epochs=3, verbose=0, callbacks=[again, BackupAndRestore(tmp_path), Kill()])
    assert repr(again.values) == repr(values)

    class Wrong(Keeps):
        def on_epoch_begin(self, epoch, logs=None):
            self.values = np.array(["a"])

    with pytest.raises(ValueError, match=r"state/0 Wrong/0: received numbers of <U1; expected strings, numbers"):
        net().fit(X, Y, verbose=0, callbacks=[Wrong(), BackupAndRestore(tmp_path / "wrong")])


@pytest.mark.parametrize(
    "value",
    [
        collections.OrderedDict(a=1),
        enum.Enum("Kind", "A").A,
        np.ma.array([1]),
        np.array(["a"]),
        np.str_("a"),
        np.longdouble(1),
        1j,
        b"1",
        {1, 2},
        {(1, 2): 3},
        {"a": [object()]},
        np.array([1j]),
    ],
    ids=repr,
)
def test_what_no_file_can_hold_is_refused(value, tmp_path):
    class Keeps(callbacks.Callback):
        kept = ("value",)

    keeps = Keeps()
    keeps.value = value
    with pytest.raises(ValueError, match=r"state/0 Keeps/0.*: received .*; expected strings, numbers .* out of kept"):
        net().fit(X, Y, verbose=0, callbacks=[keeps, BackupAndRestore(tmp_path)])


def test_attributes_called_as_the_methods_are(tmp_path):
    class Data(Batches):
        def __init__(self):
            super().__init__()
            self.state = self.restore = 3

    class Watch(callbacks.Callback):
        def __init__(self):
            self.state = self.restore = {}

    class Total(metrics.Metric):
        target = "labels"

        def __init__(self):
            super().__init__("total")
            self.state = self.add_variable(())

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.state.assign_add(y_pred.sum())

        def result(self):
            return self.state

    def run(folder, kill=None):
        model = net()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=[Total()])
        model.fit(Data(), epochs=3, verbose=0, callbacks=[Watch(), BackupAndRestore(folder, 2), kill or Kill()])
        return bits(model), model.history.history

    goes_on(run, tmp_path, Kill(1, 4))


def test_threads_that_make_batches_go_on(tmp_path):
    class Threads(Batches):
        def __init__(self):
            super().__init__(workers=2, max_queue_size=3)

    def run(folder, kill=None):
        model = net()
        model.fit(Threads(), epochs=3, verbose=0, callbacks=[BackupAndRestore(folder, 2), kill or Kill()])
        return bits(model)

    goes_on(run, tmp_path, Kill(0, 3), Kill(2, 4))


class Counting(ModelCheckpoint):
    kept = (*ModelCheckpoint.kept, "files")
    files = 0

    def _save(self, *arguments):
        self.files += 1
        super()._save(*arguments)


def test_checkpoints_by_batches_go_on_counting(tmp_path):
    def run(folder, kill=None):
        check = Counting(folder / "{epoch}-{batch}", save_freq=4, save_weights_only=True)
        called = [check, BackupAndRestore(folder / "backup", 1), kill or Kill()]
        net().fit(X, Y, batch_size=10, epochs=3, verbose=0, callbacks=called)
        assert check.files == 4
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    expected = run(tmp_path / "whole")
    assert sorted(expected) == ["1-4", "2-2", "2-6", "3-4"]
    for kill in (Kill(0, 2), Kill(1, 0), Kill(2, 2)):
        with pytest.raises(Killed):
            run(tmp_path / "killed", kill)
    assert run(tmp_path / "killed") == expected


def test_two_backups_are_refused(tmp_path):
    with pytest.raises(ValueError, match="callbacks: received two BackupAndRestore; expected one"):
        net().fit(X, Y, verbose=0, callbacks=[BackupAndRestore(tmp_path / name) for name in "ab"])


def test_other_files_of_the_folder_stay(tmp_path):
    called = [ModelCheckpoint(tmp_path / "epoch-{epoch}.safetensors"), BackupAndRestore(tmp_path)]
    net().fit(X, Y, epochs=4, verbose=0, callbacks=called)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"epoch-{i}.safetensors" for i in (1, 2, 3, 4)]


def test_no_data_are_kept_alive(tmp_path):
    for last in (Kill(), Kill(1, 0)):
        x, backup, model = X.copy(), BackupAndRestore(tmp_path), net()
        held = weakref.ref(x)
        with contextlib.suppress(Killed):
            model.fit(x, Y, epochs=3, verbose=0, callbacks=[backup, last])
        del x
        gc.collect()
        assert held() is None and backup.model is model


def test_a_folder_for_each_of_two_trainings(tmp_path):
    """Each goes on, whatever was saved, copied or made in the other one."""

    def run(folder, *kills):
        fastnn.set_random_seed(4)
        found = []
        for name, kill in zip("ab", kills, strict=True):
            model = fastnn.Sequential([layers.Dense(3, "softmax", input_shape=(4,)), layers.Dropout(0.1)])
            model.compile("adam", "sparse_categorical_crossentropy")
            check = ModelCheckpoint(folder / f"{name}.safetensors", "loss")
            called = [BackupAndRestore(folder / name), check, Samples(), kill]
            copy.deepcopy(model)
            model.fit(X, Y, epochs=3, verbose=0, callbacks=called)
            found.append((bits(model), model.history.history))
        return found

    expected = run(tmp_path / "whole", Kill(), Kill())
    for kills in ((Kill(2, 0), Kill()), (Kill(), Kill(1, 0)), (Kill(), Kill(2, 0))):
        with pytest.raises(Killed):
            run(tmp_path / "killed", *kills)
    assert run(tmp_path / "killed", Kill(), Kill()) == expected


def test_steps_of_a_validation_are_no_hindrance(tmp_path):
    def run(folder, kill=None):
        called = [BackupAndRestore(folder, 2), kill or Kill()]
        options = {"validation_data": Batches(), "validation_steps": 2, "callbacks": called}
        return net().fit(X, Y, 10, 3, verbose=0, **options).history

    goes_on(run, tmp_path, Kill(1, 4))


def test_an_optimizer_that_has_trained_another_model(tmp_path):
    optimizer = optimizers.LBFGS()
    net(optimizer).fit(X, Y, batch_size="full", epochs=3, verbose=0)
    model = net(optimizer)
    again = copy.deepcopy(model)
    model.fit(X, Y, batch_size="full", epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    again.fit(X, Y, batch_size="full", epochs=2, verbose=0)
    assert bits(again) == bits(model)


@pytest.mark.parametrize("rate", [0.01, schedules.CosineDecay(0.1, 50), lambda: 0.01], ids=["number", "schedule", "f"])
def test_a_backup_of_another_kind_of_rate_is_refused(rate, tmp_path):
    with pytest.raises(Killed):
        net(optimizers.Adam(rate)).fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), Kill(1, 0)])
    for other in (0.01, schedules.CosineDecay(0.1, 60), lambda: 0.01):
        model = net(optimizers.Adam(other))
        before = bits(model)
        if type(other) is not type(rate) or isinstance(other, schedules.CosineDecay):
            with pytest.raises(FormatError, match=r"optimizer of .*: received"):
                model.fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), Kill()])
            assert bits(model) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, Killed])
def test_the_same_callbacks_go_on_after_an_interruption(error, tmp_path):
    class Interrupt(callbacks.Callback):
        at = 3

        def on_train_batch_end(self, batch, logs=None):
            if batch == self.at:
                raise error

    expected = train(tmp_path / "whole")[:3]
    (tmp_path / "again").mkdir()
    interrupt = Interrupt()
    called = [BackupAndRestore(tmp_path / "again" / "backup", 1), *others(tmp_path / "again"), interrupt]
    model = net()
    with pytest.raises(error):
        model.fit(X, Y, batch_size=10, epochs=EPOCHS, verbose=0, callbacks=called)
    interrupt.at = None
    history = model.fit(X, Y, batch_size=10, epochs=EPOCHS, verbose=0, callbacks=called)  # the same model, too
    assert (bits(model), history.history, history.epoch) == expected


def test_warnings_point_at_the_call_of_fit(tmp_path):
    with pytest.raises(Killed):
        net().fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), Kill(1, 0)])
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="skips") as found:
        net().fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), Kill()])
    assert {warning.filename for warning in found} == {__file__}


@pytest.mark.parametrize("field", ["metrics", "thresholds", "streams", "data", "batches"])
def test_a_backup_of_a_training_that_differs_a_little_is_refused(field, tmp_path):
    def run(changed=False, kill=None):
        class Fewer(Batches):
            def __len__(self):
                return 3 if changed else 6

        Fewer.__name__ = "Batches"
        model = net()
        if changed and field == "streams":
            model.layers[2]._stream += 1
        score = {"metrics": metrics.MeanIoU(3)}.get(field) if changed else None
        thresholds = 100 if changed and field == "thresholds" else 50
        score = score or metrics.AUC(num_thresholds=thresholds)
        model.compile("adam", "categorical_crossentropy", metrics=[score])
        before = bits(model)
        data = (Fewer(),) if field == "batches" else (X, np.eye(3)[Y])
        if field == "batches":
            model.compile("adam", "sparse_categorical_crossentropy")
        options = {} if field == "batches" else {"batch_size": 12 if changed and field == "data" else 10}
        called = [BackupAndRestore(tmp_path, 1), kill or Kill()]
        try:
            model.fit(*data, epochs=3, verbose=0, callbacks=called, **options)
        except FormatError:
            assert bits(model) == before and model.optimizer.iterations == 0
            raise

    with pytest.raises(Killed):
        run(kill=Kill(1, 2))
    expected = {"thresholds": "backup of .*variables of shapes", "batches": "data of .* of 3 batches"}
    with pytest.raises(FormatError, match=expected.get(field, f"{field} of .*: received")):
        run(changed=True)


def test_two_files_are_kept_and_a_damaged_one_is_skipped(tmp_path):
    expected = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(4, 1))
    backups = sorted((tmp_path / "killed" / "backup").iterdir())
    assert [path.name for path in backups] == ["backup-epoch-3.safetensors", "backup-epoch-4.safetensors"]
    damaged = bytearray(backups[1].read_bytes())
    damaged[-1] ^= 1
    backups[1].write_bytes(damaged)
    with pytest.warns(UserWarning, match=r"skips .*backup-epoch-4\.safetensors.*: array"):
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
from datetime import timedelta
import numpy as np
import fastnn
from fastnn import callbacks, layers

folder, threads, within = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "within"
samples, epochs, every = (100_000, 8, timedelta(milliseconds=1)) if within else (2000, 60, "epoch")
rng = np.random.default_rng(0)
x, y = rng.standard_normal((samples, 10)).astype(np.float32), rng.integers(0, 3, samples)
fastnn.set_num_threads(threads)
fastnn.set_random_seed(2)
model = fastnn.Sequential([
    layers.Dense(16, activation="relu", input_shape=(10,)), layers.Dropout(0.1), layers.Dense(3, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
print("begins", flush=True)
history = model.fit(x, y, epochs=epochs, batch_size=16, verbose=0, validation_split=0.1, callbacks=[
    callbacks.BackupAndRestore(folder, every),
    callbacks.EarlyStopping("val_loss", patience=100, restore_best_weights=True),
    callbacks.CSVLogger(folder + ".csv"),
])
digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights()))
digest.update(json.dumps([history.epoch, history.history]).encode())
digest.update(open(folder + ".csv", "rb").read())
print(digest.hexdigest())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("place", ["epochs", "within"])
@pytest.mark.parametrize("kills", [8, pytest.param(40, marks=pytest.mark.long)])
def test_killed_by_the_system_at_any_moment_it_ends_in_the_same_bits(kills, place, tmp_path):
    def start(folder, threads):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / folder), str(threads), place]
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


def states(backup):
    """What callbacks remember, in a backup."""
    return backup["state"]["callbacks"]


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.pop("callbacks"),
        lambda b: b.pop("learning_rate"),
        lambda b: b.update(learning_rate="x"),
        lambda b: b.update(epoch=None),
        lambda b: b.update(epoch=-1),
        lambda b: b.update(positions=[1]),
        lambda b: b.update(positions=[[1]]),
        lambda b: b.update(positions=[["a", 2]]),
        lambda b: b.update(random=[]),
        lambda b: b.update(began="x"),
        lambda b: states(b).__setitem__(0, []),
        lambda b: states(b)[1]["dict"].append(["model", 3]),
        lambda b: states(b)[1]["dict"][1].__setitem__(1, {"array": "none"}),
        lambda b: states(b)[1]["dict"][1].__setitem__(1, {"number": 1.0, "dtype": "O"}),
    ],
    ids=range(14),
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

    goes_on(run, tmp_path, Kill(1, 2), Kill(3, 0))


def test_with_both_files_damaged_it_begins_anew(tmp_path):
    expected = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(4, 1))
    for path in (tmp_path / "killed" / "backup").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "killed" / "backup" / ".backup-epoch-3.safetensors.12345678.tmp").write_bytes(b"left")
    with pytest.warns(UserWarning, match="skips"), pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(2, 1))
    assert sorted(path.name for path in (tmp_path / "killed" / "backup").glob("*.safetensors")) == [
        "backup-epoch-1.safetensors",
        "backup-epoch-2.safetensors",
    ]
    assert train(tmp_path / "killed")[:4] == expected[:4]


def test_generators_are_refused_before_training(tmp_path):
    model = net()
    before = bits(model)
    with pytest.raises(ValueError, match="can begin anywhere"):
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
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "backup-epoch-2.safetensors",
        "backup-epoch-3.safetensors",
    ]
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


def test_states_of_callbacks_are_json_and_arrays(tmp_path):
    """So that what a backup has can be read by others."""
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill=Kill(3, 0))
    from safetensors import safe_open

    with safe_open(tmp_path / "killed" / "backup" / "backup-epoch-3.safetensors", "numpy") as file:
        found = json.loads(file.metadata()["fastnn"])["backup"]
        assert found["callbacks"][:2] == ["BackupAndRestore", "EarlyStopping"]
        assert sum(name.startswith("state/") for name in list(file.keys())) == 8  # the best weights
