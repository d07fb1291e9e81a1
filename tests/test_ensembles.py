"""Members that train side by side have the bits of models that are trained alone; means, spreads, out-of-bag scores."""

import itertools
import os
import random
import signal

import graphs
import numpy as np
import pytest
from harness import Guarded
from nets import THREADS, force, state

import fastnn
from fastnn import config, constraints, ensembles, execute, layers, losses, metrics, ops, optimizers, regularizers
from fastnn.ensembles import Bagging, Ensemble, epochs, members
from fastnn.models import engine
from fastnn.ops.philox import random_bits

X = graphs.numbers(100, 8, stream=3)
LABELS = np.arange(100) * 7 % 3
TARGETS = X[:, :1] * X[:, 1:2] + 0.5
WEIGHTS = np.linspace(0.5, 1.5, 100)


def plain():
    model = fastnn.Sequential([layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, TARGETS


def classes():
    """Layers that draw, keep moments, and are built by the first data."""
    parts = [layers.Dense(9, "tanh"), layers.BatchNormalization(), layers.Dropout(0.25), layers.Dense(3, "softmax")]
    model = fastnn.Sequential(parts)
    model.compile(optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, LABELS


def penalized():
    hidden = layers.Dense(
        5, "tanh", kernel_regularizer=regularizers.L2(0.01), kernel_constraint=constraints.MaxNorm(1.0)
    )
    model = fastnn.Sequential([layers.Input((8,)), hidden, layers.ActivityRegularization(l1=0.01), layers.Dense(1)])
    optimizer = optimizers.AdamW(0.01, weight_decay=0.1, amsgrad=True, use_ema=True, ema_momentum=0.5, clipnorm=0.1)
    model.compile(optimizer, "huber", weighted_metrics=["mse"])
    return model, TARGETS


def scheduled():
    model = fastnn.Sequential([layers.Input((8,)), layers.Dense(4, "gelu"), layers.Dense(1)])
    rate = fastnn.schedules.ExponentialDecay(0.1, 5, 0.9)
    model.compile(optimizers.RMSprop(rate, centered=True), losses.MeanSquaredError(reduction="sum"))
    return model, TARGETS


def counted_in_python():
    model = fastnn.Sequential([layers.Input((8,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=[metrics.AUC(), "mae"])
    return model, LABELS > 1


class Scaled(layers.Layer):
    """Of somebody's own, so that no plan is taken over without a look at the recording."""

    def build(self, input_shape):
        self.scale = self.add_weight(input_shape[1:], initializer="random_normal", name="scale")

    def call(self, x):
        return ops.tanh(x * self.scale)


def own_layer():
    model = fastnn.Sequential([Scaled(), layers.Dense(1)])
    model.compile("nadam", "mse")
    return model, TARGETS


def two_heads():
    x = layers.Input((8,))
    hidden = layers.Dense(6, "tanh")(x)
    heads = [layers.Dense(3, "softmax", name="kind")(hidden), layers.Dense(1, name="size")(hidden)]
    model = fastnn.Model(x, heads)
    loss = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile("adam", loss, loss_weights={"kind": 0.5, "size": 2.0}, metrics={"kind": ["accuracy"]})
    return model, {"kind": LABELS, "size": TARGETS}


CASES = (plain, classes, penalized, scheduled, counted_in_python, own_layer, two_heads)


def rows_of(y, rows):
    return {name: part[rows] for name, part in y.items()} if isinstance(y, dict) else y[rows]


def alone(make, seed, rows=None, **arguments):
    """A model that is made and trained by itself, and its histories of two calls of `fit`."""
    fastnn.set_random_seed(seed)
    model, y = make()
    rows = np.arange(100) if rows is None else rows
    histories = [model.fit(X[rows], rows_of(y, rows), epochs=n, verbose=0, **arguments).history for n in (4, 3)]
    return model, histories


def trained(make, kind=Ensemble, count=3, options=None, **arguments):
    """An ensemble after two calls of `fit`, and the histories."""
    ensemble, y = kind(lambda: make()[0], count, seed=11, **options or {}), make()[1]
    histories = [ensemble.fit(X, y, epochs=n, verbose=0, **arguments).history for n in (4, 3)]
    return ensemble, histories


def of_member(history, k):
    return {name: [values[k] for values in column] for name, column in history.items()}


@pytest.mark.parametrize("threads", THREADS[:3])
@pytest.mark.parametrize("make", CASES)
def test_each_member_has_the_bits_of_a_model_trained_alone(make, threads):
    with fastnn.threads(threads):
        ensemble, histories = trained(make)
        for k, member in enumerate(ensemble.members):
            model, own = alone(make, ensemble.seeds[k])
            assert state(model) == state(member)
            assert own == [of_member(history, k) for history in histories]
            assert member.history.history == own[1] and member.history.epoch == [0, 1, 2]


@pytest.mark.parametrize("make", [plain, counted_in_python, two_heads])
@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 7, "validation_data": (X[:50], None), "shuffle": False},
        {"batch_size": "full", "initial_epoch": 1},
        {"batch_size": 200, "sample_weight": WEIGHTS, "on_nonfinite": "skip"},
        {"batch_size": 33, "validation_data": (X[:40], None, WEIGHTS[:40]), "on_nonfinite": "ignore"},
    ],
)
def test_arguments_of_fit_do_what_they_do_for_a_model(make, arguments):
    if "validation_data" in arguments:
        x, _, *weights = arguments["validation_data"]
        arguments = arguments | {"validation_data": (x, rows_of(make()[1], slice(len(x))), *weights)}
    ensemble, histories = trained(make, **arguments)
    for k, member in enumerate(ensemble.members):
        model, own = alone(make, ensemble.seeds[k], **arguments)
        assert state(model) == state(member)
        assert own == [of_member(history, k) for history in histories]


def test_weights_of_classes_are_those_of_fit():
    ensemble, _ = trained(classes, class_weight={0: 2.0, 1: 0.5})
    model, _ = alone(classes, ensemble.seeds[2], class_weight={0: 2.0, 1: 0.5})
    assert state(model) == state(ensemble.members[2])


@pytest.mark.parametrize("batches", [1, 3, 10, 40, 10_000])
def test_chunks_change_no_bit(monkeypatch, batches):
    """Some batches of an epoch at once, or several epochs: the same weights and logs."""
    expected, history = trained(plain, batch_size=16)
    monkeypatch.setattr(epochs.SideBySide, "first_pace", lambda side: epochs.Pace(batches))
    monkeypatch.setattr(epochs.Pace, "note", lambda pace, batches, seconds: None)
    parts, run = [], epochs.SideBySide.run
    monkeypatch.setattr(
        epochs.SideBySide, "run", lambda side, part, *given: parts.append(part) or run(side, part, *given)
    )
    found, again = trained(plain, batch_size=16)
    assert [state(m) for m in found.members] == [state(m) for m in expected.members]
    for one, other in zip(history, again, strict=True):
        assert repr(one) == repr(other)
    assert sum(part.batches * part.epochs for part in parts) == 49
    assert len(parts) == {1: 49, 3: 21, 10: 7, 40: 2, 10_000: 2}[batches]


def test_one_plan_serves_all_members(monkeypatch):
    made, compile_program = [], engine.compile_program
    monkeypatch.setattr(engine, "compile_program", lambda *a, **k: made.append(a[1]) or compile_program(*a, **k))
    ensemble, _ = trained(classes, count=6, validation_data=(X, LABELS))
    ensemble.predict(X)
    assert sorted(made) == ["evaluate", "predict", "train"]
    programs = [[e.steps for e in member._executors.values()] for member in ensemble.members]
    assert all(a is b for other in programs[1:] for a, b in zip(programs[0], other, strict=True))
    made.clear()
    trained(own_layer, count=3)
    assert made == ["train"] * 3


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.layers[2], "rate", 0.5),
        lambda m: setattr(m.layers[0], "trainable", False),
        lambda m: setattr(m.layers[1], "epsilon", 0.5),
        lambda m: setattr(m.layers[0], "activation", fastnn.activations.relu),
        lambda m: setattr(m.optimizer, "clipvalue", 0.5),
        lambda m: setattr(m.optimizer, "momentum", 0.0),
        lambda m: setattr(m.layers[0].kernel, "constraint", constraints.NonNeg()),
        lambda m: setattr(m._compiled, "loss", losses.SparseCategoricalCrossentropy(ignore_class=2)),
        lambda m: setattr(m.layers[2], "_stream", 9),
        lambda m: setattr(m.layers[0], "kernel_regularizer", regularizers.L2(0.5)),
    ],
)
def test_members_that_differ_do_not_share_a_plan(change):
    """A change of one of two equal models is seen, or else the recordings are compared."""
    pair = []
    for _ in range(2):
        fastnn.layers.base.reset_names()
        fastnn.set_random_seed(1)
        pair.append(classes()[0])
        pair[-1].build((None, 8))
        pair[-1]._resolve([LABELS])
    assert members.same_program(*pair)
    change(pair[1])
    pair[1]._objective = None
    pair[1]._resolve([LABELS])
    assert not members.same_program(*pair)


def test_learning_rates_and_initializers_may_differ():
    made = []

    def make():
        made.append(None)
        model = fastnn.Sequential(
            [layers.Input((8,)), layers.Dense(4, kernel_initializer=["ones", "zeros"][len(made) % 2])]
        )
        model.compile(optimizers.Adam(0.01 * len(made)), "mse")
        return model

    ensemble = Ensemble(make, 3, seed=1)
    before = [m.get_weights() for m in ensemble.members]
    y = X[:, :4]
    ensemble.fit(X, y, epochs=3, verbose=0)
    for k, member in enumerate(ensemble.members):
        assert member.optimizer.learning_rate == pytest.approx(0.01 * (k + 1))
        made.clear()
        made += [None] * k
        fastnn.set_random_seed(ensemble.seeds[k])
        model = make()
        assert all(a.tobytes() == b.tobytes() for a, b in zip(model.get_weights(), before[k], strict=True))
        model.fit(X, y, epochs=3, verbose=0)
        assert state(model) == state(member)


def test_members_are_independent_and_may_be_used_alone():
    ensemble, _ = trained(classes)
    before = [state(m) for m in ensemble.members]
    assert len({repr(weights) for weights, _ in before}) == 3
    model, _ = alone(classes, ensemble.seeds[1])
    for one in (model, ensemble.members[1]):
        fastnn.set_random_seed(99)
        one.fit(X, LABELS, verbose=0, validation_split=0.2)
    assert state(model) == state(ensemble.members[1])
    assert [state(m) for m in ensemble.members[::2]] == before[::2]
    for variables in zip(*(m.variables for m in ensemble.members), strict=True):
        assert not any(np.shares_memory(a.value, b.value) for a, b in itertools.pairwise(variables))


def test_making_leaves_the_generators_as_they_were():
    def make():
        random.random(), np.random.standard_normal(3)
        return plain()[0]

    fastnn.set_random_seed(21)
    Ensemble(make, 2, seed=1).fit(X, TARGETS, verbose=0)
    drawn = random.random(), np.random.standard_normal(), config.seed(), config.next_stream()
    fastnn.set_random_seed(21)
    assert drawn == (random.random(), np.random.standard_normal(), config.seed(), config.next_stream())


def test_seeds():
    """A function of the seed; more members begin with the same; without one, those of the process, each time others."""
    seeds = Ensemble(lambda: plain()[0], 9, seed=4).seeds
    assert len(set(seeds)) == 9 and all(0 <= seed < 2**32 for seed in seeds)
    assert Ensemble(lambda: plain()[0], 4, seed=4).seeds == seeds[:4]
    assert not set(Ensemble(lambda: plain()[0], 9, seed=5).seeds) & set(seeds)
    found = []
    for _ in range(2):
        fastnn.set_random_seed(8)
        found.append([Ensemble(lambda: plain()[0], 2).seeds for _ in range(2)])
    assert found[0] == found[1] and found[0][0] != found[0][1]


@pytest.mark.parametrize("make", [plain, classes, counted_in_python, two_heads])
def test_float64_runs_with_numpy(make):
    fastnn.config.set_floatx("float64")
    try:
        ensemble, histories = trained(make)
        model, own = alone(make, ensemble.seeds[1])
        assert state(model) == state(ensemble.members[1])
        assert own[0] == of_member(histories[0], 1)
        outputs = ensemble.predict(X, return_std=True)
        assert all(a.dtype == np.float64 for a in (outputs if make is not two_heads else outputs[0]))
    finally:
        fastnn.config.set_floatx("float32")


@pytest.mark.parametrize("level", ["1", "2", "3"])
def test_debugging_gives_the_same_bits(monkeypatch, level, capsys):
    expected, _ = trained(classes, count=2)
    monkeypatch.setenv("FASTNN_DEBUG", level)
    found, _ = trained(classes, count=2)
    assert [state(m) for m in found.members] == [state(m) for m in expected.members]
    assert "fastnn train" in capsys.readouterr().err


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("isa", execute.available_isas())
def test_no_byte_outside_the_memory_of_a_member(monkeypatch, isa, at_end):
    """All memory of every member lies between guard pages, in training and prediction."""
    force(monkeypatch, isa, THREADS[-1])
    expected, _ = trained(classes, count=3)
    mean = expected.predict(X)

    def guarded(shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return Guarded(size, at_end).memory.view(dtype).reshape(shape)

    for module in (execute, fastnn.variable):
        monkeypatch.setattr(module, "aligned_empty", guarded)
    found, _ = trained(classes, count=3)
    assert [state(m) for m in found.members] == [state(m) for m in expected.members]
    assert found.predict(X).tobytes() == mean.tobytes()


# Predictions


def stacked(ensemble, x):
    return np.stack([m.predict(x) for m in ensemble.members]).astype(np.float64)


@pytest.mark.parametrize("make", [plain, classes, own_layer])
def test_predict_gives_mean_and_spread(make, monkeypatch):
    ensemble, _ = trained(make, count=5)
    mean, std = ensemble.predict(X, return_std=True)
    outputs = stacked(ensemble, X)
    np.testing.assert_allclose(mean, outputs.mean(0), rtol=2**-23, atol=1e-12)
    np.testing.assert_allclose(std, outputs.std(0), rtol=2**-22, atol=1e-9)
    assert mean.dtype == np.float32 and ensemble.predict(X).tobytes() == mean.tobytes()
    for threads in THREADS:
        with fastnn.threads(threads):
            assert ensemble.predict(X).tobytes() == mean.tobytes()
    monkeypatch.setattr("fastnn.ensembles.ensemble.CHUNK_NUMBERS", 50)
    assert b"".join(a.tobytes() for a in ensemble.predict(X, return_std=True)) == mean.tobytes() + std.tobytes()
    assert ensemble.predict(X[5:6]).tobytes() == mean[5:6].tobytes()


def test_several_outputs():
    ensemble, _ = trained(two_heads)
    mean, std = ensemble.predict(X, return_std=True)
    outputs = [
        np.stack(parts).astype(np.float64) for parts in zip(*(m.predict(X) for m in ensemble.members), strict=True)
    ]
    for found, spread, expected in zip(mean, std, outputs, strict=True):
        np.testing.assert_allclose(found, expected.mean(0), rtol=2**-23)
        np.testing.assert_allclose(spread, expected.std(0), rtol=2**-22, atol=1e-9)
    scores = ensemble.evaluate(X, two_heads()[1], verbose=0, return_dict=True)
    right = float((mean[0].argmax(1) == LABELS).mean())
    entropy = -np.log(mean[0].astype(np.float64)[np.arange(100), LABELS]).mean()
    square = ((mean[1].astype(np.float64) - TARGETS) ** 2).mean()
    assert scores["kind_accuracy"] == pytest.approx(right, abs=1e-12)
    assert scores["loss"] == pytest.approx(0.5 * entropy + 2 * square, rel=1e-5)


def test_evaluate_judges_the_mean():
    ensemble, _ = trained(classes, count=4)
    mean = ensemble.predict(X).astype(np.float64)
    entropy = -np.log(mean[np.arange(100), LABELS])
    loss, accuracy = ensemble.evaluate(X, LABELS, verbose=0, sample_weight=WEIGHTS, batch_size="full")
    assert loss == pytest.approx((entropy * WEIGHTS).mean(), rel=1e-5)
    assert accuracy == pytest.approx((mean.argmax(1) == LABELS).mean(), abs=1e-12)
    assert loss < np.mean([m.evaluate(X, LABELS, verbose=0, sample_weight=WEIGHTS)[0] for m in ensemble.members])
    made, _ = trained(counted_in_python, count=2)
    scores = made.evaluate(X, LABELS > 1, verbose=0, return_dict=True)
    area = metrics.AUC()
    area.update_state((LABELS > 1).reshape(-1, 1), made.predict(X))
    assert scores["auc"] == pytest.approx(area.result(), abs=1e-9)


def test_an_ensemble_predicts_before_it_is_trained():
    ensemble = Ensemble(lambda: classes()[0], 3, seed=1)
    mean = ensemble.predict(X)
    np.testing.assert_allclose(mean, stacked(ensemble, X).mean(0), rtol=2**-23)
    fastnn.set_random_seed(ensemble.seeds[2])
    model = classes()[0]
    assert model.predict(X).tobytes() == ensemble.members[2].predict(X).tobytes()


def test_an_error_leaves_the_members_as_they_were():
    ensemble = Ensemble(lambda: classes()[0], 3, seed=11)
    with pytest.raises(ValueError, match="labels from 0 to 3"):
        ensemble.fit(X, np.arange(100) % 4, verbose=0)
    assert not any(m.built or m._executors or m.optimizer.iterations for m in ensemble.members)
    assert ensemble.history is None and not any(m.history for m in ensemble.members)
    ensemble.fit(X, LABELS, verbose=0)


# What is not finite, and interruptions


def diverging(k, rate=1e25):
    """`make` of an ensemble whose member k diverges after some steps."""
    made = []

    def make():
        made.append(None)
        model = fastnn.Sequential(
            [layers.Input((8,)), layers.Dense(4, "relu", name="hidden"), layers.Dense(1, name="out")]
        )
        model.compile(optimizers.SGD(rate if len(made) == k + 1 else 1e-3), "mse")
        return model

    return make


def test_a_member_that_diverges_is_named_and_the_others_are_trained_to_the_end():
    ensemble = Ensemble(diverging(1), 3, seed=3)
    with pytest.raises(
        fastnn.NonFiniteError, match=r"member 1, loss or gradient: received NaN or infinity at step"
    ) as caught:
        ensemble.fit(X, TARGETS, epochs=5, verbose=0)
    error = caught.value
    assert error.member == 1 and error.layer in ("hidden", "out")
    for k in (0, 2):
        fastnn.set_random_seed(ensemble.seeds[k])
        model = diverging(k, 1e-3)()
        model.fit(X, TARGETS, epochs=5, verbose=0)
        assert state(model) == state(ensemble.members[k])
    fastnn.set_random_seed(ensemble.seeds[1])
    model = diverging(0)()
    with pytest.raises(fastnn.NonFiniteError) as single:
        model.fit(X, TARGETS, epochs=5, verbose=0)
    assert state(model) == state(ensemble.members[1])
    assert (single.value.step, single.value.layer) == (error.step, error.layer) and str(single.value) in str(error)
    losses = np.array(ensemble.history.history["loss"])
    assert losses.shape == (5, 3) and np.isnan(losses[:, 1]).all() and np.isfinite(losses[:, ::2]).all()
    assert len(ensemble.members[1].history.epoch) == 0


@pytest.mark.parametrize("policy", ["skip", "ignore"])
def test_policies_for_what_is_not_finite(policy):
    ensemble = Ensemble(diverging(2), 3, seed=3)
    ensemble.fit(X, TARGETS, epochs=3, verbose=0, on_nonfinite=policy)
    for k in range(3):
        fastnn.set_random_seed(ensemble.seeds[k])
        model = diverging(0, 1e25 if k == 2 else 1e-3)()
        model.fit(X, TARGETS, epochs=3, verbose=0, on_nonfinite=policy)
        assert state(model) == state(ensemble.members[k])


def test_all_members_diverge():
    ensemble = Ensemble(lambda: diverging(0)(), 2, seed=3)
    with pytest.raises(fastnn.NonFiniteError, match="member 0, "):
        ensemble.fit(X, TARGETS, epochs=10**6, verbose=0, validation_data=(X, TARGETS))
    assert np.isnan(ensemble.history.history["val_loss"]).all()


def test_a_member_that_diverges_gets_no_mean_of_its_weights():
    """Its weights are those of its last finite step, those of the others means."""
    rates = iter([1e-3, 1e4])

    def make():
        model = fastnn.Sequential([layers.Input((8,)), layers.Dense(1)])
        model.compile(optimizers.SGD(next(rates), use_ema=True, ema_momentum=0.9), "mse")
        return model

    ensemble = Ensemble(make, 2, seed=3)
    with pytest.raises(fastnn.NonFiniteError):
        ensemble.fit(X, TARGETS, epochs=3, verbose=0, validation_data=(X, TARGETS))
    for k, mean in ((0, True), (1, False)):
        model = ensemble.members[k]
        kept = model.optimizer._kept(model.trainable_variables[0], "average").value
        assert (model.get_weights()[0].tobytes() == kept.tobytes()) == mean
    scores = np.array(ensemble.history.history["val_loss"])
    assert np.isnan(scores[1:, 1]).all() and np.isfinite(scores[:, 0]).all()


def test_interruption_leaves_whole_steps(monkeypatch):
    """Ctrl-C while the batches of a chunk run: all members have taken as many steps."""
    calls, run = [], epochs.run_side_by_side

    def interrupted(jobs):
        found = run(jobs)
        calls.append(len(jobs[0].row_counts))
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return found

    monkeypatch.setattr(epochs, "run_side_by_side", interrupted)
    ensemble = Ensemble(lambda: plain()[0], 3, seed=5)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # of a background job it is ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            ensemble.fit(X, TARGETS, epochs=10**6, verbose=0, batch_size=10)
    finally:
        signal.signal(signal.SIGINT, before)
    steps = ensemble.members[0].optimizer.iterations
    assert {m.optimizer.iterations for m in ensemble.members} == {steps} and steps == sum(calls) and steps % 10 == 0
    fastnn.set_random_seed(ensemble.seeds[2])
    model = plain()[0]
    model.fit(X, TARGETS, epochs=steps // 10, verbose=0, batch_size=10)
    assert state(model) == state(ensemble.members[2])
    ensemble.fit(X, TARGETS, verbose=0)


# Logs


def test_history_and_what_is_printed(capsys):
    ensemble = Ensemble(lambda: plain()[0], 3, seed=5)
    history = ensemble.fit(X, TARGETS, epochs=2, verbose=2, validation_data=(X, TARGETS))
    assert history is ensemble.history and history.epoch == [0, 1]
    assert {name: np.shape(values) for name, values in history.history.items()} == {
        name: (2, 3) for name in ("loss", "mae", "val_loss", "val_mae")
    }
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("Epoch 2/2 - ")
    for name, values in history.history.items():
        assert f" - {name}: {values[1].mean():.4f}" in lines[1]
    ensemble.fit(X, TARGETS, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def test_names_are_the_same_in_all_members():
    ensemble = Ensemble(lambda: plain()[0], 3, seed=5)
    names = [[m.name, *(layer.name for layer in m.layers)] for m in ensemble.members]
    assert names[0] == names[1] == names[2] and len(ensemble) == 3


# Bagging


@pytest.mark.parametrize("make", [plain, classes, counted_in_python, two_heads])
@pytest.mark.parametrize(
    "options",
    [{}, {"max_samples": 0.5}, {"max_samples": 30, "bootstrap": False}, {"max_samples": 1, "bootstrap": True}],
)
def test_a_member_is_trained_on_its_rows(make, options):
    ensemble, histories = trained(make, Bagging, options=options, batch_size=16)
    drawn = {1.0: 100, 0.5: 50}.get(options.get("max_samples", 1.0), options.get("max_samples"))
    drawn = 1 if options.get("max_samples") == 1 and isinstance(options["max_samples"], int) else drawn
    for k, member in enumerate(ensemble.members):
        rows = ensemble.estimators_samples_[k]
        assert rows.shape == (drawn,)
        model, own = alone(make, ensemble.seeds[k], rows, batch_size=16)
        assert state(model) == state(member)
        assert own == [of_member(history, k) for history in histories]


def test_rows_are_drawn_with_equal_probability():
    """Each row of 10^4 equally often within six standard deviations, and 63.2 % of them at all."""
    ensemble = Bagging(lambda: plain()[0], 100, seed=1)
    rows = ensemble._rows(10_000)
    counts = np.bincount(np.concatenate(rows), minlength=10_000)
    assert abs(counts - 100).max() < 6 * np.sqrt(100)
    assert abs(counts.var() / 100 - 1) < 6 * np.sqrt(2 / 10_000)  # that of Poisson
    distinct = np.array([len(np.unique(own)) for own in rows]) / 10_000
    deviation = np.sqrt((np.exp(-1) - 2 * np.exp(-2)) / 10_000 / 100)
    assert abs(distinct.mean() - (1 - np.exp(-1))) < 6 * deviation + 1e-4
    assert all((a != b).any() for a, b in itertools.pairwise(rows))
    without = Bagging(lambda: plain()[0], 3, 0.3, bootstrap=False, seed=1)._rows(1000)
    assert all(len(np.unique(own)) == 300 for own in without) and len({own.tobytes() for own in without}) == 3
    high, low = (int(word) for word in random_bits(2, 10_000, ensemble.seeds[0], 2**32 - 2, 10_000)[:, 17])
    assert rows[0][17] == (high * 2**32 + low) * 10_000 // 2**64


@pytest.mark.parametrize("make", [plain, classes, two_heads])
def test_out_of_bag_predictions_are_those_of_members_that_have_not_seen_the_row(make):
    with pytest.warns(UserWarning, match="rows were seen by every member"):
        ensemble, _ = trained(make, Bagging, count=8, options={"oob_score": True})
    y, found = make()[1], ensemble.oob_prediction_
    several = isinstance(found, list)
    outputs = [m.predict(X) for m in ensemble.members]
    for part in range(len(found) if several else 1):
        for row in range(100):
            own = [
                (output[part] if several else output)[row].astype(np.float64)
                for output, rows in zip(outputs, ensemble.estimators_samples_, strict=True)
                if row not in rows
            ]
            got = (found[part] if several else found)[row]
            if own:
                np.testing.assert_allclose(got, np.mean(own, axis=0), rtol=2**-23)
            else:
                assert np.isnan(got).all()
    if several:
        return
    has = np.isfinite(found).all(axis=1)
    if make is plain:
        expected = {"mae": abs(found[has] - y[has]).mean(), "loss": ((found[has] - y[has]) ** 2).mean()}
    else:
        chosen = found[has].astype(np.float64)[np.arange(has.sum()), y[has]]
        expected = {"accuracy": (found[has].argmax(1) == y[has]).mean(), "loss": -np.log(chosen).mean()}
    assert ensemble.oob_score_ == pytest.approx(expected, rel=1e-5)


def test_rows_that_all_members_have_seen_are_warned_of():
    with pytest.warns(UserWarning, match=r"\d+ of 100 rows were seen by every member"):
        ensemble, _ = trained(plain, Bagging, count=1, options={"oob_score": True})
    seen = np.isin(np.arange(100), ensemble.estimators_samples_[0])
    assert (np.isnan(ensemble.oob_prediction_[:, 0]) == seen).all()
    assert not hasattr(trained(plain, Bagging)[0], "oob_score_")


def test_public_names():
    assert fastnn.ensembles.Ensemble is Ensemble is ensembles.Ensemble and ensembles.Bagging is Bagging
    assert issubclass(Bagging, Ensemble)
