"""Every wrong call: the right type, a message of four parts, and nothing changed by it."""

import re

import numpy as np
import pytest

import fastnn
from fastnn import (
    activations,
    callbacks,
    config,
    gradient_check,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    plotting,
    regularizers,
    schedules,
    utils,
)
from fastnn.utils import PyDataset

PARTS = re.compile(r".+: received .+; expected .+; to fix it, .+\.", re.S)

RNG = np.random.default_rng(3)
X = RNG.standard_normal((12, 4)).astype(np.float32)  # 12 samples of 4 features
Y = np.arange(12) % 3  # labels of 3 classes
HOT = np.eye(3, dtype=np.float32)[Y]
WEIGHTS = np.linspace(0.5, 1.5, 12)
ARRAY = np.ones(2)  # has no truth value


def model(loss="sparse_categorical_crossentropy", built=True, compiled=True, optimizer="adam"):
    """4-5-3 with dropout; built ones have been trained for two steps."""
    fastnn.set_random_seed(5)
    made = fastnn.Sequential(
        [
            layers.Dense(5, activation="tanh", name="hidden", **({"input_shape": (4,)} if built else {})),
            layers.Dropout(0.25, name="dropout"),
            layers.Dense(3, activation="softmax", name="output"),
        ],
        name="small",
    )
    if compiled:
        made.compile(optimizer, loss, metrics=["accuracy"])
    if built and compiled:
        train(made)
    return made


def train(made):
    """Two steps on the data that belong to the loss."""
    if made.optimizer is None:
        made.compile("adam", "sparse_categorical_crossentropy")
    labels = made.loss.name.startswith("sparse")
    made.fit(X, Y if labels else HOT, batch_size=8, verbose=0)


def scheduled():
    return model(optimizer=optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.5)))


MODELS = {
    "model": model,
    "one-hot model": lambda: model("categorical_crossentropy"),
    "unbuilt model": lambda: model(built=False),
    "uncompiled model": lambda: model(compiled=False),
    "unbuilt, uncompiled model": lambda: model(built=False, compiled=False),
    "empty model": lambda: fastnn.Sequential(),
    "model with a schedule": scheduled,
}


def state(made):
    """All that a wrong call could have changed."""
    slots = (
        []
        if made.optimizer is None
        else [
            (name, slot.numpy().tobytes())
            for of_variable in made.optimizer._slots.values()
            for name, slot in of_variable.items()
        ]
    )
    return {
        "weights": [w.tobytes() for w in made.get_weights()],
        "slots": slots,
        "iterations": made.optimizer and made.optimizer.iterations,
        "objects": [id(o) for o in (made.optimizer, made.loss, made.history, *made.layers)],
        "built": [made.built, *(layer.built for layer in made.layers)],
        "shape": made.input_shape if made.built else made.build_shape,
        "config": repr(made.get_config()["layers"] and [(type(la), la.name, la.trainable) for la in made.layers]),
        "history": made.history and (made.history.epoch, repr(made.history.history)),
        "rate": made.optimizer and made.optimizer.learning_rate,
        "logs": (made.history and made._logs(), made.stop_training),
        "settings": (
            config.floatx(),
            config.on_nonfinite(),
            config.num_threads(),
            config.seed(),
            repr(np.random.get_state()),
        ),
    }


def with_environment(name, value, function, *args):
    """Call with an environment variable set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        return function(*args)


class Misjudging(layers.Layer):
    """Says that its outputs have one feature more than they have."""

    def call(self, x):
        return x * 2

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)


class OfFloat64(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(input_shape[1:], name="w", dtype="float64")

    def call(self, x):
        return x * self.w


class Count(metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return 0.0


def built_prelu():
    layer = layers.PReLU(name="p")
    layer(X)
    return layer


def threads(n):
    with fastnn.threads(n):
        raise AssertionError("a wrong number of threads was accepted")


def set_rate(made, value):
    made.optimizer.learning_rate = value


def set_iterations(made, value):
    made.optimizer.iterations = value


def too_fast(made):
    optimizers.SGD(1e300).apply_gradients([(np.zeros((4, 5)), made.layers[0].kernel)])


def with_nan(array):
    return np.where(np.arange(len(array)) == 3, np.nan, array)


# name: (call, error, what the message says)
WRONG = {
    "model": {
        # fit: x
        "fit-nothing": (lambda m: m.fit(), TypeError, "x: received None"),
        "fit-x-none": (lambda m: m.fit(None, Y), TypeError, "x: received None"),
        "fit-x-empty": (lambda m: m.fit(X[:0], Y[:0]), ValueError, "at least one sample"),
        "fit-x-scalar": (lambda m: m.fit(3.0, Y), ValueError, "x: received 3.0"),
        "fit-x-wide": (lambda m: m.fit(np.ones((12, 5)), Y), ValueError, r"'hidden'.*shape \(12, 5\)"),
        "fit-x-vector": (lambda m: m.fit(X[:, 0], Y), ValueError, r"'hidden'.*shape \(12, 1\)"),
        "fit-x-rank": (lambda m: m.fit(X[:, :, None], Y), ValueError, r"'hidden'.*shape \(12, 4, 1\)"),
        "fit-x-object": (lambda m: m.fit(X.astype(object), Y), TypeError, "object"),
        "fit-x-string": (lambda m: m.fit(X.astype(str), Y), TypeError, "convert it to float32"),
        "fit-x-complex": (lambda m: m.fit(X + 1j, Y), TypeError, "complex"),
        "fit-x-float16": (lambda m: m.fit(X.astype(np.float16), Y), TypeError, "float16"),
        "fit-x-longdouble": (lambda m: m.fit(X.astype(np.longdouble), Y), TypeError, "x: received an array"),
        "fit-x-dates": (lambda m: m.fit(X.astype(int).astype("M8[s]"), Y), TypeError, "datetime64"),
        "fit-x-ragged": (lambda m: m.fit([[1.0, 2.0, 3.0, 4.0], [1.0]], Y[:2]), TypeError, "equally long"),
        # fit: streams
        "stream-empty": (lambda m: m.fit(iter([])), ValueError, "x: received no batch.*at least one batch"),
        "stream-no-pairs": (lambda m: m.fit(iter([X])), TypeError, "y: received None"),
        "stream-rows": (lambda m: m.fit(row for row in X), ValueError, r"x: received .*\(4, 1\)"),
        "stream-four": (lambda m: m.fit(iter([(X, Y, Y, Y)])), ValueError, "batch: received a tuple of 4"),
        "stream-none": (lambda m: m.fit(iter([None])), TypeError, "x: received None"),
        "stream-shape": (lambda m: m.fit(iter([(X[:, :2], Y)])), ValueError, r"x: received .*\(12, 2\)"),
        "stream-lengths": (lambda m: m.fit(iter([(X, Y[:5])])), ValueError, "y: received 5 samples; expected 12"),
        "stream-batch-size": (lambda m: m.fit(iter([(X, Y)]), batch_size=4), ValueError, "batch_size: .*a stream"),
        "stream-split": (
            lambda m: m.fit(iter([(X, Y)]), validation_split=0.5),
            ValueError,
            "validation_split: received 0.5.*pass validation_data",
        ),
        "stream-weights": (
            lambda m: m.fit(iter([(X, Y)]), sample_weight=WEIGHTS),
            ValueError,
            "sample_weight: received .*the stream gives it",
        ),
        "stream-validation": (
            lambda m: m.fit(X, Y, validation_data=iter([(X[:, :2], Y)])),
            ValueError,
            r"validation_data\[0\]: received",
        ),
        "stream-validation-size": (
            lambda m: m.fit(X, Y, validation_batch_size=0),
            ValueError,
            "validation_batch_size: received 0",
        ),
        "stream-predict": (lambda m: m.predict(iter([X[:, :2]])), ValueError, r"x: received .*\(12, 2\)"),
        "stream-evaluate": (lambda m: m.evaluate(iter([(X, Y)]), Y), ValueError, "y: received .*the stream gives it"),
        "dataset-bare": (lambda m: m.fit(PyDataset()), NotImplementedError, "class PyDataset: .*'__len__'"),
        "dataset-workers": (lambda m: PyDataset(workers=-1), ValueError, "workers: received -1"),
        "dataset-queue": (lambda m: PyDataset(max_queue_size=0), ValueError, "max_queue_size: received 0"),
        "dataset-processes": (lambda m: PyDataset(use_multiprocessing=2), TypeError, "use_multiprocessing: received 2"),
        "full-typo": (lambda m: m.fit(X, Y, batch_size="whole"), TypeError, "batch_size: received 'whole'"),
        "freq-zero": (lambda m: m.fit(X, Y, validation_freq=[0, 2]), ValueError, "validation_freq: received 0"),
        "accumulate-1": (
            lambda m: optimizers.SGD(gradient_accumulation_steps=1),
            ValueError,
            "gradient_accumulation_steps: received 1",
        ),
        "accumulate-float": (
            lambda m: optimizers.Adam(gradient_accumulation_steps=2.0),
            TypeError,
            "gradient_accumulation_steps: received 2.0",
        ),
        "fit-x-generator": (lambda m: m.fit((row for row in X), Y), ValueError, "y: received .*the stream gives it"),
        "fit-x-dict": (lambda m: m.fit({"x": X}, Y), ValueError, "x: received a dict without 'input_1'"),
        # fit: y
        "fit-y-none": (lambda m: m.fit(X), TypeError, "y: received None"),
        "fit-y-short": (lambda m: m.fit(X, Y[:5]), ValueError, "y: received 5 samples; expected 12 samples"),
        "fit-y-empty": (lambda m: m.fit(X, []), ValueError, "y: received .*at least one sample"),
        "fit-y-scalar": (lambda m: m.fit(X, 1), ValueError, "y: received 1"),
        "fit-y-string": (lambda m: m.fit(X, ["cat"] * 12), TypeError, "y: received"),
        "fit-y-object": (lambda m: m.fit(X, [None] * 12), TypeError, "y: received"),
        "fit-y-ragged": (lambda m: m.fit(X, [[1], [1, 2]] * 6), TypeError, "y: received"),
        "fit-y-one-hot": (lambda m: m.fit(X, HOT), ValueError, "'output'.*categorical_crossentropy"),
        "fit-y-too-large": (lambda m: m.fit(X, Y + 1), ValueError, "y: .*labels from 1 to 3.*from 0 to 2"),
        "fit-y-negative": (lambda m: m.fit(X, Y - 1), ValueError, "y: .*labels from -1 to 1.*from 0 to 2"),
        "fit-y-fractional": (lambda m: m.fit(X, Y / 2), ValueError, "y: .*0.5"),
        "fit-y-nan": (lambda m: m.fit(X, with_nan(Y)), ValueError, "y: .*nan"),
        "fit-y-huge": (lambda m: m.fit(X, Y + 2**40), ValueError, "y: .*labels"),
        # fit: numbers
        "batch-size-0": (lambda m: m.fit(X, Y, batch_size=0), ValueError, "batch_size: received 0"),
        "batch-size-negative": (lambda m: m.fit(X, Y, batch_size=-4), ValueError, "batch_size: received -4"),
        "batch-size-float": (lambda m: m.fit(X, Y, batch_size=4.0), TypeError, "batch_size: received 4.0"),
        "batch-size-string": (lambda m: m.fit(X, Y, batch_size="4"), TypeError, "batch_size: received '4'"),
        "batch-size-bool": (lambda m: m.fit(X, Y, batch_size=True), TypeError, "batch_size: received True"),
        "batch-size-huge": (lambda m: m.fit(X, Y, batch_size=2**31), ValueError, "batch_size: received"),
        "epochs-negative": (lambda m: m.fit(X, Y, epochs=-1), ValueError, "epochs: received -1"),
        "epochs-float": (lambda m: m.fit(X, Y, epochs=1.5), TypeError, "epochs: received 1.5"),
        "epochs-none": (lambda m: m.fit(X, Y, epochs=None), TypeError, "epochs: received None"),
        "initial-epoch-negative": (lambda m: m.fit(X, Y, initial_epoch=-1), ValueError, "initial_epoch: received"),
        "initial-epoch-string": (lambda m: m.fit(X, Y, initial_epoch="0"), TypeError, "initial_epoch: received"),
        "verbose-3": (lambda m: m.fit(X, Y, verbose=3), ValueError, "verbose: received 3"),
        "verbose-string": (lambda m: m.fit(X, Y, verbose="loud"), ValueError, "verbose: received 'loud'"),
        "verbose-none": (lambda m: m.fit(X, Y, verbose=None), ValueError, "verbose: received None"),
        "shuffle-string": (lambda m: m.fit(X, Y, shuffle="batch"), TypeError, "shuffle: received 'batch'"),
        "set-on-nonfinite": (lambda m: config.set_on_nonfinite("stop"), ValueError, "on_nonfinite: .*'ignore'"),
        "both-spellings": (lambda m: m.fit(X, Y, nb_epoch=1, epochs=1), ValueError, "nb_epoch: .*besides epochs"),
        "both-spellings-by-position": (lambda m: m.fit(X, Y, 4, 1, nb_epoch=1), ValueError, "nb_epoch: .*leave out"),
        "spelling-gone": (lambda m: m.fit(X, Y, show_accuracy=True), TypeError, "show_accuracy: .*metrics="),
        "on-nonfinite": (lambda m: m.fit(X, Y, on_nonfinite="stop"), ValueError, "on_nonfinite: .*'stop'.*'skip'"),
        # fit: validation
        "split-1": (lambda m: m.fit(X, Y, validation_split=1.0), ValueError, "validation_split: received 1.0"),
        "split-negative": (lambda m: m.fit(X, Y, validation_split=-0.1), ValueError, "validation_split: received"),
        "split-string": (lambda m: m.fit(X, Y, validation_split="0.1"), TypeError, "validation_split: received"),
        "split-bool": (lambda m: m.fit(X, Y, validation_split=True), TypeError, "validation_split: received"),
        "split-nan": (lambda m: m.fit(X, Y, validation_split=np.nan), ValueError, "validation_split: received"),
        "split-nothing-left": (lambda m: m.fit(X, Y, validation_split=0.99), ValueError, "0.99 of 12 samples"),
        "validation-array": (lambda m: m.fit(X, Y, validation_data=X), TypeError, "validation_data: received"),
        "validation-x-only": (lambda m: m.fit(X, Y, validation_data=(X,)), TypeError, "validation_data: received"),
        "validation-four": (lambda m: m.fit(X, Y, validation_data=(X, Y, WEIGHTS, 1)), TypeError, "validation_data"),
        "validation-x": (
            lambda m: m.fit(X, Y, validation_data=(X[:, :3], Y)),
            ValueError,
            r"'hidden'.*validation_data\[0\]",
        ),
        "validation-y": (lambda m: m.fit(X, Y, validation_data=(X, Y + 5)), ValueError, r"validation_data\[1\]"),
        "validation-y-none": (lambda m: m.fit(X, Y, validation_data=(X, None)), TypeError, r"validation_data\[1\]"),
        "validation-y-scalar": (lambda m: m.fit(X, Y, validation_data=(X, 1)), ValueError, r"validation_data\[1\]"),
        "validation-lengths": (
            lambda m: m.fit(X, Y, validation_data=(X, Y[:3])),
            ValueError,
            r"validation_data\[1\]: received 3 samples",
        ),
        "validation-weights": (lambda m: m.fit(X, Y, validation_data=(X, Y, -WEIGHTS)), ValueError, "negative"),
        "validation-weights-short": (
            lambda m: m.fit(X, Y, validation_data=(X, Y, WEIGHTS[:3])),
            ValueError,
            r"validation_data\[2\]: received 3 samples",
        ),
        # fit: weights
        "weights-scalar": (lambda m: m.fit(X, Y, sample_weight=2.0), ValueError, "sample_weight: received 2.0"),
        "weights-short": (lambda m: m.fit(X, Y, sample_weight=WEIGHTS[:3]), ValueError, "sample_weight: received 3"),
        "weights-matrix": (lambda m: m.fit(X, Y, sample_weight=HOT), ValueError, "sample_weight: .*one weight"),
        "weights-string": (lambda m: m.fit(X, Y, sample_weight=["1"] * 12), TypeError, "sample_weight: received"),
        "weights-negative": (lambda m: m.fit(X, Y, sample_weight=-WEIGHTS), ValueError, "negative or non-finite"),
        "weights-nan": (lambda m: m.fit(X, Y, sample_weight=with_nan(WEIGHTS)), ValueError, "non-finite weight"),
        "weights-infinite": (lambda m: m.fit(X, Y, sample_weight=np.full(12, np.inf)), ValueError, "non-finite weight"),
        "weights-huge": (lambda m: m.fit(X, Y, sample_weight=WEIGHTS * 1e300), ValueError, "non-finite weight"),
        "weights-split": (lambda m: m.fit(X, Y, sample_weight=5, validation_split=0.5), ValueError, "sample_weight: "),
        "class-weight-list": (lambda m: m.fit(X, Y, class_weight=[1, 2, 3]), TypeError, "class_weight: received"),
        "class-weight-negative": (
            lambda m: m.fit(X, Y, class_weight={0: 1, 1: 1, 2: -1}),
            ValueError,
            "class_weight: received -1",
        ),
        "class-weight-string": (lambda m: m.fit(X, Y, class_weight={0: 1, 1: 1, 2: "a"}), TypeError, "class_weight: "),
        # fit: callbacks
        "callbacks-class": (lambda m: m.fit(X, Y, callbacks=[callbacks.EarlyStopping]), TypeError, "call the class"),
        "callbacks-function": (lambda m: m.fit(X, Y, callbacks=print), TypeError, "callbacks: received"),
        "early-stopping-mode": (lambda m: callbacks.EarlyStopping(mode="least"), ValueError, "mode: .*'least'"),
        "reduce-factor": (lambda m: callbacks.ReduceLROnPlateau(factor=1.0), ValueError, "factor: received 1.0"),
        "scheduler-number": (lambda m: callbacks.LearningRateScheduler(0.1), TypeError, "schedule: received 0.1"),
        "lambda-hook": (lambda m: callbacks.LambdaCallback(on_epoch=print), ValueError, "'on_epoch_end'"),
        # other calls
        "evaluate-nothing": (lambda m: m.evaluate(), TypeError, "x: received None"),
        "evaluate-y-none": (lambda m: m.evaluate(X), TypeError, "y: received None"),
        "evaluate-y-short": (lambda m: m.evaluate(X, Y[:4]), ValueError, "y: received 4 samples"),
        "evaluate-x": (lambda m: m.evaluate(X[:, :2], Y), ValueError, r"'hidden'.*\(12, 2\)"),
        "evaluate-batch-size": (lambda m: m.evaluate(X, Y, batch_size=0), ValueError, "batch_size: received 0"),
        "evaluate-verbose": (lambda m: m.evaluate(X, Y, verbose=-1), ValueError, "verbose: received -1"),
        "evaluate-weights": (lambda m: m.evaluate(X, Y, sample_weight=[[1]]), ValueError, "sample_weight: received"),
        "evaluate-callbacks": (lambda m: m.evaluate(X, Y, callbacks=[1]), TypeError, "callbacks: received 1"),
        "predict-none": (lambda m: m.predict(None), TypeError, "x: received None"),
        "predict-empty": (lambda m: m.predict(X[:0]), ValueError, "at least one sample"),
        "predict-x": (lambda m: m.predict(X[:, :2]), ValueError, r"'hidden'.*\(12, 2\)"),
        "predict-sample": (lambda m: m.predict(X[0]), ValueError, r"'hidden'.*\(4, 1\)"),
        "predict-string": (lambda m: m.predict([["a", "b", "c", "d"]]), TypeError, "x: received"),
        "predict-batch-size": (lambda m: m.predict(X, batch_size=2.5), TypeError, "batch_size: received 2.5"),
        "predict-verbose": (lambda m: m.predict(X, verbose="yes"), ValueError, "verbose: received 'yes'"),
        "predict-on-batch": (lambda m: m.predict_on_batch([]), ValueError, "at least one sample"),
        "call-string": (lambda m: m("image"), TypeError, "x: received 'image'"),
        "call-training": (lambda m: m(X[:, :3], training=True), ValueError, "'hidden'"),
        "train-on-batch-y": (lambda m: m.train_on_batch(X), TypeError, "y: received None"),
        "train-on-batch-x": (lambda m: m.train_on_batch(X[0], Y[:4]), ValueError, "'hidden'"),
        "train-on-batch-lengths": (lambda m: m.train_on_batch(X, Y[:2]), ValueError, "y: received 2 samples"),
        "train-on-batch-labels": (lambda m: m.train_on_batch(X, Y + 9), ValueError, "y: .*labels"),
        "test-on-batch-weights": (lambda m: m.test_on_batch(X, Y, [1]), ValueError, "sample_weight: received 1"),
        "describe-mode": (lambda m: m.describe("training"), ValueError, "mode: .*'train'"),
        "describe-batch-size": (lambda m: m.describe(batch_size=0), ValueError, "batch_size: received 0"),
        "summary-line-length": (lambda m: m.summary(line_length=10), ValueError, "line_length: received 10"),
        "get-layer-name": (lambda m: m.get_layer("hiden"), ValueError, "use 'hidden'"),
        "get-layer-index": (lambda m: m.get_layer(index=7), ValueError, "index: received 7"),
        "get-layer-nothing": (lambda m: m.get_layer(), ValueError, "index: received None"),
        "get-layer-string": (lambda m: m.get_layer(index="0"), TypeError, "index: received '0'"),
        # weights
        "set-weights-none": (lambda m: m.set_weights(None), TypeError, "weights of 'small': received None"),
        "set-weights-few": (lambda m: m.set_weights(m.get_weights()[:3]), ValueError, "received 3 arrays.*4 arrays"),
        "set-weights-shape": (lambda m: m.set_weights([w.T for w in m.get_weights()]), ValueError, "'hidden/kernel'"),
        "set-weights-last": (lambda m: m.set_weights([*m.get_weights()[:3], [1.0]]), ValueError, "'output/bias'"),
        "set-weights-string": (
            lambda m: m.set_weights([w.astype(str) for w in m.get_weights()]),
            ValueError,
            "'hidden/kernel'",
        ),
        "set-weights-float16": (
            lambda m: m.set_weights([*m.get_weights()[:3], m.get_weights()[3].astype(np.float16)]),
            ValueError,
            "'output/bias'.*float16",
        ),
        "set-weights-ragged": (lambda m: m.set_weights([[[1.0], [1.0, 2.0]]] * 4), TypeError, "weights of 'small'"),
        "layer-set-weights": (lambda m: m.layers[0].set_weights([]), ValueError, "weights of 'hidden': received 0"),
        "assign-shape": (lambda m: m.layers[0].kernel.assign([1.0]), ValueError, "'hidden/kernel'"),
        # changing the model
        "add-not-a-layer": (lambda m: m.add("relu"), TypeError, "layer: received 'relu'"),
        "add-class": (lambda m: m.add(layers.Dense), TypeError, "with parentheses"),
        "add-same-name": (lambda m: m.add(layers.Dense(2, name="hidden")), ValueError, "second layer named 'hidden'"),
        "add-input": (lambda m: m.add(layers.Input((3,))), ValueError, "Input only at the beginning"),
        "add-misfit": (
            lambda m: m.add(layers.Reshape((2, 2), name="square")),
            ValueError,
            r"'square' after the output of layer 'output' of shape \(None, 3\)",
        ),
        # compile
        "compile-optimizer": (lambda m: m.compile("adm", "mse"), ValueError, "optimizer: .*use 'adam'"),
        "compile-optimizer-none": (lambda m: m.compile(None, "mse"), TypeError, "optimizer: received None"),
        "compile-optimizer-number": (lambda m: m.compile(0.1, "mse"), TypeError, "optimizer: received 0.1"),
        "compile-loss": (lambda m: m.compile("adam", "crossentropy"), ValueError, "use 'binary_crossentropy'"),
        "compile-no-loss": (lambda m: m.compile("adam"), TypeError, "loss: received None"),
        "compile-loss-number": (lambda m: m.compile("adam", 2), TypeError, "loss: received 2"),
        "compile-metric": (lambda m: m.compile("adam", "mse", metrics=["acuracy"]), ValueError, "use 'accuracy'"),
        "compile-metric-number": (lambda m: m.compile("adam", "mse", metrics=[1]), TypeError, "metric: received 1"),
        "compile-loss-weights": (
            lambda m: m.compile("sgd", "mse", ["mae"]),
            TypeError,
            "loss_weights: received 'mae'",
        ),
        "compile-two-weights": (
            lambda m: m.compile("sgd", "mse", [1, 2]),
            ValueError,
            "loss_weights: received 2 entries.*'output'",
        ),
        "compile-two-losses": (lambda m: m.compile("sgd", ["mse", "mse"]), ValueError, "loss: received 2 entries"),
        "compile-loss-key": (lambda m: m.compile("sgd", {"out": "mse"}), ValueError, "key of loss: received 'out'"),
        "compile-eagerly": (lambda m: m.compile("sgd", "mse", run_eagerly="x"), TypeError, "run_eagerly: "),
        "compile-steps": (
            lambda m: m.compile("sgd", "mse", steps_per_execution=0),
            ValueError,
            "steps_per_execution: ",
        ),
        "compile-jit": (lambda m: m.compile("sgd", "mse", jit_compile=True), ValueError, "jit_compile: "),
        "fit-steps": (
            lambda m: m.fit(X, Y, steps_per_epoch=0),
            ValueError,
            "steps_per_epoch: received 0",
        ),
        "fit-validation-freq": (lambda m: m.fit(X, Y, validation_freq=0), ValueError, "validation_freq: received 0"),
        "evaluate-steps": (lambda m: m.evaluate(X, Y, steps=2.0), TypeError, "steps: received 2.0"),
        "predict-steps": (lambda m: m.predict(X, steps=0), ValueError, "steps: received 0"),
        "summary-nested": (lambda m: m.summary(expand_nested="x"), TypeError, "expand_nested: "),
        "compile-weighted": (lambda m: m.compile("sgd", "mse", weighted_metrics="ms"), ValueError, "use 'mse'"),
        # checks
        "check-no-model": (lambda m: gradient_check(m.layers[0], X, Y), TypeError, "model: received <Dense"),
        "check-none": (lambda m: gradient_check(None, X, Y), TypeError, "model: received None"),
        "check-x-none": (lambda m: gradient_check(m, None, Y), TypeError, "x: received None"),
        "check-x-wide": (lambda m: gradient_check(m, np.ones((12, 5)), Y), ValueError, r"'hidden'.*shape \(12, 5\)"),
        "check-y-none": (lambda m: gradient_check(m, X, None), TypeError, "y: received None"),
        "check-y-short": (lambda m: gradient_check(m, X, Y[:5]), ValueError, "y: received 5 samples"),
        "check-y-labels": (lambda m: gradient_check(m, X, Y + 1), ValueError, "y: .*labels from 1 to 3"),
        "check-weights": (lambda m: gradient_check(m, X, Y, -WEIGHTS), ValueError, "negative or non-finite"),
        "check-weights-short": (
            lambda m: gradient_check(m, X, Y, WEIGHTS[:2]),
            ValueError,
            "sample_weight: received 2",
        ),
        "check-samples-0": (lambda m: gradient_check(m, X, Y, samples=0), ValueError, "samples: received 0"),
        "check-samples-float": (lambda m: gradient_check(m, X, Y, samples=5.0), TypeError, "samples: received 5.0"),
        "check-samples-none": (lambda m: gradient_check(m, X, Y, samples=None), TypeError, "samples: received None"),
        "check-seed": (lambda m: gradient_check(m, X, Y, seed=-1), ValueError, "seed: received -1"),
        "check-seed-string": (lambda m: gradient_check(m, X, Y, seed="1"), TypeError, "seed: received '1'"),
        "check-isa": (
            lambda m: with_environment("FASTNN_ISA", "sse9", gradient_check, m, X, Y),
            ValueError,
            "FASTNN_ISA: .*'sse9'",
        ),
        "health-none": (lambda m: m.health(None), TypeError, "x: received None"),
        "health-one": (lambda m: m.health(X[:1]), ValueError, "x: received 1 sample; expected at least 2"),
        "health-one-with-y": (
            lambda m: m.health(X[:1], Y[:1]),
            ValueError,
            "x: received 1 sample; expected at least 2",
        ),
        "health-x": (lambda m: m.health(X[:, :2]), ValueError, r"'hidden'.*\(12, 2\)"),
        "health-y": (lambda m: m.health(X, HOT), ValueError, "'output'.*categorical_crossentropy"),
        "health-y-short": (lambda m: m.health(X, Y[:3]), ValueError, "y: received 3 samples"),
        "health-weights": (lambda m: m.health(X, Y, HOT), ValueError, "sample_weight: .*one weight"),
        "health-weights-alone": (lambda m: m.health(X, None, WEIGHTS), ValueError, "sample_weight: .*pass y"),
        "health-threshold": (lambda m: m.health(X, threshold=1.5), ValueError, "threshold: received 1.5"),
        "health-threshold-string": (lambda m: m.health(X, threshold="0.1"), TypeError, "threshold: received '0.1'"),
        "health-isa": (lambda m: with_environment("FASTNN_ISA", "sse9", m.health, X), ValueError, "FASTNN_ISA: "),
        # the process
        "set-threads-0": (lambda m: fastnn.set_num_threads(0), ValueError, "n: received 0"),
        "set-threads-float": (lambda m: fastnn.set_num_threads(2.0), TypeError, "n: received 2.0"),
        "set-threads-string": (lambda m: fastnn.set_num_threads("two"), TypeError, "n: received 'two'"),
        "set-threads-many": (lambda m: fastnn.set_num_threads(10**6), ValueError, "n: received 1000000"),
        "threads-0": (lambda m: threads(0), ValueError, "n: received 0"),
        "threads-none": (lambda m: threads(None), TypeError, "n: received None"),
        "seed-negative": (lambda m: fastnn.set_random_seed(-1), ValueError, "seed: received -1"),
        "seed-large": (lambda m: fastnn.set_random_seed(2**32), ValueError, "seed: received 4294967296"),
        "seed-float": (lambda m: fastnn.set_random_seed(1.0), TypeError, "seed: received 1.0"),
        "seed-none": (lambda m: fastnn.set_random_seed(None), TypeError, "seed: received None"),
        "floatx-16": (lambda m: config.set_floatx("float16"), ValueError, "floatx: received 'float16'.*'float32'"),
        "floatx-type": (lambda m: config.set_floatx(np.float32), TypeError, "floatx: received"),
        "isa-fit": (lambda m: with_environment("FASTNN_ISA", "sse9", m.fit, X, Y), ValueError, "FASTNN_ISA: .*'sse9'"),
        "isa-predict": (lambda m: with_environment("FASTNN_ISA", "sse9", m.predict, X), ValueError, "FASTNN_ISA: "),
        "threads-fit": (
            lambda m: with_environment("FASTNN_NUM_THREADS", "two", m.fit, X, Y),
            ValueError,
            "FASTNN_NUM_THREADS: received 'two'",
        ),
        "threads-predict": (
            lambda m: with_environment("FASTNN_NUM_THREADS", "0", m.predict, X),
            ValueError,
            "FASTNN_NUM_THREADS: received 0",
        ),
        "threads-evaluate": (
            lambda m: with_environment("FASTNN_NUM_THREADS", "-2", m.evaluate, X, Y),
            ValueError,
            "FASTNN_NUM_THREADS: received '-2'",
        ),
        "threads-digit": (  # a digit, but not of a number
            lambda m: with_environment("FASTNN_NUM_THREADS", "²", m.predict, X),
            ValueError,
            "FASTNN_NUM_THREADS: received '²'",
        ),
        # layers
        "units-0": (lambda m: layers.Dense(0), ValueError, "units: received 0"),
        "units-float": (lambda m: layers.Dense(3.0), TypeError, "units: received 3.0"),
        "units-string": (lambda m: layers.Dense("3"), TypeError, "units: received '3'"),
        "dense-activation": (lambda m: layers.Dense(3, activation="rleu"), ValueError, "activation: .*use .*'relu'"),
        "dense-initializer": (lambda m: layers.Dense(3, kernel_initializer="glorot"), ValueError, "initializer: "),
        "dense-regularizer": (lambda m: layers.Dense(3, kernel_regularizer="l3"), ValueError, "regularizer: .*'l1'"),
        "dense-typo": (lambda m: layers.Dense(3, activaton="relu"), ValueError, "use 'activation'"),
        "dense-constraint": (
            lambda m: layers.Dense(3, kernel_constraint="l2"),
            ValueError,
            "constraint: received 'l2'",
        ),
        "dense-name": (lambda m: layers.Dense(3, name=""), TypeError, "name: received ''"),
        "dense-input-shape": (lambda m: layers.Dense(3, input_shape=("4",)), TypeError, "input_shape: received"),
        "dense-input-dim": (lambda m: layers.Dense(3, input_dim=0), ValueError, "input_shape: received"),
        "dense-scalars": (lambda m: layers.Dense(3, name="d")(np.ones(2)), ValueError, "'d'.*at least two axes"),
        "dense-call": (lambda m: m.layers[0](X[:, :3]), ValueError, "'hidden'"),
        "dense-call-string": (lambda m: m.layers[0](X.astype(str)), TypeError, "'hidden'.*array of numbers"),
        "dense-call-float16": (lambda m: m.layers[0](X.astype(np.float16)), TypeError, "'hidden'.*float16"),
        "input-none": (lambda m: layers.Input(None), TypeError, "shape: received None"),
        "input-batch-size": (lambda m: layers.Input((4,), 32), ValueError, "batch_size: received 32.*not provided"),
        "input-dtype": (lambda m: layers.Input((4,), dtype="int8"), ValueError, "dtype: received 'int8'"),
        "layer-on-layer": (lambda m: layers.Dense(1, name="d")(layers.Dense(2)), TypeError, "'d'.*write Sequential"),
        "model": (lambda m: fastnn.Model(inputs=1, outputs=2), TypeError, "inputs: received 1"),
        "input-batch": (lambda m: layers.Input((None, 4)), TypeError, "shape: received"),
        "input-negative": (lambda m: layers.Input((-4,)), ValueError, "shape: received"),
        "activation-layer": (lambda m: layers.Activation("sigmod"), ValueError, "use 'sigmoid'"),
        "relu-max": (lambda m: layers.ReLU(max_value=-1), ValueError, "max_value: received -1"),
        "relu-slope": (lambda m: layers.ReLU(negative_slope=None), TypeError, "negative_slope: received None"),
        "relu-threshold": (lambda m: layers.ReLU(threshold=np.nan), ValueError, "threshold: received nan"),
        "leaky-relu-negative": (lambda m: layers.LeakyReLU(-0.1), ValueError, "negative_slope: received -0.1"),
        "leaky-relu-string": (lambda m: layers.LeakyReLU("0.1"), TypeError, "negative_slope: received '0.1'"),
        "elu-negative": (lambda m: layers.ELU(-1.0), ValueError, "alpha: received -1.0"),
        "softmax-axis-float": (lambda m: layers.Softmax(1.5), TypeError, "axis: received 1.5"),
        "softmax-axis-none": (lambda m: layers.Softmax(()), TypeError, r"axis: received \(\)"),
        "softmax-batch": (lambda m: layers.Softmax(0, name="s")(X), ValueError, "'s', axis: received 0"),
        "softmax-axis-far": (lambda m: layers.Softmax(2, name="s")(X), ValueError, "'s', axis: received 2"),
        "softmax-axis-twice": (lambda m: layers.Softmax((1, -1), name="s")(X), ValueError, "'s', axis: .*different"),
        "prelu-axis": (lambda m: layers.PReLU(shared_axes=[0]), ValueError, "shared_axes: received 0"),
        "prelu-axis-string": (lambda m: layers.PReLU(shared_axes="all"), TypeError, "shared_axes: received 'all'"),
        "prelu-axis-far": (lambda m: m.add(layers.PReLU(shared_axes=[2], name="p")), ValueError, "'p'.*shared_axes"),
        "prelu-constraint": (lambda m: layers.PReLU(alpha_constraint=3), TypeError, "constraint: received 3"),
        "prelu-call": (lambda m: built_prelu()(X[:, :3]), ValueError, "'p'.*sizes that are equal or 1"),
        "permute-number": (lambda m: layers.Permute(2), TypeError, "dims: received 2"),
        "permute-zero": (lambda m: layers.Permute((0, 1)), ValueError, "dims: received 0"),
        "permute-twice": (lambda m: layers.Permute((1, 1)), ValueError, r"dims: received \(1, 1\)"),
        "permute-misfit": (lambda m: m.add(layers.Permute((2, 1), name="p")), ValueError, "'p'.*3 axes"),
        "repeat-zero": (lambda m: layers.RepeatVector(0), ValueError, "n: received 0"),
        "repeat-float": (lambda m: layers.RepeatVector(2.0), TypeError, "n: received 2.0"),
        "repeat-matrix": (lambda m: layers.RepeatVector(2, name="r")(X[:, None]), ValueError, "'r'.*two axes"),
        "lambda-string": (lambda m: layers.Lambda("relu"), TypeError, "function: received 'relu'"),
        "lambda-mask": (lambda m: layers.Lambda(ops.square, mask=abs), ValueError, "mask: received.*not provided"),
        "lambda-arguments": (lambda m: layers.Lambda(ops.square, arguments=[2]), TypeError, "arguments: received"),
        "lambda-shape": (lambda m: layers.Lambda(ops.square, (0,)), ValueError, r"output_shape: received \(0,\)"),
        "lambda-other-shape": (
            lambda m: m.add(layers.Lambda(ops.square, (4,), name="l")),
            ValueError,
            r"layer 'l'.*shape \(None, 3\); expected \(None, 4\)",
        ),
        "lambda-numpy": (lambda m: m.add(layers.Lambda(np.square, name="l")), TypeError, "layer 'l'.*fastnn.ops"),
        "lambda-config": (
            lambda m: layers.Lambda(lambda x: x, name="l").get_config(),
            ValueError,
            "function of layer 'l': .*code is never saved",
        ),
        "lambda-config-shape": (
            lambda m: layers.Lambda(ops.square, lambda shape: shape, name="l").get_config(),
            ValueError,
            "function of layer 'l': .*code is never saved",
        ),
        "lambda-name": (lambda m: layers.Lambda.from_config({"function": "ops.sqare"}), ValueError, "use 'ops.square'"),
        "lambda-code": (lambda m: layers.Lambda.from_config({"function": "os.system"}), ValueError, "function: "),
        "lambda-python": (lambda m: layers.Lambda.from_config({"function": "ops.python"}), ValueError, "function: "),
        "maxout-pieces": (lambda m: layers.Maxout(3, k=0), ValueError, "k: received 0"),
        "maxout-pieces-float": (lambda m: layers.Maxout(3, 2.0), TypeError, "k: received 2.0"),
        "maxout-units": (lambda m: layers.Maxout(0), ValueError, "units: received 0"),
        "maxout-activation": (lambda m: layers.Maxout(3, activation="relu"), ValueError, "activation: received 'relu'"),
        "maxout-misfit": (lambda m: ops.maxout(X, k=3), ValueError, r"input: received shape \(12, 4\) for k = 3"),
        "rbf-units": (lambda m: layers.RBF(-1), ValueError, "units: received -1"),
        "rbf-initializer": (lambda m: layers.RBF(2, widths_initializer="on es"), ValueError, "use 'ones'"),
        "rbf-scalars": (lambda m: layers.RBF(2, name="r")(np.ones(3)), ValueError, "'r'.*at least two axes"),
        "distances-misfit": (lambda m: ops.squared_distances(X, X), ValueError, "input: .*features"),
        "noise-above-1": (lambda m: layers.GaussianNoise(1.5), ValueError, "stddev: received 1.5"),
        "noise-negative": (lambda m: layers.GaussianNoise(-0.5), ValueError, "stddev: received -0.5"),
        "noise-seed": (lambda m: layers.GaussianNoise(0.5, seed=0.5), TypeError, "seed: received 0.5"),
        "gaussian-dropout-1": (lambda m: layers.GaussianDropout(1), ValueError, "rate: received 1"),
        "alpha-dropout-1": (lambda m: layers.AlphaDropout(1.0), ValueError, "rate: received 1.0"),
        "alpha-dropout-noise": (lambda m: layers.AlphaDropout(0.5, (1,)), ValueError, "noise_shape: received"),
        "activity-negative": (lambda m: layers.ActivityRegularization(l1=-1), ValueError, "l1: received -1"),
        "activity-nan": (lambda m: layers.ActivityRegularization(l2=np.nan), ValueError, "l2: received nan"),
        "activity-name": (lambda m: layers.Dense(3, activity_regularizer="l3"), ValueError, "regularizer: .*'l1'"),
        "activity-values": (
            lambda m: layers.Dense(3, activity_regularizer=lambda x: x, name="d")(X),
            TypeError,
            "activity_regularizer of 'd': received an array",
        ),
        "activity-number": (
            lambda m: layers.Flatten(activity_regularizer=lambda x: 1.0, name="f")(X),
            TypeError,
            "activity_regularizer of 'f': received 1.0",
        ),
        "add-loss-number": (lambda m: m.layers[0].add_loss(1.0), TypeError, "loss of layer 'hidden': received 1.0"),
        "add-loss-values": (lambda m: m.layers[0].add_loss(X), TypeError, "loss of layer 'hidden': received an array"),
        "broadcast-shape": (lambda m: ops.broadcast_to(X, (12, -5)), ValueError, "shape: received"),
        "broadcast-misfit": (lambda m: ops.broadcast_to(X, (12, 5)), ValueError, "shape: received"),
        "dropout-1": (lambda m: layers.Dropout(1.5), ValueError, "rate: received 1.5"),
        "dropout-negative": (lambda m: layers.Dropout(-0.5), ValueError, "rate: received -0.5"),
        "dropout-string": (lambda m: layers.Dropout("half"), TypeError, "rate: received 'half'"),
        "dropout-seed": (lambda m: layers.Dropout(0.5, seed=-1), ValueError, "seed: received -1"),
        "dropout-noise": (lambda m: layers.Dropout(0.5, noise_shape=(1,)), ValueError, "noise_shape: received"),
        "rescaling-string": (lambda m: layers.Rescaling("1/255"), TypeError, "scale: received '1/255'"),
        "rescaling-nan": (lambda m: layers.Rescaling(np.nan), ValueError, "scale: received nan"),
        "batch-axis": (
            lambda m: layers.BatchNormalization(axis=1, name="b")(X[:, :, None]),
            ValueError,
            "axis of layer 'b': received 1 .*the last one",
        ),
        "batch-axis-string": (lambda m: layers.BatchNormalization("last"), TypeError, "axis: received 'last'"),
        "batch-momentum": (lambda m: layers.BatchNormalization(momentum=1.5), ValueError, "momentum: received 1.5"),
        "batch-epsilon": (lambda m: layers.BatchNormalization(epsilon=-1), ValueError, "epsilon: received -1"),
        "batch-center": (lambda m: layers.BatchNormalization(center="no"), TypeError, "center: received 'no'"),
        "batch-constraint": (
            lambda m: layers.BatchNormalization(gamma_constraint="max"),
            ValueError,
            "constraint: received 'max'",
        ),
        "batch-synchronized": (lambda m: layers.BatchNormalization(synchronized=True), ValueError, "synchronized: "),
        "batch-renorm": (lambda m: layers.BatchNormalization(renorm=True), ValueError, "renorm: "),
        "batch-typo": (lambda m: layers.BatchNormalization(momentun=0.9), ValueError, "use 'momentum'"),
        "batch-scalars": (
            lambda m: layers.BatchNormalization(name="b")(np.ones(2)),
            ValueError,
            "'b'.*at least two axes",
        ),
        "layer-axis": (lambda m: layers.LayerNormalization(axis=[1, 2]), TypeError, "axis: received"),
        "layer-axis-first": (lambda m: layers.LayerNormalization(0, name="l")(X), ValueError, "'l'.*received 0"),
        "layer-rms": (lambda m: layers.LayerNormalization(rms_scaling=True), ValueError, "rms_scaling: "),
        "layer-initializer": (lambda m: layers.LayerNormalization(beta_initializer="one s"), ValueError, "use 'ones'"),
        "layer-constraint": (
            lambda m: layers.LayerNormalization(beta_constraint=[]),
            TypeError,
            "constraint: received",
        ),
        "normalization-axis": (lambda m: layers.Normalization("all"), TypeError, "axis: received 'all'"),
        "normalization-batch": (
            lambda m: layers.Normalization(0, name="n")(X),
            ValueError,
            "'n'.*not that of the batch",
        ),
        "normalization-twice": (
            lambda m: layers.Normalization((1, -1), name="n")(X),
            ValueError,
            "'n'.*different axes",
        ),
        "normalization-half": (
            lambda m: layers.Normalization(mean=1.0),
            ValueError,
            "mean and variance: .*both or none",
        ),
        "normalization-shapes": (lambda m: layers.Normalization(mean=[1.0], variance=1.0), ValueError, "one shape"),
        "normalization-negative": (lambda m: layers.Normalization(mean=1.0, variance=-1.0), ValueError, "below 0"),
        "normalization-misfit": (
            lambda m: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0], name="n")(X),
            ValueError,
            r"'n'.*fits shape \(4,\)",
        ),
        "adapt-given": (lambda m: layers.Normalization(mean=1.0, variance=1.0).adapt(X), ValueError, "leave these two"),
        "adapt-nothing": (lambda m: layers.Normalization(name="n").adapt(X[:0]), ValueError, "'n'.*at least one"),
        "adapt-no-numbers": (
            lambda m: layers.Normalization(name="n").adapt(np.zeros((1, 0, 4))),
            ValueError,
            "at least one",
        ),
        "adapt-no-batches": (lambda m: layers.Normalization(name="n").adapt(iter(())), ValueError, "'n'.*at least one"),
        "adapt-string": (lambda m: layers.Normalization(name="n").adapt("data"), TypeError, "'n'.*received 'data'"),
        "adapt-number": (lambda m: layers.Normalization(name="n").adapt(3.0), ValueError, "'n'.*axis 0"),
        "adapt-nan": (lambda m: layers.Normalization(name="n").adapt(X * np.nan), ValueError, "'n'.*finite numbers"),
        "adapt-misfit": (
            lambda m: layers.Normalization(name="n").adapt([X, X[:, :3]]),
            ValueError,
            r"'n'.*shape \(None, 4",
        ),
        "reshape-number": (lambda m: layers.Reshape(4), TypeError, "target_shape: received 4"),
        "reshape-two-free": (lambda m: layers.Reshape((-1, -1)), ValueError, "target_shape: received"),
        "reshape-zero": (lambda m: layers.Reshape((0, 4)), ValueError, "target_shape: received"),
        "reshape-misfit": (lambda m: layers.Reshape((3, 3), name="r")(X), ValueError, r"'r'.*shape \(12, 4\)"),
        # Sequential
        "sequential-several": (lambda m: fastnn.Sequential(layers.Dense(1), layers.Dense(2)), TypeError, "one list"),
        "sequential-one": (lambda m: fastnn.Sequential(layers.Dense(1)), TypeError, "one list of layers"),
        "sequential-number": (lambda m: fastnn.Sequential(3), TypeError, "layers: received 3"),
        "sequential-entry": (lambda m: fastnn.Sequential([4]), TypeError, "layer: received 4"),
        "sequential-misfit": (
            lambda m: fastnn.Sequential([layers.Dense(3, name="a", input_shape=(4,)), layers.Reshape((5,), name="b")]),
            ValueError,
            r"'b' after the output of layer 'a' of shape \(None, 3\)",
        ),
        "sequential-config": (
            lambda m: fastnn.Sequential.from_config({"name": "m", "layers": [{"class_name": "Danse", "config": {}}]}),
            ValueError,
            "use 'Dense'",
        ),
        # optimizers and schedules
        "rate-negative": (lambda m: optimizers.SGD(-0.1), ValueError, "learning_rate: received -0.1"),
        "rate-huge": (lambda m: optimizers.SGD(10**400), ValueError, "learning_rate: received 1000"),
        "rate-nan": (lambda m: optimizers.Adam(np.nan), ValueError, "learning_rate: received nan"),
        "rate-string": (lambda m: optimizers.Adam("0.1"), TypeError, "learning_rate: received '0.1'"),
        "rate-set": (lambda m: set_rate(m, -1), ValueError, "learning_rate: received -1"),
        "momentum": (lambda m: optimizers.SGD(momentum=1.0), ValueError, "momentum: received 1.0"),
        "beta-1": (lambda m: optimizers.Adam(beta_1=1), ValueError, "beta_1: received 1"),
        "beta-2": (lambda m: optimizers.Adam(beta_2="0.9"), TypeError, "beta_2: received '0.9'"),
        "optimizer-typo": (lambda m: optimizers.RMSprop(learning_rat=1), ValueError, "use 'learning_rate'"),
        "epsilon": (lambda m: optimizers.RMSprop(epsilon=0), ValueError, "epsilon: received 0"),
        "rho": (lambda m: optimizers.RMSprop(rho=-0.1), ValueError, "rho: received -0.1"),
        "optimizer-get": (lambda m: optimizers.get("rmsprob"), ValueError, "use 'rmsprop'"),
        "apply-gradients": (
            lambda m: m.optimizer.apply_gradients([(X, m.layers[0].kernel)]),
            ValueError,
            "'hidden/kernel'",
        ),
        "decay-rate": (lambda m: schedules.ExponentialDecay(-1, 10, 0.5), ValueError, "initial_learning_rate: "),
        "decay-steps": (lambda m: schedules.ExponentialDecay(0.1, 0, 0.5), ValueError, "decay_steps: received 0"),
        "decay-factor": (lambda m: schedules.ExponentialDecay(0.1, 10, "a"), TypeError, "decay_rate: received 'a'"),
        # losses and metrics
        "loss-get": (lambda m: losses.get("mean_square_error"), ValueError, "use 'mean_squared_error'"),
        "loss-reduction": (lambda m: losses.MeanSquaredError(reduction="average"), ValueError, "reduction: "),
        "loss-smoothing": (lambda m: losses.BinaryCrossentropy(label_smoothing=2), ValueError, "label_smoothing: "),
        "loss-axis": (lambda m: losses.CategoricalCrossentropy(axis=2)(HOT, HOT), ValueError, "axis: received 2"),
        "loss-ignore-class": (
            lambda m: losses.SparseCategoricalCrossentropy(ignore_class=0.5),
            TypeError,
            "ignore_class: ",
        ),
        "loss-shapes": (lambda m: losses.MeanSquaredError()(X, X[:, :2]), ValueError, "y: received"),
        "metric-get": (lambda m: metrics.get("binary_acuracy"), ValueError, "use 'binary_accuracy'"),
        "metric-threshold": (lambda m: metrics.BinaryAccuracy(threshold=1.5), ValueError, "threshold: received 1.5"),
        "metric-k": (lambda m: metrics.SparseTopKCategoricalAccuracy(k=0), ValueError, "k: received 0"),
        # initializers, regularizers, activations
        "initializer-get": (lambda m: initializers.get("he_norml"), ValueError, "use 'he_normal'"),
        "initializer-type": (lambda m: initializers.get(1), TypeError, "initializer: received 1"),
        "initializer-stddev": (lambda m: initializers.RandomNormal(stddev=-1), ValueError, "stddev: received -1"),
        "initializer-bounds": (lambda m: initializers.RandomUniform(1, 0), ValueError, "minval: received 1"),
        "initializer-seed": (lambda m: initializers.GlorotUniform(seed="1"), TypeError, "seed: received '1'"),
        "initializer-shape": (lambda m: initializers.Zeros()((2, -1)), ValueError, "shape: received"),
        "constant-string": (lambda m: initializers.Constant("one"), TypeError, "value: received 'one'"),
        "constant-shape": (lambda m: initializers.Constant([1.0, 2.0])((3,)), ValueError, "value: received"),
        "regularizer-get": (lambda m: regularizers.get("L12"), ValueError, "regularizer: .*'l1'"),
        "regularizer-negative": (lambda m: regularizers.L2(-0.1), ValueError, "l2: received -0.1"),
        "regularizer-string": (lambda m: regularizers.L1("0.1"), ValueError, "l1: received '0.1'"),
        "activation-get": (lambda m: activations.get("than"), ValueError, "use 'tanh'"),
        "activation-type": (lambda m: activations.get(3), TypeError, "activation: received 3"),
        "activation-option": (lambda m: activations.elu(X, alpha="a"), TypeError, "alpha: received 'a'"),
        "softmax-axis": (lambda m: activations.softmax(X, axis=2), ValueError, "axis: received 2"),
        "to-categorical": (lambda m: utils.to_categorical([0, -1]), ValueError, "label -1"),
        # found by test_any_call.py
        "many-digits": (lambda m: layers.Dense(10**5000), ValueError, "units: received something that cannot be shown"),
        "floatx-array": (lambda m: config.set_floatx(ARRAY), TypeError, r"floatx: received .*shape \(2,\)"),
        "use-bias": (lambda m: layers.Dense(3, use_bias="no"), TypeError, "use_bias: received 'no'"),
        "trainable": (lambda m: layers.Dense(3, trainable=ARRAY), TypeError, "trainable: received"),
        "bias-initializer": (lambda m: layers.Dense(3, bias_initializer="one s"), ValueError, "use 'ones'"),
        "regularizer-array": (lambda m: layers.Dense(3, bias_regularizer=ARRAY), TypeError, "regularizer: received"),
        "input-dtype-array": (lambda m: layers.Input((4,), dtype=ARRAY), ValueError, "dtype: received"),
        "dropout-seed-string": (lambda m: layers.Dropout(0.5, seed="x"), TypeError, "seed: received 'x'"),
        "reshape-bool": (lambda m: layers.Reshape((True, 4)), TypeError, "target_shape: received"),
        "flatten-number": (lambda m: layers.Flatten(name="f")(3.0), ValueError, "'f': received .*axis 0"),
        "call-ragged": (lambda m: m.layers[0]([[1.0], [1.0, 2.0]]), TypeError, "'hidden': received a list .*long"),
        "call-longdouble": (lambda m: m.layers[0](X.astype(np.longdouble)), TypeError, "'hidden'"),
        "call-masked": (lambda m: m.predict(np.ma.masked_less(X, 0)), ValueError, "x: .*masked .*fill or remove"),
        "call-training-array": (lambda m: m(X, training=ARRAY), TypeError, "training: received"),
        "call-misfit": (lambda m: layers.Reshape((3, 3), name="r")(X), ValueError, r"'r'.*shape \(12, 4\)"),
        "call-nothing": (
            lambda m: layers.Activation(print, name="p")(X),
            TypeError,
            "output of layer 'p': received None",
        ),
        "record-nothing": (
            lambda m: m.add(layers.Activation(lambda x: 0, name="p")),
            TypeError,
            "layer 'p': received 0",
        ),
        "record-sum": (lambda m: m.add(layers.Activation(ops.sum, name="p")), ValueError, "layer 'p'.*received"),
        "wrong-output-shape": (
            lambda m: fastnn.Sequential([Misjudging(name="mis", input_shape=(4,))]).predict(X),
            ValueError,
            r"output of model .*\(None, 4\).*\(None, 5\)",
        ),
        "weight-float64": (lambda m: m.add(OfFloat64(name="double")), TypeError, "'double/w'.*dtype float64"),
        "weight-shape": (lambda m: m.layers[0].add_weight("ab"), TypeError, "shape of hidden/weight: received 'ab'"),
        "weight-dtype": (lambda m: m.layers[0].add_weight((2,), dtype="int8"), ValueError, "dtype: received int8"),
        "weight-name": (lambda m: m.layers[0].add_weight((2,), name=3), TypeError, "name: received 3"),
        "weight-initializer": (
            lambda m: m.layers[0].add_weight((2,), lambda shape, dtype: "zeros", name="w"),
            TypeError,
            "initializer of hidden/w: received 'zeros'",
        ),
        "constant-huge": (lambda m: initializers.Constant(1e300)((2,)), ValueError, "finite float32 values"),
        "normal-huge": (lambda m: initializers.RandomNormal(stddev=1e300)((2,)), ValueError, "finite float32 values"),
        "initializer-dict": (lambda m: initializers.Zeros()({}), TypeError, "shape: received {}"),
        "initializer-axes": (lambda m: initializers.Zeros()((1,) * 65), ValueError, "shape: received 65 axes"),
        "scaling-array": (lambda m: initializers.VarianceScaling(mode=ARRAY), TypeError, "mode: received"),
        "distribution": (lambda m: initializers.VarianceScaling(distribution=ARRAY), TypeError, "distribution: "),
        "config-none": (lambda m: layers.Dense.from_config(None), TypeError, "config of Dense: received None"),
        "config-number": (lambda m: regularizers.get({"class_name": "L1", "config": 3}), TypeError, "config of L1"),
        "model-config-none": (lambda m: fastnn.Sequential.from_config(None), TypeError, "config: received None"),
        "model-config-input": (
            lambda m: fastnn.Sequential.from_config({"name": "m", "layers": [{"class_name": "Input", "config": {}}]}),
            ValueError,
            "use 'InputLayer'",
        ),
        "build-number": (lambda m: m.build(3), TypeError, "input_shape: received 3"),
        "build-batch": (lambda m: m.build((12, 4)), TypeError, r"input_shape: received \(12, 4\)"),
        "loss-class": (lambda m: losses.get(int), TypeError, "loss: received <class 'int'>"),
        "loss-name": (lambda m: losses.MeanSquaredError(name=ARRAY), TypeError, "name: received"),
        "loss-reduction-array": (lambda m: losses.MeanSquaredError(reduction=ARRAY), TypeError, "reduction: "),
        "loss-axis-array": (lambda m: losses.CategoricalCrossentropy(axis=ARRAY), TypeError, "axis: received"),
        "loss-from-logits": (lambda m: losses.binary_crossentropy(HOT, HOT, ARRAY), TypeError, "from_logits: "),
        "loss-function": (lambda m: losses.LossFunction(3, "three"), TypeError, "function: received 3"),
        "metric-function": (lambda m: metrics.MeanMetricWrapper(3, "three"), TypeError, "function: received 3"),
        "loss-strings": (lambda m: losses.mean_squared_error(["a"], [1.0]), TypeError, "y_true: received"),
        "loss-labels": (lambda m: losses.SparseCategoricalCrossentropy()(Y / 2, HOT), ValueError, "integer labels"),
        "loss-smoothing-string": (
            lambda m: losses.categorical_crossentropy(HOT, HOT, label_smoothing="a"),
            TypeError,
            "label_smoothing: received 'a'",
        ),
        "loss-weights": (
            lambda m: losses.MeanSquaredError()(HOT, HOT, ARRAY),
            ValueError,
            "sample_weight: .*per sample",
        ),
        "loss-result": (lambda m: losses.LossFunction(lambda y, p: "a")(HOT, HOT), TypeError, "loss 'lambda'"),
        "metric-k-string": (lambda m: metrics.SparseTopKCategoricalAccuracy("x"), TypeError, "k: received 'x'"),
        "metric-target": (
            lambda m: metrics.MeanMetricWrapper(losses.mean_squared_error, target="rows"),
            ValueError,
            "target: ",
        ),
        "metric-threshold-list": (lambda m: metrics.binary_accuracy(HOT, HOT, [0.5]), TypeError, "threshold: received"),
        "metric-prediction": (lambda m: metrics.get("accuracy", (None,), 3), TypeError, "prediction: received 3"),
        "metric-variable": (lambda m: Count("m").add_variable(3), TypeError, "shape: received 3"),
        "rate-class": (
            lambda m: optimizers.SGD(schedules.ExponentialDecay),
            TypeError,
            "learning_rate: received <class",
        ),
        "rate-of-float64": (lambda m: too_fast(m), ValueError, "step of sgd: received 1e[+]300"),
        "nesterov": (lambda m: optimizers.SGD(nesterov=ARRAY), TypeError, "nesterov: received"),
        "iterations": (lambda m: set_iterations(m, 2.5), TypeError, "iterations: received 2.5"),
        "iterations-negative": (lambda m: set_iterations(m, -1), ValueError, "iterations: received -1"),
        "optimizer-name": (lambda m: optimizers.Adam(name=3), TypeError, "name: received 3"),
        "gradients-none": (lambda m: m.optimizer.apply_gradients(None), TypeError, "grads_and_vars: received None"),
        "gradients-arrays": (lambda m: m.optimizer.apply_gradients([(X, X)]), TypeError, "grads_and_vars: .*Variable"),
        "gradients-string": (
            lambda m: m.optimizer.apply_gradients([("a", m.layers[0].kernel)]),
            TypeError,
            "gradient of 'hidden/kernel': received 'a'",
        ),
        "decay-staircase": (lambda m: schedules.ExponentialDecay(1, 1, 1, ARRAY), TypeError, "staircase: received"),
        "decay-step": (lambda m: schedules.ExponentialDecay(1, 1, 1)("a"), TypeError, "step: received 'a'"),
        "activation-strings": (lambda m: activations.tanh(["a"]), TypeError, "x: received"),
        "activation-complex": (lambda m: activations.sigmoid([1j]), TypeError, "x: received"),
        "activation-text-number": (lambda m: activations.elu(X, alpha="0.5"), TypeError, "alpha: received '0.5'"),
        "gelu-approximate": (lambda m: activations.gelu(X, ARRAY), TypeError, "approximate: received"),
        "softmax-axis-array": (lambda m: activations.softmax(X, ARRAY), TypeError, "axis: received"),
        "custom-objects": (lambda m: activations.deserialize("relu", 3), TypeError, "custom_objects: received 3"),
        "serialize-empty": (lambda m: activations.serialize(""), ValueError, "activation: received ''"),
        "monitor-mode-array": (lambda m: callbacks.EarlyStopping(mode=ARRAY), TypeError, "mode: received"),
        "callback-verbose": (lambda m: callbacks.EarlyStopping(verbose="x"), ValueError, "verbose: received 'x'"),
        "restore-best": (
            lambda m: callbacks.EarlyStopping(restore_best_weights=ARRAY),
            TypeError,
            "restore_best_weights: received",
        ),
        "fit-verbose-array": (lambda m: m.fit(X, Y, verbose=ARRAY), ValueError, "verbose: received"),
        "fit-shuffle-array": (lambda m: m.fit(X, Y, shuffle=ARRAY), TypeError, "shuffle: received"),
        "fit-freq-array": (lambda m: m.fit(X, Y, validation_freq=ARRAY), TypeError, "validation_freq: received"),
        "fit-split-ignored": (
            lambda m: m.fit(X, Y, validation_split="x", validation_data=(X, Y)),
            TypeError,
            "validation_split: received 'x'",
        ),
        "predict-verbose-array": (lambda m: m.predict(X, verbose=ARRAY), ValueError, "verbose: received"),
        "evaluate-return-dict": (lambda m: m.evaluate(X, Y, return_dict="x"), TypeError, "return_dict: received 'x'"),
        "train-return-dict": (lambda m: m.train_on_batch(X, Y, return_dict=ARRAY), TypeError, "return_dict: received"),
        "describe-mode-array": (lambda m: m.describe(ARRAY), TypeError, "mode: received"),
        "compile-eagerly-array": (lambda m: m.compile("sgd", "mse", run_eagerly=ARRAY), TypeError, "run_eagerly: "),
        "get-layer-array": (lambda m: m.get_layer(ARRAY), TypeError, "name: received"),
        "get-layer-bool": (lambda m: m.get_layer(index=True), TypeError, "index: received True"),
        "summary-print": (lambda m: m.summary(print_fn=3), TypeError, "print_fn: received 3"),
        "summary-huge": (lambda m: m.summary(line_length=2**31), ValueError, "line_length: received 2147483648"),
        "summary-nested-array": (lambda m: m.summary(expand_nested=ARRAY), TypeError, "expand_nested: received"),
        "assign-string": (lambda m: m.layers[0].bias.assign(["a"] * 5), TypeError, "'hidden/bias'"),
        "variable-string": (lambda m: fastnn.Variable("a"), TypeError, "value: received 'a'"),
        "variable-dtype": (lambda m: fastnn.Variable(1.0, dtype="float16"), ValueError, "dtype: received 'float16'"),
        "variable-trainable": (lambda m: fastnn.Variable(1.0, trainable=ARRAY), TypeError, "trainable: received"),
        "gradient-integers": (
            lambda m: fastnn.value_and_grad(lambda x, labels: x, [0])(ARRAY, np.array([0, 2**40])),
            ValueError,
            "argument 1: .*32 bits",
        ),
        "gradient-of-a-product": (
            lambda m: fastnn.value_and_grad(ops.matmul, [0])(ARRAY, ARRAY),
            ValueError,
            "input: received",
        ),
        "gradient-option": (
            lambda m: fastnn.value_and_grad(lambda x: ops.elu(x, alpha="a"), [0])(X),
            TypeError,
            "alpha: received 'a'",
        ),
        "gradient-operand": (
            lambda m: fastnn.value_and_grad(lambda x: ops.add(x, np.array(None)), [0])(X),
            TypeError,
            "b: received",
        ),
        "ops-none": (lambda m: ops.square(None), TypeError, "input 0 of square: received None"),
        "ops-string": (lambda m: ops.multiply(X, "2"), TypeError, "input 1 of multiply: received '2'"),
        "ops-dates": (lambda m: ops.exp(X.astype(int).astype("M8[s]")), TypeError, "input 0 of exponential"),
        "ops-labels": (lambda m: ops.in_top_k(HOT, Y / 2, k=1), TypeError, "input 1 of in_top_k: .*integers"),
        "ops-option": (lambda m: ops.elu(X, alpha=10**400), ValueError, "alpha: .*fits into a double"),
        "ops-python-batch": (lambda m: ops.python(np.abs, 3.0, shape=(-1,)), ValueError, "shape: received"),
        "ops-axes": (lambda m: ops.transpose(X, 3), TypeError, "axes: received 3"),
        "ops-keepdims": (lambda m: ops.sum(X, keepdims=ARRAY), TypeError, "keepdims: received"),
        "ops-reshape-string": (lambda m: ops.reshape("a", (1,)), TypeError, "x: received 'a'"),
        "to-categorical-huge": (lambda m: utils.to_categorical([2**63]), ValueError, "x: received the label"),
        "to-categorical-classes": (lambda m: utils.to_categorical([0], 2**63), ValueError, "num_classes: received"),
        "to-categorical-ragged": (lambda m: utils.to_categorical([[0], [0, 1]]), TypeError, "x: received"),
        "normalize-string": (lambda m: utils.normalize("a"), TypeError, "x: received 'a'"),
        "normalize-order": (lambda m: utils.normalize(X, order=np.nan), ValueError, "order: received nan"),
        "plot-names": (lambda m: plotting.plot_history({3: [1.0]}), TypeError, "history: received the name 3"),
        "plot-title": (lambda m: plotting.plot_history({"loss": [1.0]}, title=3), TypeError, "title: received 3"),
        "plot-path": (lambda m: plotting.plot_history({"loss": [1.0]}, path=3), TypeError, "path: received 3"),
        "plot-ending": (lambda m: plotting.plot_history({"loss": [1.0]}, "a.doc"), ValueError, "ending of path: "),
    },
    "one-hot model": {
        "labels-for-one-hot": (lambda m: m.fit(X, Y), ValueError, "'output'.*to_categorical"),
        "one-hot-width": (lambda m: m.fit(X, HOT[:, :2]), ValueError, r"'output'.*\(samples, 3\)"),
        "one-hot-rank": (lambda m: m.evaluate(X, HOT[:, None]), ValueError, "'output'"),
        "one-hot-complex": (lambda m: m.train_on_batch(X, HOT * 1j), TypeError, "y: received"),
    },
    "unbuilt model": {
        "unbuilt-fit-y": (lambda m: m.fit(X, Y + 7), ValueError, "y: .*labels"),
        "unbuilt-fit-short": (lambda m: m.fit(X, Y[:3]), ValueError, "y: received 3 samples"),
        "unbuilt-fit-verbose": (lambda m: m.fit(X, Y, verbose=9), ValueError, "verbose: received 9"),
        "unbuilt-fit-callbacks": (lambda m: m.fit(X, Y, callbacks=1), TypeError, "callbacks: received 1"),
        "unbuilt-validation": (lambda m: m.fit(X, Y, validation_data=(X[:, :2], Y)), ValueError, "'hidden'"),
        "unbuilt-isa": (lambda m: with_environment("FASTNN_ISA", "mmx", m.fit, X, Y), ValueError, "FASTNN_ISA"),
        "unbuilt-evaluate": (lambda m: m.evaluate(X, HOT), ValueError, "'output'"),
        "unbuilt-train-on-batch": (lambda m: m.train_on_batch(X, None), TypeError, "y: received None"),
        "unbuilt-predict": (lambda m: m.predict(X, verbose=7), ValueError, "verbose: received 7"),
        "unbuilt-count": (lambda m: m.count_params(), ValueError, "count_params.*'small'.*not built"),
        "unbuilt-input-shape": (lambda m: m.input_shape, ValueError, "input_shape"),
        "unbuilt-output-shape": (lambda m: m.output_shape, ValueError, "not built"),
        "unbuilt-describe": (lambda m: m.describe(), ValueError, "describe.*not built"),
        "unbuilt-check": (lambda m: gradient_check(m, X, Y + 7), ValueError, "y: .*labels"),
        "unbuilt-health-one": (lambda m: m.health(X[:1]), ValueError, "at least 2 samples"),
        "unbuilt-health-y": (lambda m: m.health(X, Y[:3]), ValueError, "y: received 3 samples"),
        "unbuilt-set-weights": (lambda m: m.set_weights([X]), ValueError, "weights of 'small'"),
    },
    "uncompiled model": {
        "uncompiled-fit": (lambda m: m.fit(X, Y), RuntimeError, "'small': .*call model.compile"),
        "uncompiled-evaluate": (lambda m: m.evaluate(X, Y), RuntimeError, "'small': .*call model.compile"),
        "uncompiled-train-on-batch": (lambda m: m.train_on_batch(X, Y), RuntimeError, "call model.compile"),
        "uncompiled-test-on-batch": (lambda m: m.test_on_batch(X, Y), RuntimeError, "call model.compile"),
        "uncompiled-check": (lambda m: gradient_check(m, X, Y), RuntimeError, "'small': .*call model.compile"),
        "uncompiled-health": (lambda m: m.health(X, Y), RuntimeError, "'small': .*call model.compile"),
        "uncompiled-describe": (lambda m: m.describe(), RuntimeError, "call model.compile"),
    },
    "unbuilt, uncompiled model": {
        "neither-fit": (lambda m: m.fit(X, Y), RuntimeError, "call model.compile"),
        "neither-evaluate": (lambda m: m.evaluate(X, Y), RuntimeError, "call model.compile"),
        "neither-train-on-batch": (lambda m: m.train_on_batch(X, Y), RuntimeError, "call model.compile"),
    },
    "empty model": {
        "empty-predict": (lambda m: m.predict(X), ValueError, "no layers"),
        "empty-health": (lambda m: m.health(X), ValueError, "no layers"),
        "empty-build": (lambda m: m.build((None, 4)), ValueError, "no layers"),
        "empty-pop": (lambda m: m.pop(), ValueError, "without layers"),
        "empty-misfit": (lambda m: m.add(layers.Reshape((3,), input_shape=(4,), name="r")), ValueError, "'r'"),
        "two-inputs": (lambda m: fastnn.Sequential([layers.Input((4,)), layers.Input((4,))]), ValueError, "Input only"),
        "two-shapes": (
            lambda m: fastnn.Sequential([layers.Input((4,)), layers.Dense(1, input_shape=(5,), name="d")]),
            ValueError,
            r"input_shape of layer 'd': received \(5,\); expected \(4,\)",
        ),
    },
    "model with a schedule": {
        "rate-of-a-schedule": (lambda m: set_rate(m, 0.1), TypeError, "learning_rate: received 0.1.*schedule"),
        "rate-function-for-a-schedule": (lambda m: set_rate(m, lambda: 0.1), TypeError, "learning_rate: received"),
    },
}
CASES = [(kind, name, *row) for kind, rows in WRONG.items() for name, row in rows.items()]


@pytest.fixture(scope="module")
def trained():
    """Weights of each kind of model after it was made and trained, with no wrong call between."""
    found = {}
    for kind, make in MODELS.items():
        made = make()
        if made.layers:
            train(made)
        found[kind] = made.get_weights()
    return found


@pytest.mark.parametrize(
    ("kind", "call", "error", "says"),
    [pytest.param(kind, call, error, says, id=name) for kind, name, call, error, says in CASES],
)
def test_wrong_call(kind, call, error, says, trained):
    made = MODELS[kind]()
    before = state(made)
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        call(made)
    message = str(caught.value)
    assert isinstance(caught.value, error), f"{caught.type.__name__}: {message}"
    assert PARTS.fullmatch(message), message
    assert re.search(says, message, re.S), message
    assert state(made) == before
    if made.layers:
        train(made)
        for found, expected in zip(made.get_weights(), trained[kind], strict=True):
            assert found.tobytes() == expected.tobytes()


def test_a_wrong_argument_of_a_layer_shifts_neither_names_nor_weights_of_those_after_it():
    def next_layer():
        made = layers.Dense(2, input_shape=(3,))
        return made.name.removeprefix("dense").strip("_"), fastnn.Sequential([made]).get_weights()[0].tolist()

    fastnn.set_random_seed(1)
    number, weights = next_layer()
    fastnn.set_random_seed(1)
    for wrong in (
        {"units": 0},
        {"activaton": "relu"},
        {"activation": "rleu"},
        {"use_bias": "no"},
        {"input_shape": (0,)},
        {"name": 3},
        {"kernel_regularizer": "l3"},
        {"kernel_initializer": "zeroes"},
        {"bias_initializer": "zeroes"},
    ):
        with pytest.raises((ValueError, TypeError)):
            layers.Dense(**{"units": 2, **wrong})
    assert next_layer() == (str(int(number or 0) + 1), weights)


def without_ops(y_true, y_pred):
    return np.square(y_true - y_pred)


def of_the_batch(y_true, y_pred):
    return ops.mean(losses.mean_squared_error(y_true, y_pred))


def conditional(x):
    return x if x else -x


@pytest.mark.parametrize(
    ("compiled", "says"),
    [
        ({"loss": without_ops}, "functions of fastnn.ops"),
        ({"metrics": [without_ops]}, "functions of fastnn.ops"),
        ({"metrics": ["mse", "mse"]}, "names that differ"),
        ({"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}, "names that differ"),
    ],
    ids=["numpy-loss", "numpy-metric", "twice", "twice-weighted"],
)
@pytest.mark.parametrize("built", [True, False])
def test_wrong_functions_are_refused_before_anything_changes(compiled, says, built):
    made = model(built=built, compiled=False)
    made.compile("adam", **{"loss": "mse", **compiled})
    before = state(made)
    for call in (made.fit, made.evaluate, made.train_on_batch):
        with pytest.raises((ValueError, TypeError)) as caught:
            call(X, HOT)
        assert PARTS.fullmatch(str(caught.value)) and says in str(caught.value), caught.value
        assert state(made) == before


@pytest.mark.parametrize("compiled", [{"loss": of_the_batch}, {"loss": "mse", "weighted_metrics": [of_the_batch]}])
def test_one_value_for_the_batch_cannot_be_weighted(compiled):
    made = model(built=True, compiled=False)
    made.compile("adam", **compiled)
    before = state(made)
    with pytest.raises(TypeError, match="one value per sample") as caught:
        made.fit(X, HOT, sample_weight=np.ones(len(X)))
    assert PARTS.fullmatch(str(caught.value)) and state(made) == before
    made.fit(X, HOT, verbose=0)


def test_a_model_without_trainable_weights_has_no_gradients_to_check():
    made = model()
    made.trainable = False
    before = state(made)
    with pytest.raises(ValueError, match="'small': received no trainable weights") as caught:
        gradient_check(made, X, Y)
    assert PARTS.fullmatch(str(caught.value)) and state(made) == before


def test_a_layer_that_looks_at_values_is_refused():
    with pytest.raises(TypeError, match=r"layer 'sign'.*functions of fastnn.ops") as caught:
        fastnn.Sequential([layers.Input((4,)), layers.Activation(conditional, name="sign")])
    assert PARTS.fullmatch(str(caught.value))


@pytest.mark.parametrize(
    ("callback", "rate", "says"),
    [
        (callbacks.LearningRateScheduler(lambda epoch: None), 0.1, "result of schedule: received None"),
        (callbacks.LearningRateScheduler(lambda epoch: -1), 0.1, "result of schedule: received -1"),
        (
            callbacks.LearningRateScheduler(lambda epoch: 0.1),
            schedules.ExponentialDecay(0.1, 9, 0.5),
            "learning_rate: ",
        ),
        (None, lambda: None, "learning_rate: received None"),
        (None, lambda: np.nan, "learning_rate: received nan"),
    ],
    ids=["none", "negative", "over-a-schedule", "function-none", "function-nan"],
)
def test_errors_of_callbacks_leave_a_usable_model(callback, rate, says):
    made = model(optimizer=optimizers.SGD(0.1))
    if rate != 0.1:
        made.compile(optimizers.SGD(rate), made.loss)
    weights = [w.tobytes() for w in made.get_weights()]
    steps = made.optimizer.iterations
    with pytest.raises((ValueError, TypeError)) as caught:
        made.fit(X, Y, verbose=0, callbacks=callback)
    assert PARTS.fullmatch(str(caught.value)) and says in str(caught.value)
    assert [w.tobytes() for w in made.get_weights()] == weights and made.optimizer.iterations == steps
    made.compile("adam", made.loss)
    train(made)
    assert made.optimizer.iterations == 2
