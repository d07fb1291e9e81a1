"""Every wrong call around functional models: the right type, a message of four parts, and nothing changed by it."""

import json
import math
import re

import graphs
import numpy as np
import pytest
from test_wrong_calls import PARTS
from test_wrong_calls import state as state_of_sequential

import fastnn
from fastnn import layers, models, ops, saving
from fastnn.layers import Add, Concatenate, Dense, Dot, Input, Subtract, base

X, B = graphs.numbers(24, 4, stream=0), graphs.numbers(24, 3, stream=1)
KIND, SIZE = graphs.targets("heads")
BOTH = {"a": X, "b": B}
W = np.linspace(0.5, 2, 24)
SPARSE = graphs.SPARSE


def named(name):
    """A model of `graphs`, trained for some steps."""
    fastnn.set_random_seed(5)
    made = graphs.MODELS[name](fastnn)
    made.compile("adam", graphs.LOSSES[name])
    train(made)
    return made


def train(made):
    if isinstance(made, TwoInputs):
        made.fit({"a": X, "b": X}, {"p": SIZE, "q": SIZE}, batch_size=8, verbose=0)
    else:
        made.fit(graphs.inputs(made), graphs.targets(made.name), batch_size=8, verbose=0)


class TwoInputs(fastnn.Model):
    def __init__(self):
        super().__init__(name="subclass")
        self.dense = Dense(2, name="dense")

    def call(self, x):
        return {"p": self.dense(x["a"]), "q": self.dense(x["b"])}

    def get_config(self):
        return {"layers": []}  # only for what the tests compare


def subclass():
    fastnn.set_random_seed(5)
    made = TwoInputs()
    made.compile("adam", "mse")
    train(made)
    return made


MODELS = {
    "heads": lambda: named("heads"),
    "two_branches": lambda: named("two_branches"),
    "dictionaries": lambda: named("dictionaries"),
    "subclass": subclass,
}


def state(made):
    """All that a wrong call could have changed, also automatic names and the calls of layers."""
    calls = [sum(known() is not None for known in layer._nodes) for layer in made._tree()]
    return state_of_sequential(made) | {"names": dict(base._names), "calls": calls, "trainable": made.trainable}


# What the calls are made of: arrays without values and layers, all of them named.


def a(width=4, name="a"):
    return Input((width,), name=name)


def b(width=4):
    return a(width, "b")


def d(units=2, name="d", **arguments):
    return Dense(units, name=name, **arguments)


class Returns(layers.Layer):
    """Computes with a function."""

    def __init__(self, function):
        super().__init__(name="own")
        self.function = function

    def call(self, x):
        return self.function(x)


class WithoutCall(fastnn.Model):
    def __init__(self):
        super().__init__(name="none")


class Forgetful(fastnn.Model):
    def __init__(self):
        self.dense = d()


class ForgetfulLayer(layers.Layer):
    def __init__(self):
        self.units = 3


def model_of(*tensors):
    return fastnn.Model(*tensors, name="m")


def same_twice(m):
    x = a()
    model_of([x, x], d()(x))


def same_names(m):
    x = a()
    model_of(x, d(4)(d(4)(x)))


def names_of_input_and_layer(m):
    x = a()
    model_of(x, d(4, "a")(x))


def one_input_missing(m):
    x, y = a(), b()
    model_of(x, Add(name="sum")([x, y]))


def ancestor(m):
    x = a()
    model_of(d()(x), x)


def from_the_middle(m):
    x = a()
    hidden = d(3)(x)
    model_of(hidden, [d(2, "e")(hidden), d(2, "f")(x)])


def called_with_another_shape(m):
    shared = d()
    shared(a())
    shared(b(3))


def called_with_another_array(m):
    shared = d()
    shared(a())
    shared(B)


def called_twice():
    shared = d()
    made = [shared(a()), shared(b())]
    return shared, made


def output_of_twice(m):
    shared, _kept = called_twice()
    return shared.output


def unpack(m):
    first, _ = a()
    return first


def config(**changes):
    return json.loads(json.dumps(graphs.heads(fastnn).get_config())) | changes


def broken_config(change):
    made = config()
    change(made["layers"][1])
    return fastnn.Model.from_config(made)


def returns_another(m):
    other = b()
    Returns(lambda x: other)(a())


def config_of_an_array(m):
    x = a()
    with base.undone_on_error():  # the product is named automatically
        model_of(x, x * X[0]).get_config()


def logs_of_one_name(first, second, metrics=None):
    """Train two outputs of these names."""
    x = a()
    made = model_of(x, [d(1, first)(x), d(1, second)(x)])
    made.compile("sgd", "mse", metrics=metrics)
    made.fit(X, [SIZE[:, :1], SIZE[:, 1:]])


class BMae(fastnn.metrics.MeanMetricWrapper):
    def __init__(self):
        super().__init__(fastnn.losses.mean_absolute_error, "b_mae")


def with_self():
    made = fastnn.Sequential([Input((4,), name="x")], name="chain")
    made.add(made)


def set_trainable(made, value):
    made.trainable = value


GRAPHS = {
    # models
    "nothing": (lambda m: fastnn.Model(), TypeError, "no inputs and outputs"),
    "no-outputs": (lambda m: model_of(a()), TypeError, "outputs: received None"),
    "no-inputs": (lambda m: fastnn.Model(outputs=a()), TypeError, "inputs: received None"),
    "empty-outputs": (lambda m: model_of(a(), []), TypeError, r"outputs: received \[\]"),
    "empty-inputs": (lambda m: model_of({}, a()), TypeError, "inputs: received {}"),
    "outputs-array": (lambda m: model_of(a(), X), TypeError, "outputs: received an array"),
    "outputs-layer": (lambda m: model_of(a(), d()), TypeError, "outputs: received <Dense"),
    "outputs-none": (lambda m: model_of(a(), [None]), TypeError, "outputs: received None"),
    "inputs-shape": (lambda m: model_of((4,), d()(a())), TypeError, "inputs: received 4"),
    "inputs-layers": (lambda m: model_of([d()], "mse"), TypeError, "inputs: received <Dense"),
    "one-list": (lambda m: model_of([a(), d()]), TypeError, "outputs: received None"),
    "disconnected": (lambda m: model_of(a(), d()(b())), ValueError, "needs the input 'b'.*from the inputs 'a'"),
    "input-missing": (one_input_missing, ValueError, "needs the input 'b'"),
    "ancestor": (ancestor, ValueError, "needs the input 'a'.*from the inputs 'd'"),
    "beside-the-middle": (from_the_middle, ValueError, "needs the input 'a'.*from the inputs 'd'"),
    "same-input-twice": (same_twice, ValueError, "the same input twice"),
    "layers-of-one-name": (same_names, ValueError, "2 named 'd'"),
    "inputs-of-one-name": (lambda m: model_of([a(), a()], a()), ValueError, "needs the input 'a'|2 named 'a'"),
    "input-named-like-a-layer": (names_of_input_and_layer, ValueError, "2 named 'a'"),
    "name-number": (lambda m: fastnn.Model(a(), a(), name=3), TypeError, "name: received 3"),
    "trainable-text": (lambda m: fastnn.Model(a(), a(), trainable="no"), TypeError, "trainable: received 'no'"),
    "without-call": (lambda m: WithoutCall().predict(X), NotImplementedError, "without a method 'call'"),
    "without-call-graph": (lambda m: WithoutCall()(a()), NotImplementedError, "without a method 'call'"),
    "without-super": (lambda m: Forgetful(), RuntimeError, r"class Forgetful: .*super\(\).__init__\(\)"),
    "layer-without-super": (lambda m: ForgetfulLayer(), RuntimeError, "class ForgetfulLayer"),
    # inputs
    "input-nothing": (lambda m: Input(), TypeError, "shape: received None"),
    "input-batch-shape": (lambda m: Input(batch_shape=(3, 4)), ValueError, r"batch_shape: received \(3, 4\)"),
    "input-both-shapes": (lambda m: Input((4,), batch_shape=(None, 4)), ValueError, "batch_shape: received shape as"),
    "input-name": (lambda m: Input((1,), name=""), TypeError, "name: received ''"),
    "input-dtype": (lambda m: Input((1,), dtype="int32"), ValueError, "dtype: received 'int32'"),
    # calls of layers
    "several-arrays": (lambda m: d()([a(), b()]), ValueError, "'d': received 2 arrays; expected one array"),
    "dict-of-arrays": (lambda m: d()({"a": a(), "b": b()}), ValueError, "'d': received 2 arrays"),
    "no-arrays": (lambda m: d()([]), ValueError, "'d': received"),
    "none": (lambda m: d()(None), TypeError, "'d': received None"),
    "a-layer": (lambda m: d()(d(3, "e")), TypeError, "'d': received the layer 'e'"),
    "a-class": (lambda m: Dense(a()), TypeError, "units: received an array"),
    "training-array": (lambda m: d()(a(), training=X), TypeError, "training: received an array"),
    "arrays-of-both-kinds": (lambda m: Add(name="s")([a(), X]), TypeError, "'s': received an array .*make it an Input"),
    "another-shape": (called_with_another_shape, ValueError, r"'d' on the output of 'b' of shape \(None, 3\)"),
    "another-array": (called_with_another_array, ValueError, r"'d', input: received shape \(24, 3\)"),
    "no-features": (lambda m: d()(Input((), name="a")), ValueError, "'d' on the output of 'a'.*two axes"),
    "returns-none": (lambda m: Returns(lambda x: None)(a()), TypeError, "output of layer 'own': received None"),
    "returns-nothing": (lambda m: Returns(lambda x: [])(a()), TypeError, r"output of layer 'own': received \[\]"),
    "returns-a-list-without": (
        lambda m: Returns(lambda x: [x, 3])(a()),
        TypeError,
        "output of layer 'own': received 3",
    ),
    "returns-an-array": (lambda m: Returns(lambda x: X)(a()), TypeError, "output of layer 'own': received an array"),
    "returns-a-sum": (lambda m: Returns(ops.sum)(a()), ValueError, "'own'.*batch"),
    "returns-another": (returns_another, TypeError, "output of layer 'own': received"),
    "looks-at-values": (lambda m: Returns(lambda x: x if x > 0 else -x)(a()), TypeError, "'own'.*if/while"),
    "numpy-inside": (lambda m: Returns(np.tanh)(a()), TypeError, "'own'.*functions of fastnn.ops"),
    "output-of-uncalled": (lambda m: d().output, AttributeError, "output of layer 'd': received 0 calls"),
    "input-of-uncalled": (lambda m: d().input, AttributeError, "input of layer 'd': received 0 calls"),
    "output-of-twice": (output_of_twice, AttributeError, "output of layer 'd': received 2 calls"),
    # merging
    "add-one": (lambda m: Add(name="s")(a()), TypeError, "'s': received one array; expected a list of at least two"),
    "add-list-of-one": (lambda m: Add(name="s")([a()]), TypeError, "'s': received 1 array"),
    "add-one-array": (lambda m: Add(name="s")(X), TypeError, "'s': received one array"),
    "add-none": (lambda m: layers.add([]), TypeError, "received one array; expected a list"),
    "add-dict": (lambda m: Add(name="s")({"a": a(), "b": b()}), TypeError, "'s': received one array"),
    "add-shapes": (lambda m: Add(name="s")([a(), b(3)]), ValueError, r"'s' on the output of 'a' and 'b'.*\(None, 3\)"),
    "add-arrays": (lambda m: Add(name="s")([X, B]), ValueError, r"'s', shape: received \(24, 4\) and \(24, 3\)"),
    "add-lengths": (lambda m: Add(name="s")([X, X[:5]]), ValueError, r"\(24, 4\) and \(5, 4\)"),
    "subtract-three": (lambda m: Subtract(name="s")([a(), b(), a(4, "c")]), ValueError, "'s': received 3 arrays"),
    "concatenate-shapes": (
        lambda m: Concatenate(name="s")([Input((2, 3), name="a"), Input((4, 4), name="b")]),
        ValueError,
        "'s' on the output of 'a' and 'b'.*differ at most along axis 2",
    ),
    "concatenate-ranks": (lambda m: Concatenate(name="s")([Input((2, 3), name="a"), b()]), ValueError, "'s'"),
    "concatenate-batch": (lambda m: Concatenate(axis=0), ValueError, "axis: received 0, that of the batch"),
    "concatenate-minus": (lambda m: Concatenate(-2, name="s")([a(), b()]), ValueError, "-2, that of the batch"),
    "concatenate-beyond": (lambda m: Concatenate(5, name="s")([a(), b()]), ValueError, "axis: received 5"),
    "concatenate-text": (lambda m: Concatenate(axis="1"), TypeError, "axis: received '1'"),
    "dot-batch": (lambda m: Dot(axes=(1, 0)), ValueError, r"axes: received \(1, 0\)"),
    "dot-text": (lambda m: Dot(axes="1"), TypeError, "axes: received '1'"),
    "dot-three-axes": (lambda m: Dot(axes=(1, 1, 1)), TypeError, r"axes: received \(1, 1, 1\)"),
    "dot-beyond": (lambda m: Dot(axes=2, name="s")([a(), b()]), ValueError, "'s'.*axis 2"),
    "dot-sizes": (lambda m: Dot(axes=1, name="s")([a(), b(3)]), ValueError, "4 and 3 do not go together"),
    "dot-three": (lambda m: Dot(1, name="s")([a(), b(), a(4, "c")]), ValueError, "'s': received 3 arrays"),
    "dot-normalize": (lambda m: Dot(1, normalize="yes"), TypeError, "normalize: received 'yes'"),
    # arrays without values
    "numpy-function": (lambda m: np.tanh(a()), TypeError, "functions of fastnn.ops"),
    "numpy-sum": (lambda m: np.sum(a()), TypeError, "functions of fastnn.ops"),
    "numpy-concatenate": (lambda m: np.concatenate([a(), b()]), TypeError, "functions of fastnn.ops"),
    "asarray": (lambda m: np.asarray(a()), TypeError, "array conversion"),
    "bool": (lambda m: bool(a()), TypeError, "condition on a symbolic array"),
    "and": (lambda m: a() and b(), TypeError, "condition on a symbolic array"),
    "float": (lambda m: float(a()), TypeError, "conversion of a symbolic array to a number"),
    "int": (lambda m: int(a()), TypeError, "conversion of a symbolic array to a number"),
    "math": (lambda m: math.exp(a()), TypeError, "not those of math"),
    "position": (lambda m: [1, 2][a()], TypeError, "conversion of a symbolic array to a number"),
    "range": (lambda m: range(a()), TypeError, "conversion of a symbolic array to a number"),
    "iteration": (lambda m: list(a()), TypeError, "iteration: received"),
    "unpacking": (unpack, TypeError, "iteration: received"),
    "membership": (lambda m: 1 in a(), TypeError, "search in a symbolic array"),
    "length": (lambda m: len(a()), TypeError, "length of a symbolic array.*x.shape"),
    "sample": (lambda m: a()[0], ValueError, "index: received 0"),
    "beyond-the-features": (lambda m: a()[:, 9], ValueError, "index: received 9"),
    "key": (lambda m: a()["x"], ValueError, "index: received 'x'"),
    "plus-text": (lambda m: a() + "b", TypeError, "received 'b'"),
    "plus-none": (lambda m: a() + None, TypeError, "received None"),
    "plus-misfit": (lambda m: a() + b(3), ValueError, r"'a' and 'b' of shape \[\(None, 4\), \(None, 3\)\]"),
    "plus-rows": (lambda m: a() + X, ValueError, r"\(None, 4\) and \(24, 4\)"),
    "matmul-misfit": (lambda m: a() @ np.ones((3, 2)), ValueError, "last axis of 3"),
    "sum-of-the-batch": (lambda m: ops.sum(a()), ValueError, "batch"),
    "mean-over-the-batch": (lambda m: ops.mean(a(), axis=0), ValueError, "batch"),
    "transposed": (lambda m: ops.transpose(a()), ValueError, "axes: received"),
    "reshaped": (lambda m: ops.reshape(a(), (3, 5)), ValueError, r"shape: received \(3, 5\)"),
    "option": (lambda m: ops.elu(a(), beta=1), TypeError, "'beta'"),
    # models as layers
    "sequential-two-inputs": (
        lambda m: fastnn.Sequential([graphs.two_branches(fastnn)]),
        ValueError,
        "'two_branches' with several inputs",
    ),
    "sequential-of-dicts": (lambda m: fastnn.Sequential([graphs.dictionaries(fastnn)]), ValueError, "several inputs"),
    "sequential-two-outputs": (
        lambda m: fastnn.Sequential([Input((4,), name="x"), graphs.heads(fastnn), d()]),
        TypeError,
        "output of layer 'heads': received several arrays",
    ),
    "sequential-merging": (lambda m: fastnn.Sequential([Input((4,), name="x"), Add(name="s")]), TypeError, "'s'"),
    "sequential-tensor": (lambda m: fastnn.Sequential([d()(a())]), TypeError, "layer: received an array"),
    "sequential-itself": (lambda m: with_self(), ValueError, "model 'chain': received no layers"),
    "sequential-unbuilt": (lambda m: fastnn.Sequential([d()], name="s").output, ValueError, "'s', which is not built"),
    "sequential-name": (lambda m: fastnn.Sequential([d()], "s"), TypeError, "trainable: received 's'"),
    # names
    "metrics-of-one-name": (
        lambda m: logs_of_one_name("a_1", "a_1_b", [[BMae()], ["mae"]]),
        ValueError,
        "two that give 'a_1_b_mae'",
    ),
    "named-like-validation": (lambda m: logs_of_one_name("val", "other"), ValueError, "two that give 'val_loss'"),
    # configurations
    "config-none": (lambda m: fastnn.Model.from_config(None), TypeError, "config of Model: received None"),
    "config-empty": (lambda m: fastnn.Model.from_config({}), TypeError, "no inputs and outputs"),
    "config-layers": (lambda m: fastnn.Model.from_config({"layers": 3}), TypeError, "config: received {'layers': 3}"),
    "config-inputs": (lambda m: fastnn.Model.from_config(config(input_layers=None)), ValueError, "config: .*None"),
    "config-outputs": (
        lambda m: fastnn.Model.from_config(config(output_layers=[["no", 0, 0]])),
        ValueError,
        "config: .*'no'",
    ),
    "config-place": (
        lambda m: fastnn.Model.from_config(config(output_layers=["kind", 0, 7])),
        ValueError,
        "config: .*place=7",
    ),
    "config-class": (lambda m: broken_config(lambda la: la.update(class_name="Danse")), ValueError, "use 'Dense'"),
    "config-no-class": (
        lambda m: broken_config(lambda la: la.pop("class_name")),
        TypeError,
        "class_name: received None",
    ),
    "config-arguments": (lambda m: broken_config(lambda la: la.update(config=3)), TypeError, "config of Dense"),
    "config-call": (lambda m: broken_config(lambda la: la["inbound_nodes"].append(3)), ValueError, "the call 3"),
    "config-circle": (
        lambda m: broken_config(lambda la: la.update(inbound_nodes=[{"args": [["size", 0, 0]], "kwargs": {}}])),
        ValueError,
        "in a circle",
    ),
    "config-of-an-array": (
        config_of_an_array,
        TypeError,
        "configuration of operation",
    ),
    "config-of-a-function": (
        lambda m: d(kernel_initializer=lambda shape, dtype: np.ones(shape, dtype)).get_config(),
        ValueError,
        "kernel_initializer of layer 'd': .*register_keras_serializable",
    ),
    "config-of-an-activation": (lambda m: d(activation=np.abs).get_config(), ValueError, "register_keras_serializable"),
    "register-nothing": (lambda m: saving.register_keras_serializable(d), TypeError, "package: .*parentheses"),
    "register-name": (lambda m: saving.register_keras_serializable("p", 3), TypeError, "name: received 3"),
    "register-number": (lambda m: saving.register_keras_serializable("p")(3), TypeError, "object: received 3"),
    "register-plain-class": (lambda m: saving.register_keras_serializable("p")(int), TypeError, "without get_config"),
    "clone-nothing": (lambda m: models.clone_model(None), TypeError, "model: received None"),
    "clone-class": (lambda m: models.clone_model(fastnn.Model), TypeError, "model: received <class"),
    "clone-layer": (lambda m: models.clone_model(d()), TypeError, "model: received <Dense"),
}

HEADS = {
    # compile
    "loss-none": (lambda m: m.compile("sgd", [None, None]), ValueError, "loss: received None for every output"),
    "loss-none-by-name": (lambda m: m.compile("sgd", {"kind": None, "size": None}), ValueError, "None for every"),
    "loss-missing-altogether": (lambda m: m.compile("sgd"), TypeError, "loss: received None"),
    "losses-three": (lambda m: m.compile("sgd", ["mse"] * 3), ValueError, "loss: received 3 entries.*'kind', 'size'"),
    "loss-missing": (lambda m: m.compile("sgd", {"kind": "mse"}), ValueError, "loss: received a dict without 'size'"),
    "loss-unknown": (lambda m: m.compile("sgd", {"kind": "mse", "siz": "mse"}), ValueError, "'siz'.*use 'size'"),
    "loss-nested": (lambda m: m.compile("sgd", [["mse"], "mse"]), TypeError, r"loss: received \['mse'\]"),
    "loss-name": (lambda m: m.compile("sgd", {"kind": "mes", "size": "mse"}), ValueError, "loss: received 'mes'"),
    "weights-unknown": (lambda m: m.compile("sgd", "mse", {"siz": 1, "kind": 1}), ValueError, "loss_weights: .*'siz'"),
    "weights-missing": (lambda m: m.compile("sgd", "mse", {"size": 1}), ValueError, "a dict without 'kind'"),
    "weights-three": (lambda m: m.compile("sgd", "mse", [1, 2, 3]), ValueError, "loss_weights: received 3 entries"),
    "weights-number": (lambda m: m.compile("sgd", "mse", 2.0), ValueError, "loss_weights: received 2.0"),
    "weights-nan": (lambda m: m.compile("sgd", "mse", [1, np.nan]), ValueError, "loss_weights: received nan"),
    "weights-text": (lambda m: m.compile("sgd", "mse", ["a", 1]), TypeError, "loss_weights: received 'a'"),
    "weights-nested": (lambda m: m.compile("sgd", "mse", [[1], 2]), TypeError, r"loss_weights: received \[1\]"),
    "weights-array": (lambda m: m.compile("sgd", "mse", np.ones(2)), TypeError, "loss_weights: received an array"),
    "metrics-text": (lambda m: m.compile("sgd", "mse", metrics="mae"), ValueError, "metrics: received 'mae'"),
    "metrics-one": (lambda m: m.compile("sgd", "mse", metrics=["mae"]), ValueError, "metrics: received 1 entries"),
    "metrics-unknown": (lambda m: m.compile("sgd", "mse", metrics={"siz": "mae"}), ValueError, "use 'size'"),
    "metrics-name": (lambda m: m.compile("sgd", "mse", metrics={"size": "mea"}), ValueError, "metric: received 'mea'"),
    "weighted-metrics": (
        lambda m: m.compile("sgd", "mse", weighted_metrics={"x": "mae"}),
        ValueError,
        "weighted_metrics",
    ),
    # data
    "x-several": (lambda m: m.fit([X, X], [KIND, SIZE]), ValueError, "'x', x: received"),
    "x-name": (lambda m: m.fit({"y": X}, [KIND, SIZE]), ValueError, "x: received a dict without 'x'"),
    "x-short": (lambda m: m.fit(X[:5], [KIND, SIZE]), ValueError, "y of 'kind': received 24 samples; expected 5"),
    "y-one": (lambda m: m.fit(X, KIND), ValueError, "y: received an array.*'kind', 'size'"),
    "y-three": (lambda m: m.fit(X, [KIND, SIZE, SIZE]), ValueError, "y: received a list of 3"),
    "y-missing": (lambda m: m.fit(X, {"kind": KIND}), ValueError, "y: received a dict without 'size'"),
    "y-unknown": (lambda m: m.fit(X, {"kind": KIND, "size": SIZE, "z": 1}), ValueError, "y: received a dict with 'z'"),
    "y-none": (lambda m: m.fit(X), ValueError, "y: received None"),
    "y-none-for-one": (lambda m: m.fit(X, [KIND, None]), TypeError, "y of 'size': received None"),
    "y-lengths": (lambda m: m.fit(X, [KIND, SIZE[:3]]), ValueError, "y of 'size': received 3 samples"),
    "y-swapped": (lambda m: m.fit(X, [SIZE, KIND]), ValueError, "'kind', y of 'kind': received"),
    "y-labels": (lambda m: m.fit(X, [KIND + 1, SIZE]), ValueError, "y of 'kind': received labels from 1 to 3"),
    "weights-of-one": (lambda m: m.fit(X, [KIND, SIZE], sample_weight={"kind": W}), ValueError, "without 'size'"),
    "weights-of-three": (lambda m: m.fit(X, [KIND, SIZE], sample_weight=[W] * 3), ValueError, "sample_weight: .*of 3"),
    "weights-lengths": (
        lambda m: m.fit(X, [KIND, SIZE], sample_weight=[W, W[:3]]),
        ValueError,
        "sample_weight of 'size': received 3",
    ),
    "weights-negative": (lambda m: m.fit(X, [KIND, SIZE], sample_weight=[W, -W]), ValueError, "negative"),
    "weights-matrix": (lambda m: m.fit(X, [KIND, SIZE], sample_weight=[W, SIZE]), ValueError, "one weight per sample"),
    "class-weight": (lambda m: m.fit(X, [KIND, SIZE], class_weight={0: 1}), ValueError, "class_weight: .*2 outputs"),
    "validation-one": (
        lambda m: m.fit(X, [KIND, SIZE], validation_data=(X, KIND)),
        ValueError,
        r"validation_data\[1\]",
    ),
    "validation-name": (
        lambda m: m.fit(X, [KIND, SIZE], validation_data=(X, {"kind": KIND, "siz": SIZE})),
        ValueError,
        r"validation_data\[1\]: received a dict without 'size'",
    ),
    "validation-weights": (
        lambda m: m.fit(X, [KIND, SIZE], validation_data=(X, [KIND, SIZE], [W])),
        ValueError,
        r"validation_data\[2\]: received a list of 1",
    ),
    "evaluate-one": (lambda m: m.evaluate(X, [KIND]), ValueError, "y: received a list of 1"),
    "train-on-batch": (lambda m: m.train_on_batch(X, {"size": SIZE}), ValueError, "without 'kind'"),
    "test-on-batch": (lambda m: m.test_on_batch(X), ValueError, "y: received None"),
    # calls and parts
    "call-shape": (lambda m: m(X[:, :3], training=True), ValueError, r"'x', x: received an array of shape \(24, 3\)"),
    "call-tensor-shape": (lambda m: m(a(3)), ValueError, r"input of model 'heads': received shape \(None, 3\)"),
    "call-two-tensors": (lambda m: m([a(), b()]), ValueError, "input of model 'heads'"),
    "call-by-name": (lambda m: m({"z": a()}), ValueError, "input of model 'heads': received a dict without 'x'"),
    "call-number": (lambda m: d()(m(3)), ValueError, "x: received 3"),
    "weights-of-another": (
        lambda m: m.set_weights(graphs.two_branches(fastnn).get_weights()),
        ValueError,
        "weight 'hidden/kernel'|weights of 'heads'",
    ),
    "layer-name": (lambda m: m.get_layer("hiden"), ValueError, "use 'hidden'"),
    "layer-index": (lambda m: m.get_layer(index=-6), ValueError, "index: received -6"),
    "layer-both": (lambda m: m.get_layer("hidden", 1), ValueError, "a name and an index"),
    "trainable": (lambda m: set_trainable(m, "no"), TypeError, "trainable: received 'no'"),
    "summary-nested": (lambda m: m.summary(expand_nested="yes"), TypeError, "expand_nested: received 'yes'"),
    "summary-trainable": (lambda m: m.summary(show_trainable=X), TypeError, "show_trainable: received"),
    "summary-range": (lambda m: m.summary(layer_range=["x", "kind"]), ValueError, "layer_range: .*not provided"),
    "clone-inputs": (lambda m: models.clone_model(m, [a(), b()]), ValueError, "input_tensors: received"),
    "clone-input-shape": (lambda m: models.clone_model(m, a(3)), ValueError, r"input_tensors: .*\(None, 4\)"),
    "clone-input-array": (lambda m: models.clone_model(m, X), ValueError, "input_tensors: received an array"),
    "clone-function": (lambda m: models.clone_model(m, clone_function=3), TypeError, "clone_function: received 3"),
    "clone-no-layer": (
        lambda m: models.clone_model(m, clone_function=lambda layer: layer.name),
        TypeError,
        "result of clone_function: received 'hidden'",
    ),
    "clone-calls": (lambda m: models.clone_model(m, call_function=print), ValueError, "call_function: .*not provided"),
    "clone-recursive": (lambda m: models.clone_model(m, recursive=True), ValueError, "recursive: .*not provided"),
}

TWO = {
    "x-one": (lambda m: m.fit(X, KIND), ValueError, "x: received an array.*'a', 'b'"),
    "x-three": (lambda m: m.fit([X, B, B], KIND), ValueError, "x: received a list of 3"),
    "x-missing": (lambda m: m.fit({"a": X}, KIND), ValueError, "x: received a dict without 'b'"),
    "x-unknown": (lambda m: m.fit(BOTH | {"c": B}, KIND), ValueError, "x: received a dict with 'c'"),
    "x-swapped": (lambda m: m.fit([B, X], KIND), ValueError, r"input 'a', x: received an array of shape \(24, 3\)"),
    "x-lengths": (lambda m: m.fit([X, B[:4]], KIND), ValueError, "x of 'b': received 4 samples"),
    "x-none": (lambda m: m.fit([X, None], KIND), TypeError, "input 'b', x: received None"),
    "x-text": (lambda m: m.fit([X, "b"], KIND), TypeError, "input 'b', x: received 'b'"),
    "x-empty": (lambda m: m.fit([], KIND), ValueError, "x: received a list of 0"),
    "x-no-samples": (lambda m: m.fit([X[:0], B[:0]], KIND[:0]), ValueError, "at least one sample"),
    "predict-one": (lambda m: m.predict(X), ValueError, "x: received an array"),
    "predict-lengths": (lambda m: m.predict([X, B[:3]]), ValueError, "x of 'b': received 3 samples"),
    "call-one": (lambda m: m(X), ValueError, "x: received an array"),
    "call-training": (lambda m: m([X, B[:3]], training=True), ValueError, "x of 'b': received 3 samples"),
    "call-one-tensor": (lambda m: m(a()), ValueError, "input of model 'two_branches': received an array"),
    "call-swapped": (lambda m: m([a(3), b(4)]), ValueError, r"'two_branches': received shape \(None, 3\) for 'a'"),
    "call-both-kinds": (lambda m: m([a(), B]), TypeError, "'two_branches': received an array .*make it an Input"),
    "call-missing": (lambda m: m({"a": a()}), ValueError, "'two_branches': received a dict without 'b'"),
    "y-name": (lambda m: m.fit(BOTH, {"ou": KIND}), ValueError, "y: received a dict without 'out'"),
    "y-two": (lambda m: m.fit(BOTH, [KIND, KIND]), ValueError, "y: received 2 samples"),
    "weights-name": (
        lambda m: m.fit(BOTH, KIND, sample_weight={"ou": W}),
        ValueError,
        "sample_weight: .*without 'out'",
    ),
    "validation-x": (lambda m: m.fit(BOTH, KIND, validation_data=(X, KIND)), ValueError, r"validation_data\[0\]"),
    "class-weight": (lambda m: m.fit(BOTH, KIND, class_weight={0: -1}), ValueError, "class_weight: received -1"),
}

DICTIONARIES = {
    "x-list": (lambda m: m.predict([X]), ValueError, "x: received a list of 1"),
    "x-key": (lambda m: m.predict({"a": X}), ValueError, "without 'b'"),
    "y-key": (lambda m: m.fit(BOTH, {"kind": KIND, "siz": SIZE}), ValueError, "y: received a dict without 'size'"),
    "call-key": (lambda m: m({"a": a(), "c": b(3)}), ValueError, "'dictionaries': received a dict without 'b'"),
    "call-one": (lambda m: m(a()), ValueError, "'dictionaries': received an array"),
    "clone-key": (lambda m: models.clone_model(m, {"a": a(), "c": b(3)}), ValueError, "input_tensors: received"),
}

SUBCLASS = {
    "lengths": (lambda m: m.predict({"a": X, "b": X[:3]}), ValueError, "x of 'b': received 3 samples"),
    "shapes": (lambda m: m.predict({"a": X, "b": B}), ValueError, r"input 'b', x: .*\(24, 3\)"),
    "missing": (lambda m: m.fit({"a": X}, [SIZE, SIZE]), ValueError, "x: received a dict without 'b'"),
    "array": (lambda m: m.evaluate(X, [SIZE, SIZE]), ValueError, "x: received an array"),
    "y": (lambda m: m.fit({"a": X, "b": X}, {"p": SIZE}), ValueError, "y: received a dict without 'q'"),
    "inputs": (lambda m: m.inputs, AttributeError, "expected a functional model"),
    "output": (lambda m: m.output, AttributeError, "expected a functional model"),
    "clone": (lambda m: models.clone_model(m, clone_function=lambda la: la), ValueError, "subclass TwoInputs"),
    "clone-inputs": (lambda m: models.clone_model(m, a()), ValueError, "input_tensors: .*subclass TwoInputs"),
}

WRONG = {"heads": HEADS | GRAPHS, "two_branches": TWO, "dictionaries": DICTIONARIES, "subclass": SUBCLASS}
CASES = [(kind, name, *row) for kind, rows in WRONG.items() for name, row in rows.items()]
ERRORS = ValueError, TypeError, RuntimeError, AttributeError


@pytest.fixture(scope="module")
def trained():
    """Weights of each model after one more training, with no wrong call before."""
    found = {}
    for kind, make in MODELS.items():
        made = make()
        train(made)
        found[kind] = made.get_weights()
    return found


@pytest.mark.parametrize(
    ("kind", "call", "error", "says"),
    [pytest.param(kind, call, error, says, id=f"{kind}-{name}") for kind, name, call, error, says in CASES],
)
def test_wrong_call(kind, call, error, says, trained):
    made = MODELS[kind]()
    before = state(made)
    with pytest.raises(ERRORS) as caught:
        call(made)
    message = str(caught.value)
    assert isinstance(caught.value, error), f"{caught.type.__name__}: {message}"
    assert PARTS.fullmatch(message), message
    assert re.search(says, message, re.S), message
    assert state(made) == before
    train(made)
    for found, expected in zip(made.get_weights(), trained[kind], strict=True):
        assert found.tobytes() == expected.tobytes()


def test_there_are_many():
    assert len(CASES) > 200
