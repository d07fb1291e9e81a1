"""Models that are no chains: what they compute and learn, against plain NumPy, and what may be done with them."""

import gc
import json
import re
import weakref

import graphs
import numpy as np
import pytest
from own import assert_equal_in_float64, assert_rounds_like, example, float64, in_float64

import fastnn
from fastnn import layers, losses, models, ops, saving, tree, utils
from fastnn.layers import Dense, Input
from fastnn.registry import _registered

X = graphs.numbers(24, 4, stream=0)


def bits(structure):
    return [np.asarray(a).tobytes() for a in tree.leaves(structure)]


def weights_of(model):
    """By the names of layers, in float64."""
    return {v.path.rpartition("/")[0]: [] for v in model.weights} | {
        layer.name: [v.astype(np.float64) for v in layer.get_weights()] for layer in inner_layers(model)
    }


def inner_layers(model):
    for layer in model.layers:
        yield from inner_layers(layer) if isinstance(layer, fastnn.Model) else [layer]


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def relu(z):
    return np.maximum(z, 0)


class Plain:
    """The models of `graphs`, as one would write them with NumPy."""

    def __init__(self, model):
        self.weights = weights_of(model)

    def dense(self, name, x, activation=lambda z: z):
        kernel, bias = self.weights[name]
        return activation(x @ kernel + bias)

    def two_branches(self, x):
        left = self.dense("left", x[0], np.tanh)
        right = self.dense("right_2", self.dense("right", x[1], relu), relu)
        return self.dense("out", np.concatenate([left, right], 1), softmax)

    def heads(self, x):
        hidden = self.dense("hidden", x, np.tanh)
        return [self.dense("kind", hidden, softmax), self.dense("size", self.dense("before", hidden, relu))]

    def inception(self, x):
        deeper = x
        for i in range(3):
            deeper = self.dense(f"deeper_{i}", deeper, np.tanh)
        branches = [self.dense("narrow", x, relu), self.dense("deep_2", self.dense("deep", x, relu), relu), deeper, x]
        return self.dense("out", np.concatenate(branches, 1), softmax)

    def residual(self, x):
        for i in range(2):
            x = x + self.dense(f"inner_{i}", x, np.tanh)
        return self.dense("out", x)

    def siamese(self, x):
        a, b = (self.dense("twin", part, np.tanh) for part in x)
        return self.dense("out", a - b, lambda z: 1 / (1 + np.exp(-z)))

    def nested(self, x):
        code = self.dense("e2", self.dense("e1", x, np.tanh))
        return self.dense("i1", code) * self.dense("i2", code)

    def dictionaries(self, x):
        joined = np.concatenate([x["b"], x["a"]], 1)
        return {"size": self.dense("size", joined), "kind": self.dense("kind", x["a"], softmax)}

    def operators(self, x):
        gated = (self.dense("hidden", x, np.tanh) * x + 1) / 2 - x[:, :1]
        return self.dense("out", np.tanh(2 - gated))

    def shared(self, x):
        once = self.dense("again", x, np.tanh)
        twice = self.dense("again", self.dense("between", once, relu), np.tanh)
        late = self.dense("late", self.dense("after", (once + twice) / 2, relu))
        return [self.dense("early", twice, softmax), late]


def computed(name, dtype):
    """Predictions and training outputs of a model, and those of plain NumPy in a type."""
    fastnn.set_random_seed(4)
    model = graphs.MODELS[name](fastnn)
    model.set_weights(graphs.weights(model))
    x = graphs.inputs(model)
    plain = Plain(model)
    plain.weights = {key: [w.astype(dtype) for w in found] for key, found in plain.weights.items()}
    wanted = getattr(plain, name)(tree.map_structure(lambda a: a.astype(dtype), x))
    return model.predict(x, verbose=0), model(x, training=True), wanted


@pytest.mark.parametrize("name", graphs.MODELS)
def test_predictions_are_those_of_plain_numpy(name):
    predicted, called, near = computed(name, np.float32)
    exact64, _, exact = in_float64(computed, name, np.float64)
    assert type(predicted) is type(called) is type(exact)
    assert_equal_in_float64(tree.leaves(exact64), tree.leaves(exact))
    for found in (predicted, called):
        assert_rounds_like(tree.leaves(found), tree.leaves(near), tree.leaves(exact))


def objective(name, model):
    """The loss of a model in float64 as a function of inputs and targets, made with `fastnn.ops`."""
    chosen = graphs.LOSSES[name]
    # a dict's entries and its losses come in the same order
    made = [losses.get(loss) for loss in tree.leaves(chosen)]

    def loss(*arrays):
        count = len(tree.shape_leaves(model.input_shape))
        found = tree.leaves(model(tree.shape_pack(model.input_shape, arrays[:count]), training=True))
        parts = [f(y, y_pred) for f, y, y_pred in zip(made, arrays[count:], found, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    return loss


@pytest.mark.parametrize("name", graphs.MODELS)
def test_gradients_are_difference_quotients(name):
    """Along a random direction in float64: a central difference of step h is off by h^2 and by roundings / h."""
    with float64():
        model = graphs.MODELS[name](fastnn)
        model.set_weights(graphs.weights(model))  # off the kinks of relu
        arrays = [a.astype(np.float64) for a in tree.leaves(graphs.inputs(model))]
        arrays += [y if y.dtype.kind == "i" else y.astype(np.float64) for y in tree.leaves(graphs.targets(name))]
        step = fastnn.value_and_grad(objective(name, model), model.trainable_variables)
        _, gradients = step(*arrays)
        rng, h, begin = np.random.default_rng(1), 1e-5, model.get_weights()
        direction = [rng.standard_normal(w.shape) for w in begin]
        values = []
        for sign in (1, -1):
            model.set_weights([w + sign * h * d for w, d in zip(begin, direction, strict=True)])
            values.append(step(*arrays)[0])
        slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
        assert abs((values[0] - values[1]) / (2 * h) - slope) <= 1e-7 * max(1, abs(slope))


@pytest.mark.parametrize("name", graphs.MODELS)
def test_they_learn(name):
    fastnn.set_random_seed(1)
    model = graphs.MODELS[name](fastnn)
    model.compile(fastnn.optimizers.Adam(0.02), graphs.LOSSES[name])
    x, y = graphs.inputs(model), graphs.targets(name)
    history = model.fit(x, y, batch_size=8, epochs=60, verbose=0).history
    assert history["loss"][-1] < 0.75 * history["loss"][0]
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] < 0.8 * history["loss"][0]


# Several inputs and outputs


def test_data_by_structure_and_by_name():
    a, b, c = (Input((2,), name=name) for name in "abc")
    model = fastnn.Model({"pair": [a, b], "single": c}, [{"sum": layers.Add(name="sum")([a, b, c])}, c * 2])
    x = [graphs.numbers(5, 2, stream=i) for i in range(3)]
    nested = {"pair": x[:2], "single": x[2]}
    found = model.predict(nested, verbose=0)
    assert isinstance(found, list) and list(found[0]) == ["sum"]
    assert_equal_in_float64([found[0]["sum"], found[1]], [x[0] + x[1] + x[2], 2 * x[2]])
    assert bits(model.predict(dict(zip("abc", x, strict=True)), verbose=0)) == bits(found)
    assert bits(model(nested)) == bits(model(nested, training=True)) == bits(found)
    model.compile("sgd", "mse")
    y = [{"sum": x[0]}, x[1]]
    by_structure = model.evaluate(nested, y, verbose=0)
    assert model.evaluate(nested, [x[0], x[1]], verbose=0) == by_structure


@pytest.mark.parametrize(("kind", "kind_found"), [(list, list), (tuple, tuple)])
def test_outputs_come_in_the_structure_in_which_they_were_given(kind, kind_found):
    x = Input((4,))
    model = fastnn.Model(x, kind([x + 1, x + 2]))
    one = fastnn.Model([x], kind([x + 1]))
    for found in (model.predict(X, verbose=0), model(X), model(X, training=True), model(x)):
        assert type(found) is kind_found and len(found) == 2
    for found in (one.predict(X, verbose=0), one(X), one(X, training=True)):
        assert type(found) is np.ndarray


def test_targets_and_weights_of_one_output_by_its_name():
    model = graphs.two_branches(fastnn)
    model.compile("sgd", graphs.SPARSE)
    x, y, w = graphs.inputs(model), graphs.targets("two_branches"), np.linspace(0, 1, 24)
    plain = model.evaluate(x, y, sample_weight=w, verbose=0)
    assert model.evaluate(x, {"out": y}, sample_weight={"out": w}, verbose=0) == plain


def test_names_of_outputs_differ():
    x = Input((4,))
    twin = Dense(2, name="twin")
    model = fastnn.Model(x, [twin(x), twin(x * 2)])
    assert model.output_names == ["twin", "twin_1"]
    model.compile("sgd", "mse", metrics=["mae", "mae"])
    y = [np.zeros((24, 2)), np.ones((24, 2))]
    logs = model.evaluate(X, y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "twin_1_loss", "twin_1_mae", "twin_loss", "twin_mae"]
    outputs = model.predict(X, verbose=0)
    assert np.isclose(logs["twin_1_mae"], np.abs(outputs[1] - 1).mean())


def test_an_input_that_no_output_needs():
    x, unused = Input((4,), name="x"), Input((2,), name="unused")
    model = fastnn.Model([x, unused], Dense(1)(x))
    assert [layer.name for layer in model.layers][:2] == ["x", "unused"]
    model.compile("sgd", "mse")
    model.fit([X, X[:, :2]], X[:, :1], verbose=0)
    assert model.predict({"x": X, "unused": X[:, :2]}, verbose=0).shape == (24, 1)


def test_an_output_that_is_an_input():
    x = Input((4,))
    assert bits(fastnn.Model(x, [x, x * 1]).predict(X, verbose=0)) == bits([X, X])


class TwoInTwoOut(fastnn.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.shared, self.heads = Dense(3, activation="tanh"), {"p": Dense(2), "q": Dense(1)}

    def call(self, x, training=None):
        both = ops.concatenate([self.shared(x["a"]), self.shared(x["b"])], axis=1)
        return {name: head(both) for name, head in self.heads.items()}


def test_subclasses_with_several_inputs_and_outputs():
    fastnn.set_random_seed(2)
    model = TwoInTwoOut()
    model.compile("adam", {"p": "mse", "q": "mae"}, metrics={"q": ["mse"]})
    x, y = {"a": X, "b": X[:, ::-1]}, {"p": X[:, :2], "q": X[:, :1]}
    history = model.fit(x, y, batch_size=8, epochs=40, verbose=0).history
    assert list(history) == ["loss", "p_loss", "q_loss", "q_mse"] and history["loss"][-1] < history["loss"][0]
    assert model.count_params() == 15 + 14 + 7 and model.output_names == ["p", "q"]
    shared, p, q = ([w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers)
    both = np.concatenate([np.tanh(part @ shared[0] + shared[1]) for part in x.values()], 1)
    found = model.predict(x, verbose=0)
    for name, head in (("p", p), ("q", q)):
        assert np.allclose(found[name], both @ head[0] + head[1], rtol=0, atol=1e-5)
    # as a layer of a functional model
    a, b = Input((4,), name="a"), Input((4,), name="b")
    outer = fastnn.Model([a, b], model({"a": a, "b": b})["p"])
    assert bits(outer.predict(x, verbose=0)) == bits(found["p"]) and len(outer.weights) == 6


# Parts of models


def test_features_from_outputs_in_the_middle():
    model = graphs.inception(fastnn)
    x = graphs.inputs(model)
    features = fastnn.Model(model.input, [model.get_layer("deep_2").output, model.get_layer("joined").output])
    deep, joined = features.predict(x, verbose=0)
    assert np.array_equal(joined[:, 4:9], deep) and np.array_equal(joined[:, -6:], x)
    assert features.get_layer("deep") is model.get_layer("deep")
    assert len(features.weights) == 12 and len(model.weights) == 14
    rest = fastnn.Model(model.get_layer("joined").output, model.output)
    assert [layer.name for layer in rest.layers] == ["joined_input", "out"] and len(rest.weights) == 2
    assert bits(rest.predict(joined, verbose=0)) == bits(model.predict(x, verbose=0))
    again = fastnn.Model.from_config(json.loads(json.dumps(rest.get_config())))
    again.set_weights(rest.get_weights())
    assert bits(again.predict(joined, verbose=0)) == bits(model.predict(x, verbose=0))


def test_a_model_between_an_input_and_the_middle_computes_from_what_is_given():
    x = Input((4,), name="x")
    inner = fastnn.Model(x, [x + 1, x * 2], name="inner")
    more, twice = inner(x)
    model = fastnn.Model([x, more], [more, twice])  # `more` is given, `twice` has to be computed
    assert bits(model.predict([X, -X], verbose=0)) == bits([-X, 2 * X])


def test_features_of_sequential():
    model = fastnn.Sequential([Input((4,)), Dense(3, activation="tanh"), Dense(2)])
    features = fastnn.Model(model.inputs, model.layers[0].output)
    assert np.allclose(features(X), np.tanh(X @ model.layers[0].get_weights()[0]), atol=1e-6)
    model.add(Dense(1))
    whole = fastnn.Model(model.input, [model.layers[0].output, model.output])
    hidden, out = whole.predict(X, verbose=0)
    assert bits(hidden) == bits(features(X)) and bits(out) == bits(model(X))
    assert model.pop().name == whole.layers[-1].name
    assert bits(fastnn.Model(model.input, model.output)(X)) == bits(model(X))


def test_models_as_layers():
    inner = fastnn.Sequential([Dense(3, activation="tanh"), Dense(2)], name="inner")
    x = Input((4,))
    model = fastnn.Model(x, inner(x) + inner(x * 2))
    assert inner.built and len(model.weights) == 4
    assert np.allclose(model(X), inner(X) + inner(2 * X), atol=1e-6)
    around = fastnn.Sequential([model, Dense(1)])
    assert around.built and around.input_shape == (None, 4) and len(around.weights) == 6
    before = inner.get_weights()
    around.compile("sgd", "mse")
    around.fit(X, X[:, :1], verbose=0)
    assert all((a != b).any() for a, b in zip(inner.get_weights(), before, strict=True))


def test_training_reaches_dropout_in_models_inside_unless_the_call_said_otherwise():
    x = Input((4,))
    inner = fastnn.Sequential([Input((4,)), layers.Dropout(0.5)])
    for given, changed in ((None, True), (True, True), (False, False)):
        model = fastnn.Model(x, inner(x, training=given))
        assert (model(X, training=True) != X).any() == changed
        assert (model(X, training=False) != X).any() == (given is True)
        assert (model.predict(X, verbose=0) != X).any() == (given is True)
        again = fastnn.Model.from_config(json.loads(json.dumps(model.get_config())))
        assert (again(X, training=True) != X).any() == changed


def test_a_frozen_part_is_not_trained():
    model = graphs.nested(fastnn)
    encoder, inner = model.get_layer("encoder"), model.get_layer("inner")
    encoder.trainable = False
    assert [layer.trainable for layer in encoder.layers] == [False, False] and inner.trainable
    assert len(model.trainable_variables) == len(model.non_trainable_variables) == 4
    before = encoder.get_weights(), inner.get_weights()
    model.compile("adam", "mae")
    x, y = graphs.inputs(model), graphs.targets("nested")
    model.fit(x, y, verbose=0)
    assert bits(encoder.get_weights()) == bits(before[0]) and bits(inner.get_weights()) != bits(before[1])
    model.trainable = True  # also of what was frozen before, as in Keras
    model.fit(x, y, verbose=0)
    assert bits(encoder.get_weights()) != bits(before[0])


def test_layers_may_hold_each_other():
    class Part(layers.Layer):
        other = None

        def build(self, input_shape):
            self.w = self.add_weight((4,), initializer="ones", name="w")

        def call(self, x):
            return x * self.w

    class Whole(fastnn.Model):
        def __init__(self):
            super().__init__()
            self.me, self.parts = self, [Part(), Part()]
            self.parts[0].other, self.parts[1].other = self, self.parts[0]

        def call(self, x):
            return self.parts[1](self.parts[0](x))

    model = Whole()
    assert bits(model(X)) == bits(X) and len(model.layers) == 2
    assert model.count_params() == 8 and len(model.trainable_variables) == 2 and not model.penalties
    model.trainable = False
    assert not model.trainable_variables and not model.parts[1].trainable
    with pytest.raises(ValueError, match="shape"):
        Whole()(np.ones((2, 3)))  # what was built on the way is unbuilt


def test_deep_graphs_and_wide_ones():
    x = state = Input((4,))
    for i in range(1500):
        state = layers.Activation("linear")(state) if i % 2 else state + 0.5
    model = fastnn.Model(x, layers.Add()([state, *[x * 0 for _ in range(40)]]))
    assert len(model._graph.layers) == 1 + 1500 + 41
    assert bits(model.predict(X, verbose=0)) == bits(X + 375)


def test_models_and_their_graphs_are_let_go():
    def made():
        model = graphs.shared(fastnn)
        model.compile("sgd", graphs.LOSSES["shared"])
        model.fit(graphs.inputs(model), graphs.targets("shared"), verbose=0)
        return weakref.ref(model), weakref.ref(model.weights[0])

    references = made()
    gc.collect()
    assert [reference() for reference in references] == [None, None]


# Operators and functions on arrays without values

OPERATORS = {
    "arithmetic": (lambda x: (1 - x) * x / 2 + x**2 - -x, lambda x: (1 - x) * x / 2 + x**2 + x),
    "comparison": (lambda x: ops.where(x > 0, x, 0.5), lambda x: np.where(x > 0, x, 0.5)),
    "indices": (lambda x: x[:, 1:3] * x[:, -1:], lambda x: x[:, 1:3] * x[:, -1:]),
    "matmul": (lambda x: x @ np.eye(4, 2), lambda x: x[:, :2]),
    "reduction": (lambda x: ops.sum(x, axis=1, keepdims=True) - ops.max(x, axis=-1, keepdims=True), None),
    "shape": (
        lambda x: ops.reshape(ops.transpose(ops.reshape(x, (-1, 2, 2)), (0, 2, 1)), (-1, 4)),
        lambda x: x[:, [0, 2, 1, 3]],
    ),
    "an array": (lambda x: np.arange(4) * x + np.ones((1, 4)), lambda x: np.arange(4) * x + 1),
    "a variable": (lambda x: x * fastnn.Variable(np.arange(4)), lambda x: np.arange(4) * x),
    "activation": (lambda x: fastnn.activations.elu(x, alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
}
OPERATORS["reduction"] = (OPERATORS["reduction"][0], lambda x: x.sum(1, keepdims=True) - x.max(1, keepdims=True))


@pytest.mark.parametrize("case", OPERATORS)
def test_operators(case):
    function, plain = OPERATORS[case]
    x = Input((4,))
    model = fastnn.Model(x, function(x))
    assert np.allclose(model.predict(X, verbose=0), plain(X.astype(np.float64)), rtol=1e-6, atol=1e-6)
    assert model.layers == model.layers[:1]  # operations are no layers of the model, as in Keras


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.clip(x[:, :2] * 3 - 1, -2, 2),
        lambda x: ops.expand_dims(x, 1) - ops.mean(x[:, None], axis=-1, keepdims=True),
        lambda x: ops.reshape(ops.transpose(ops.reshape(x, (-1, 2, 2)), (0, 2, 1)), (-1, 4)) ** np.float32(2),
        lambda x: ops.concatenate([x[..., ::2], x[:, 1:2]]),
    ],
)
def test_operators_with_numbers_survive_a_configuration(function):
    x = Input((4,))
    model = fastnn.Model(x, function(x))
    again = fastnn.Model.from_config(json.loads(json.dumps(model.get_config())))
    assert bits(again(X)) == bits(model(X))


# Configurations and copies


@pytest.mark.parametrize("name", graphs.MODELS)
@pytest.mark.parametrize("how", ["config", "json", "clone"])
def test_a_model_made_anew_computes_the_same(name, how):
    model = graphs.MODELS[name](fastnn)
    model.layers[2].trainable = False
    config = model.get_config()
    if how == "clone":
        again = models.clone_model(model)
    else:
        again = fastnn.Model.from_config(json.loads(json.dumps(config)) if how == "json" else config)
    assert json.dumps(again.get_config()) == json.dumps(config)
    assert bits(again.get_weights()) != bits(model.get_weights())  # new ones
    assert len(again.trainable_variables) == len(model.trainable_variables)
    again.set_weights(model.get_weights())
    x = graphs.inputs(model)
    assert bits(again.predict(x, verbose=0)) == bits(model.predict(x, verbose=0))


def test_a_clone_of_sequential():
    model = fastnn.Sequential([Input((4,), name="x"), Dense(3), layers.Dropout(0.5), Dense(1)], name="chain")
    model.trainable = False
    clone = models.clone_model(model)
    assert type(clone) is fastnn.Sequential and clone.name == "chain" and not clone.trainable_variables
    assert json.dumps(clone.get_config()) == json.dumps(model.get_config())
    unbuilt = models.clone_model(fastnn.Sequential([Dense(3)]))
    assert not unbuilt.built
    on_other = models.clone_model(model, input_tensors=Input((7,), name="other"))
    assert on_other.input_shape == (None, 7) and on_other.input_names == ["other"]


def test_a_clone_with_other_layers_and_inputs():
    model = graphs.shared(fastnn)

    def wider(layer):
        config = layer.get_config()
        if config.get("units") == 5:
            config["units"] = 50
        return type(layer).from_config(config)

    clone = models.clone_model(model, clone_function=wider)
    assert clone.get_layer("after").units == 50 and clone.get_layer("again") is not model.get_layer("again")
    assert len(clone.weights) == len(model.weights)  # `again` is one layer there, too
    same = models.clone_model(model, input_tensors=Input((4,), name="y"), clone_function=lambda layer: layer)
    assert same.input_names == ["y"]
    assert bits(same.predict(X, verbose=0)) == bits(model.predict(X, verbose=0))


@pytest.fixture
def registry():
    known = dict(_registered)
    yield
    _registered.clear()
    _registered.update(known)


def test_own_layers_and_functions_in_configurations(registry):
    assert saving.register_keras_serializable is utils.register_keras_serializable

    @saving.register_keras_serializable("mine", name="Times")
    class Scale(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return super().get_config() | {"factor": self.factor}

    @saving.register_keras_serializable("mine")
    def bent(x):
        return ops.where(x > 0, x, 0.1 * x)

    @saving.register_keras_serializable("mine")
    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    @saving.register_keras_serializable("mine")
    class Sparse(fastnn.regularizers.L1):
        pass

    x = Input((4,))
    dense = Dense(3, activation=bent, kernel_initializer=halves, kernel_regularizer=Sparse(0.25), name="dense")
    for model in (fastnn.Model(x, Scale(3.0)(dense(x))), fastnn.Sequential([Input((4,)), Scale(2.0), dense])):
        config = json.loads(json.dumps(model.get_config()))
        assert "Times" in [entry["class_name"] for entry in config["layers"]]
        again = type(model).from_config(config)
        assert bits(again(X)) == bits(model(X))  # halves
        assert again.get_layer("dense").kernel_regularizer.l1 == 0.25
    del _registered["Times"]
    with pytest.raises(ValueError, match="class_name: received 'Times'"):
        type(model).from_config(config)


def test_a_subclass_is_made_anew_from_its_own_configuration():
    class Net(fastnn.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units, self.dense = units, Dense(units)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {"units": self.units, "name": self.name}

    model = Net(3, name="net")
    for again in (Net.from_config(model.get_config()), models.clone_model(model)):
        assert again.units == 3 and again.name == "net" and again is not model


# The examples


@pytest.mark.parametrize(
    ("name", "good", "shows"),
    [
        ("two_branch", lambda found: found[0] < 0.1 * found[1], r"settings\[0\]\[0\]"),
        ("multi_head", lambda found: found[0] > 0.88 and found[1] < 0.5 * found[2], "Features of 397 images"),
        ("inception", lambda accuracy: accuracy > 0.88, "first_narrow"),
    ],
)
def test_examples_do_what_they_say(name, good, shows, capsys):
    if name != "two_branch":
        pytest.importorskip("sklearn")
    found = example(name).main()
    assert good(found), found
    assert re.search(shows, capsys.readouterr().out)
