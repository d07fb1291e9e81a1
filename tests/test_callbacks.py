"""Callbacks against sequences worked out by hand; the model is a stand-in."""

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fastnn import callbacks
from fastnn.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ProgbarLogger,
    ReduceLROnPlateau,
)
from fastnn.callbacks.base import HOOKS

NAN = float("nan")


class Model:
    """Its only weight is the number of the epoch that was trained last."""

    def __init__(self, learning_rate=1.0):
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=learning_rate)
        self.weights = [-1]

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)


def fit(callback, values, name="val_loss", model=None):
    """Go through epochs as training does; returns the model and its history."""
    model, history = model or Model(), History()
    several = CallbackList([callback, history], model, epochs=len(values))
    model.stop_training = False
    several.on_train_begin()
    for epoch, value in enumerate(values):
        several.on_epoch_begin(epoch)
        model.weights = [epoch]
        several.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    several.on_train_end()
    return model, history


# Dispatch


class Recorder(Callback):
    def __init__(self, calls, name=""):
        self.calls, self.name = calls, name


for _hook in HOOKS:
    setattr(Recorder, _hook, lambda self, *a, _hook=_hook: self.calls.append((self.name, _hook, *a)))


def test_hooks_are_those_of_keras():
    of = "epoch", "train", "train_batch", "batch", "test", "test_batch", "predict", "predict_batch"
    assert set(HOOKS) == {f"on_{what}_{end}" for what in of for end in ("begin", "end")}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_reaches_every_callback_in_order_with_the_same_logs(hook):
    calls, logs = [], {"loss": 1.0}
    several = CallbackList([Recorder(calls, "a"), Recorder(calls, "b")])
    index = [3] if "epoch" in hook or "batch" in hook else []
    getattr(several, hook)(*index, logs)
    getattr(several, hook)(*index)
    getattr(several, hook)(*index, logs=logs)
    assert calls == [(name, hook, *index, given) for given in (logs, {}, logs) for name in "ab"]
    assert all(call[-1] is logs for call in calls[:2])


def test_model_params_and_nested_lists():
    a, b, c, model = Callback(), Callback(), Callback(), Model()
    assert (a.model, a.params) == (None, None)
    several = CallbackList([a, (b,), CallbackList(c)], model, epochs=3, steps=None)
    assert several.callbacks == [a, b, c]
    for one in (a, b, c, several):
        assert one.model is model
        assert one.params == {"epochs": 3, "steps": None}
    assert CallbackList().callbacks == CallbackList([]).callbacks == []


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        (EarlyStopping, "call the class"),
        ([print], "derive"),
        ({"a": Callback()}, "derive"),
        ("x", "derive"),
    ],
)
def test_only_callbacks(wrong, fix):
    message = rf"^callbacks: received .*; expected instances of Callback; to fix it, {fix}"
    with pytest.raises(TypeError, match=message):
        CallbackList(wrong)


def test_overrides():
    batch = ("on_train_batch_begin", "on_train_batch_end")
    quiet = [EarlyStopping(), ReduceLROnPlateau(), History(), ProgbarLogger(), LambdaCallback(print)]
    assert not CallbackList(quiet).overrides(batch)
    assert CallbackList(quiet).overrides(["on_epoch_end"])
    assert not CallbackList(quiet).overrides([])
    for name in (*batch, "on_batch_begin", "on_batch_end"):
        assert CallbackList([*quiet, type("Own", (Callback,), {name: lambda *a: None})()]).overrides(batch)
        assert CallbackList([*quiet, LambdaCallback(**{name: print})]).overrides(batch)
    assert not CallbackList(LambdaCallback(on_test_batch_end=print)).overrides(batch)
    assert CallbackList(LambdaCallback(on_test_batch_end=print)).overrides(["on_test_batch_end"])


def test_older_names_of_the_batch_hooks_are_called():
    calls = []
    several = CallbackList(
        LambdaCallback(on_batch_begin=lambda *a: calls.append(a), on_batch_end=lambda *a: calls.append(a))
    )
    several.on_train_batch_begin(2)
    several.on_train_batch_end(2, {"loss": 1.0})
    several.on_test_batch_end(5)
    assert calls == [(2, {}), (2, {"loss": 1.0})]


def test_attributes_of_any_name_are_nobodys_business():
    """Callbacks of fastnn are told more than the hooks say; others may call their attributes as they like."""

    class Own(Callback):
        progress = resume = pause = ended = ends_at = _pause = _resume = state = 3

    calls = []
    shown = ProgbarLogger(0)
    shown.progress = lambda *a: calls.append(a)
    several = CallbackList([Own(), shown])
    several.progress(7, {"loss": 1.0})
    assert calls == [(7, {"loss": 1.0})]
    several.pause(None, None, 3)
    several.ended()
    assert not several.ends_at(None)


def test_lambda_callback():
    calls = []
    several = CallbackList(
        LambdaCallback(
            on_epoch_begin=lambda epoch, logs: calls.append(epoch),
            on_train_end=lambda logs: calls.append("end"),
            on_test_end=None,
            on_predict_batch_end=lambda batch, logs: calls.append(-batch),
        )
    )
    several.on_epoch_begin(4)
    several.on_train_end()
    several.on_test_end()
    several.on_predict_batch_end(5)
    assert calls == [4, "end", -5]
    with pytest.raises(ValueError, match=r"received 'on_epoch_ends'; .*; to fix it, use 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match=r"^on_epoch_end: received 3 .*; expected a function or None; to fix"):
        LambdaCallback(on_epoch_end=3)


def test_history():
    model = Model()
    history = History()
    several = CallbackList([history], model, epochs=3)
    assert model.history is history
    for _ in range(2):  # begins anew
        several.on_train_begin()
        several.on_epoch_end(0, {"loss": 1.0})
        several.on_epoch_end(1, {"loss": 0.5, "val_loss": 0.75})
        several.on_train_end()
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [1.0, 0.5], "val_loss": [0.75]}
    assert history.params == {"epochs": 3}


# EarlyStopping


@pytest.mark.parametrize(
    ("arguments", "values", "epochs", "best_epoch"),
    [
        ({}, [3, 2, 2, 1], 3, 1),  # equal is no improvement
        ({"patience": 1}, [3, 2, 2, 1], 3, 1),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1, 0], 6, 3),
        ({"patience": 2}, [3, 2, 3, 1.9, 3, 1.8], 6, 5),  # the count begins anew
        ({}, [1, 2], 2, 0),
        ({}, [NAN, 2, 1, 3], 4, 2),  # never in the first epoch
        ({}, [NAN, NAN, 1], 2, 0),
        ({"min_delta": 0.5}, [3, 2.5, 1], 2, 0),  # a change of exactly min_delta is none
        ({"min_delta": 0.5}, [3, 2.25, 2], 3, 1),
        ({"min_delta": -0.5}, [3, 2.25, 2], 3, 1),
        ({"min_delta": 0.5, "patience": 3}, [3, 2.75, 2.5, 2.25, 2], 5, 3),  # against the best, not the last
        ({"mode": "max"}, [1, 2, 3, 3], 4, 2),
        ({"mode": "max", "min_delta": 0.5}, [1, 1.5, 3], 2, 0),
        ({"baseline": 2}, [3, 2.5, 2.4], 3, 2),  # better than before, so it goes on ...
        ({"baseline": 2}, [3, 2.5, 2.5], 3, 1),
        ({"baseline": 2, "patience": 3}, [3, 2.5, 2.4, 2.4], 4, 2),  # ... but the count does not begin anew
        ({"baseline": 2, "patience": 3}, [3, 1.5, 1.6, 1.6, 1.4], 5, 4),
        ({"baseline": 2, "patience": 3}, [3, 1.5, 1.6, 1.6, 1.6, 1], 5, 1),
        ({"start_from_epoch": 2}, [1, 5, 4, 3, 3], 5, 3),
        ({"start_from_epoch": 2, "patience": 2}, [1, 5, 4, 4, 4, 0], 5, 2),
    ],
)
def test_early_stopping(arguments, values, epochs, best_epoch):
    stop = EarlyStopping(**arguments)
    model, history = fit(stop, values)
    assert len(history.epoch) == epochs
    assert stop.best_epoch == best_epoch
    assert model.stop_training is (stop.stopped_epoch > 0)
    if model.stop_training:
        assert stop.stopped_epoch == epochs - 1
    assert model.weights == [epochs - 1]


@pytest.mark.parametrize(
    ("arguments", "values", "restored"),
    [
        ({"patience": 2}, [3, 2, 2, 2, 1], 1),
        ({"patience": 5}, [3, 2, 2], 1),  # restored also at the regular end
        ({"patience": 2}, [3, 2, 1], 2),
        ({"patience": 2}, [NAN, NAN, NAN], 0),  # the first if there is no best
        ({"patience": 3}, [NAN, 2, 3, 3], 1),
        ({"baseline": 1, "patience": 3}, [3, 2, 2.5, 2.5], 1),  # best of those that miss the baseline
        ({"start_from_epoch": 1, "patience": 2}, [1, 3, 2, 3, 3], 2),
        ({"start_from_epoch": 9}, [3, 4, 5], 2),  # nothing to restore
    ],
)
def test_early_stopping_restores_the_best_weights(arguments, values, restored):
    model, _ = fit(EarlyStopping(restore_best_weights=True, **arguments), values)
    assert model.weights == [restored]


def test_early_stopping_can_be_used_again():
    stop = EarlyStopping(restore_best_weights=True)
    for values in ([0.1, 0.2], [3, 2, 1, 2]):
        model, history = fit(stop, values)
        assert len(history.epoch) == len(values)
        assert model.weights == [len(values) - 2]


def test_early_stopping_speaks_when_asked(capsys):
    fit(EarlyStopping(restore_best_weights=True), [1, 2])
    assert capsys.readouterr().out == ""
    fit(EarlyStopping(restore_best_weights=True, verbose=1), [1, 2])
    assert capsys.readouterr().out == (
        "Epoch 2: early stopping\nRestoring model weights from the end of the best epoch: 1.\n"
    )


# What EarlyStopping and ReduceLROnPlateau share


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("accuracy", "max"),
        ("val_sparse_categorical_accuracy", "max"),
        ("acc", "max"),
        ("val_auc", "max"),
        ("precision", "max"),
        ("Recall", "max"),
        ("val_mean_squared_error", "min"),
        ("categorical_crossentropy", "min"),
        ("val_mae", "min"),
        ("kl_divergence", "min"),
    ],
)
@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_mode_by_name(kind, name, mode):
    assert kind(monitor=name).mode == mode
    assert kind(monitor=name, mode="max").mode == "max"


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_a_missing_entry_is_warned_of_once(kind):
    callback = kind(patience=1)
    with pytest.warns(UserWarning) as warned:
        model, history = fit(callback, [3, 4, 5], name="accuracy")
    assert [str(w.message) for w in warned] == [
        f"{kind.__name__} does nothing: the logs have no 'val_loss', only 'accuracy'; "
        "pass one of these names as monitor, or validation data to fit"
    ]
    assert len(history.epoch) == 3
    assert model.optimizer.learning_rate == 1.0
    with pytest.warns(UserWarning, match="only nothing; pass"):
        callback.on_train_begin()
        callback.on_epoch_end(0)


@pytest.mark.parametrize(
    ("kind", "arguments", "message", "error"),
    [
        (EarlyStopping, {"patience": -1}, "patience: received -1", ValueError),
        (EarlyStopping, {"patience": 1.5}, "patience: received 1.5", TypeError),
        (EarlyStopping, {"patience": True}, "patience: received True", TypeError),
        (EarlyStopping, {"start_from_epoch": -1}, "start_from_epoch: received -1", ValueError),
        (EarlyStopping, {"mode": "minimum"}, "mode: received 'minimum'", ValueError),
        (EarlyStopping, {"monitor": "speed"}, "mode: received 'auto' for 'speed'", ValueError),
        (EarlyStopping, {"monitor": None}, "monitor: received None", TypeError),
        (EarlyStopping, {"min_delta": NAN}, "min_delta: received nan", ValueError),
        (EarlyStopping, {"baseline": "1"}, "baseline: received '1'", TypeError),
        (EarlyStopping, {"baseline": NAN}, "baseline: received nan", ValueError),
        (ReduceLROnPlateau, {"factor": 1}, "factor: received 1 ", ValueError),
        (ReduceLROnPlateau, {"factor": 1.5}, "factor: received 1.5", ValueError),
        (ReduceLROnPlateau, {"factor": -0.5}, "factor: received -0.5", ValueError),
        (ReduceLROnPlateau, {"factor": "0.5"}, "factor: received '0.5'", TypeError),
        (ReduceLROnPlateau, {"patience": -1}, "patience: received -1", ValueError),
        (ReduceLROnPlateau, {"cooldown": -1}, "cooldown: received -1", ValueError),
        (ReduceLROnPlateau, {"min_lr": -1.0}, "min_lr: received -1.0", ValueError),
        (ReduceLROnPlateau, {"mode": 3}, "mode: received 3", TypeError),
    ],
)
def test_wrong_arguments(kind, arguments, message, error):
    with pytest.raises(error, match=rf"^{message}.*; expected .*; to fix it, "):
        kind(**arguments)


# Learning rates


@pytest.mark.parametrize(
    ("arguments", "values", "rates"),
    [
        ({"patience": 1}, [3, 3, 3], [1, 1, 0.5]),
        ({"patience": 0}, [3, 3, 3], [1, 1, 0.5]),
        ({"patience": 2}, [3, 3, 3, 3, 3, 3], [1, 1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 2}, [3, 3, 2, 2, 2, 2], [1, 1, 1, 1, 1, 0.5]),
        ({"patience": 1, "min_delta": 1}, [3, 2, 1, 1], [1, 1, 0.5, 0.5]),  # 3 -> 2 is none, 3 -> 1 is one
        ({"patience": 1}, [3, 2.99995, 2], [1, 1, 0.5]),  # below the default min_delta
        ({"patience": 1, "min_delta": 0}, [3, 2.99995, 2], [1, 1, 1]),
        ({"patience": 1, "min_lr": 0.4}, [3, 3, 3, 3], [1, 1, 0.5, 0.4]),
        ({"patience": 1, "min_lr": 0.4}, [3, 3, 3, 3, 3], [1, 1, 0.5, 0.4, 0.4]),
        ({"patience": 1, "min_lr": 2.0}, [3, 3, 3], [1, 1, 1]),
        ({"patience": 1, "cooldown": 2}, [3] * 7, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 2, "cooldown": 2}, [3] * 8, [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 1, "cooldown": 3}, [3, 3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.5, 0.25]),
        ({"patience": 1, "mode": "max"}, [1, 2, 2, 2.00005, 3], [1, 1, 1, 0.5, 0.25]),
        ({"patience": 1}, [NAN, 3, NAN, 2], [1, 0.5, 0.5, 0.25]),
    ],
)
def test_reduce_on_plateau(arguments, values, rates):
    callback = ReduceLROnPlateau(factor=0.5, **arguments)
    for _ in range(2):  # it can be used again
        _, history = fit(callback, values)
        assert history.history["learning_rate"] == rates  # with which each epoch was trained


def test_reduce_on_plateau_speaks_when_asked(capsys):
    model, _ = fit(ReduceLROnPlateau(patience=1, factor=0.25, verbose=1), [1, 1])
    assert capsys.readouterr().out == "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.25.\n"
    assert model.optimizer.learning_rate == 0.25


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate / 2 if epoch else rate,
        lambda epoch: 0.5**epoch,
        lambda epoch, *rest: 0.5**epoch,
    ],
)
def test_learning_rate_scheduler(schedule, capsys):
    _, history = fit(LearningRateScheduler(schedule), [1, 1, 1])
    assert history.history["learning_rate"] == [1.0, 0.5, 0.25]
    assert capsys.readouterr().out == ""
    fit(LearningRateScheduler(schedule, verbose=1), [1, 1])
    assert capsys.readouterr().out == (
        "Epoch 1: LearningRateScheduler setting learning rate to 1.0.\n"
        "Epoch 2: LearningRateScheduler setting learning rate to 0.5.\n"
    )


def test_learning_rate_scheduler_passes_errors_of_the_schedule_on():
    def schedule(epoch, rate):
        raise TypeError("its own")

    with pytest.raises(TypeError, match=r"^its own$"):
        fit(LearningRateScheduler(schedule), [1])


@pytest.mark.parametrize("schedule", [0.1, lambda: 0.1, lambda a, b, c: 0.1])
def test_learning_rate_scheduler_takes_a_function_of_one_or_two(schedule):
    with pytest.raises(TypeError, match=r"^schedule: received .*; expected a function of .*; to fix it, "):
        LearningRateScheduler(schedule)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (None, TypeError),
        ("1", TypeError),
        (-1.0, ValueError),
        (NAN, ValueError),
    ],
)
def test_learning_rate_scheduler_refuses_wrong_rates(result, error):
    model = Model(0.25)
    with pytest.raises(error, match=r"^result of schedule: received .*; expected a finite number .*; to fix"):
        fit(LearningRateScheduler(lambda epoch: result), [1], model=model)
    assert model.optimizer.learning_rate == 0.25


# Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(callbacks.progress, "time", SimpleNamespace(perf_counter=lambda: self.now))


def screen(text):
    """What a terminal shows after `text`: a carriage return goes back to the start of the line."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


PARAMS = {"epochs": 2, "steps": 4, "samples": 100, "batch_size": 32, "verbose": "auto"}
LINES = [
    "Epoch 1/2 - 0.75s - 200 samples/s - accuracy: 0.5000 - loss: 1.2500 - val_loss: 2.0000",
    "Epoch 2/2 - 0.75s - 200 samples/s - accuracy: 0.7500 - loss: 5.0000e-04 - val_loss: 1.0000 - x: 0.0000",
]


def train(logger, clock, between=lambda: None, **params):
    """Two epochs of half a second, each with a validation of a quarter of a second."""
    several = CallbackList([logger], None, **(PARAMS | params))
    several.on_train_begin()
    results = (
        ({"accuracy": 0.5, "loss": 1.25}, {"val_loss": 2.0}),
        ({"accuracy": 0.75, "loss": 0.0005}, {"val_loss": 1.0, "x": 0.0}),
    )
    for epoch, (logs, val_logs) in enumerate(results):
        several.on_epoch_begin(epoch)
        for done in (2, 4):
            clock.now += 0.25
            several.progress(done, logs)
        several.on_test_begin()
        clock.now += 0.25
        several.progress(4, {"loss": 99.0})
        several.on_test_end({"loss": 99.0})
        between()
        several.on_epoch_end(epoch, logs | val_logs)
    several.on_train_end()


def test_one_line_per_epoch(capsys, monkeypatch):
    train(ProgbarLogger(verbose=2), Clock(monkeypatch))
    assert capsys.readouterr() == ("\n".join([*LINES, ""]), "")


@pytest.mark.parametrize("logger", [ProgbarLogger(), ProgbarLogger(1)])
def test_a_bar_on_a_terminal(logger, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    train(logger, Clock(monkeypatch))
    text = terminal.getvalue()
    assert screen(text) == [*LINES, ""]
    assert "Epoch 1/2 |" in text and "| 0/4, ETA ?" in text
    assert "| 4/4, ETA 00:00, 200 samples/s - accuracy: 0.5000 - loss: 1.2500" in text
    assert "99" not in text  # validation shows nothing
    assert capsys.readouterr().err == ""


def test_messages_appear_above_the_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    train(ProgbarLogger(), Clock(monkeypatch), between=lambda: callbacks.progress.say("a message"))
    assert screen(terminal.getvalue()) == ["a message", LINES[0], "a message", LINES[1], ""]


@pytest.mark.parametrize(
    ("own", "given", "terminal", "level"),
    [
        ("auto", "auto", True, 1),
        ("auto", "auto", False, 2),
        ("auto", 0, True, 0),
        ("auto", 2, True, 2),
        (0, 1, True, 0),
        (1, 0, False, 1),
        (2, "auto", True, 2),
        (True, None, False, 1),
        ("auto", None, False, 2),
    ],
)
def test_verbose(own, given, terminal, level, monkeypatch):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    train(ProgbarLogger(own), Clock(monkeypatch), verbose=given)
    assert ("|" in stream.getvalue()) is (level == 1)
    assert screen(stream.getvalue()) == ([*LINES, ""] if level else [""])


@pytest.mark.parametrize("verbose", [3, -1, "yes", None])
def test_wrong_verbose(verbose):
    with pytest.raises(ValueError, match=r"^verbose: received .*; expected 'auto', 0, 1 or 2; to fix it, "):
        ProgbarLogger(verbose)


@pytest.mark.parametrize("verbose", [1, 2])
def test_evaluate_and_predict(verbose, monkeypatch, capsys):
    clock = Clock(monkeypatch)
    several = CallbackList(ProgbarLogger(verbose), None, mode="evaluate", steps=2, samples=64, batch_size=32)
    several.on_test_begin()
    clock.now += 0.5
    several.progress(2, {"loss": 0.25})
    several.on_test_end({"loss": 0.25})
    several = CallbackList(ProgbarLogger(verbose), None, mode="predict", steps=2, samples=64, batch_size=None)
    several.on_predict_begin()
    clock.now += 0.5
    several.progress(2)
    several.on_predict_end()
    out, err = capsys.readouterr()
    assert screen(out) == ["Evaluate - 0.50s - 128 samples/s - loss: 0.2500", "Predict - 0.50s", ""]
    assert err == ""


def test_unknown_number_of_steps(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    train(ProgbarLogger(), Clock(monkeypatch), steps=None, samples=None)
    assert screen(terminal.getvalue()) == [line.replace("200 s", "256 s") for line in LINES] + [""]


def test_an_interrupted_run_leaves_no_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    logger = ProgbarLogger()
    several = CallbackList(logger, None, **PARAMS)
    several.on_epoch_begin(0)
    logger.close()
    logger.close()
    assert screen(terminal.getvalue()) == [""]
    several.on_epoch_begin(0)
    several.on_epoch_begin(0)  # the next run
    several.on_train_end()
    assert screen(terminal.getvalue()) == [""]
    several.progress(1)
    several.on_epoch_end(0, {})
    assert screen(terminal.getvalue()) == [""]


def test_bars_start_no_thread_and_importing_loads_no_tqdm():
    code = """if True:
        import sys, threading
        from fastnn.callbacks import CallbackList, ProgbarLogger
        assert "tqdm" not in sys.modules
        several = CallbackList(ProgbarLogger(1), None, epochs=1, steps=1)
        several.on_epoch_begin(0)
        assert "tqdm" in sys.modules
        assert threading.active_count() == 1
        several.progress(1, {"loss": 1.0})
        several.on_epoch_end(0, {"loss": 1.0})
        assert threading.active_count() == 1
        from tqdm import tqdm
        assert tqdm.monitor_interval == 10 and tqdm.monitor is None
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
