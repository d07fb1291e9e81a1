"""Constraints on arrays, in training against plain NumPy, and what `get` understands."""

import json

import numpy as np
import plain_trainer
import pytest

import fastnn
from fastnn import config, constraints, layers, models, ops, optimizers, regularizers
from fastnn.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm

RNG = np.random.default_rng(11)
W = RNG.standard_normal((6, 5)) * np.array([0.0, 0.1, 0.5, 1.0, 3.0])  # norms from 0 to above every limit


def scaled(w, axis, desired):
    """Each vector along `axis`, number by number, with another norm; Keras adds 1e-7 to the divisor."""
    result = np.empty_like(w)
    for j in range(w.shape[1 - axis]):
        where = (slice(None), j) if axis == 0 else (j, slice(None))
        norm = sum(float(x) ** 2 for x in w[where]) ** 0.5
        result[where] = [x * desired(norm) / (1e-7 + norm) for x in w[where]]
    return result


REFERENCES = {
    "max": (MaxNorm(0.8), lambda w: scaled(w, 0, lambda n: min(n, 0.8))),
    "max-rows": (MaxNorm(1.5, axis=1), lambda w: scaled(w, 1, lambda n: min(n, 1.5))),
    "max-0": (MaxNorm(0), lambda w: 0 * w),
    "min-max": (MinMaxNorm(0.3, 0.9), lambda w: scaled(w, 0, lambda n: min(max(n, 0.3), 0.9))),
    "min-max-part": (
        MinMaxNorm(0.3, 0.9, rate=0.25, axis=1),
        lambda w: scaled(w, 1, lambda n: 0.25 * min(max(n, 0.3), 0.9) + 0.75 * n),
    ),
    "min-max-none": (MinMaxNorm(rate=0), lambda w: scaled(w, 0, lambda n: n)),
    "non-neg": (NonNeg(), lambda w: np.where(w > 0, w, 0)),
    "unit": (UnitNorm(), lambda w: scaled(w, 0, lambda n: 1)),
    "unit-rows": (UnitNorm(axis=-1), lambda w: scaled(w, 1, lambda n: 1)),
    "nothing": (Constraint(), lambda w: w),
}


@pytest.mark.parametrize(("constraint", "reference"), REFERENCES.values(), ids=REFERENCES)
def test_values(constraint, reference):
    np.testing.assert_allclose(constraint(W), reference(W), rtol=1e-14, atol=0)
    single = constraint(W.astype(np.float32))
    assert single.dtype == np.float32
    # sum of squares, root, clip, sums, product, quotient: below some ten roundings of 2^-24
    np.testing.assert_allclose(single, reference(W), rtol=1e-6, atol=0)


def test_norms_along_several_axes():
    w = RNG.standard_normal((2, 3, 4, 5))
    norms = np.sqrt((UnitNorm(axis=[0, 1, 2])(w) ** 2).sum((0, 1, 2)))
    np.testing.assert_allclose(norms, np.ones(5), rtol=1e-6)


CONFIGS = {
    "MaxNorm": {"max_value": 3.0, "axis": [0, 1]},
    "MinMaxNorm": {"min_value": 0.5, "max_value": 2.0, "rate": 0.7, "axis": 1},
    "NonNeg": {},
    "UnitNorm": {"axis": 1},
    "Constraint": {},
}


@pytest.mark.parametrize(("name", "arguments"), CONFIGS.items())
def test_names_and_configurations(name, arguments):
    made = getattr(constraints, name)(**arguments)
    assert made.get_config() == arguments
    described = json.loads(json.dumps(constraints.serialize(made)))
    assert described == {"class_name": name, "config": arguments}
    for again in (constraints.deserialize(described), constraints.get(described)):
        assert type(again) is type(made) and again.get_config() == arguments
    snake = {"MaxNorm": "max_norm", "MinMaxNorm": "min_max_norm", "NonNeg": "non_neg", "UnitNorm": "unit_norm"}
    assert type(constraints.get(name)) is type(made)
    if name in snake:
        assert type(constraints.get(snake[name])) is type(made) and getattr(constraints, snake[name]) is type(made)
    assert type(constraints.get(type(made))) is type(made)


def test_defaults_are_those_of_keras():
    assert MaxNorm().get_config() == {"max_value": 2.0, "axis": 0}
    assert MinMaxNorm().get_config() == {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}
    assert UnitNorm().get_config() == {"axis": 0}


def test_get_passes_instances_and_functions_through():
    limit, own = MaxNorm(0.5), lambda w: w
    assert constraints.get(limit) is limit and constraints.get(own) is own and constraints.get(None) is None
    with pytest.raises(ValueError, match=r"^constraint: received 'maxnorm'; .*; to fix it, use 'max_norm'"):
        constraints.get("maxnorm")


# ---- training ------------------------------------------------------------------------------------------

X = RNG.standard_normal((48, 7)).astype(np.float32)
LABELS = RNG.integers(0, 3, 48)


def network(*kernels, biases=(None, None), hidden=9):
    """7-hidden-3 with constraints."""
    fastnn.set_random_seed(2)
    given = [
        dict(zip(("kernel_constraint", "bias_constraint"), pair, strict=True))
        for pair in zip(kernels, biases, strict=True)
    ]
    return fastnn.Sequential(
        [
            layers.Dense(hidden, "tanh", input_shape=(7,), bias_initializer="random_uniform", **given[0]),
            layers.Dense(3, "softmax", bias_initializer="random_uniform", **given[1]),
        ]
    )


OPTIMIZERS = {
    "sgd": (lambda: optimizers.SGD(0.05, momentum=0.9), plain_trainer.sgd),
    "rmsprop": (lambda: optimizers.RMSprop(), plain_trainer.rmsprop),
    "adam": (lambda: optimizers.Adam(), plain_trainer.adam),
}
PAIRS = {  # of the kernels, and of the biases
    "max-norm": ((MaxNorm(0.5), "max_norm"), (MaxNorm(0.1), None)),
    "min-max": ((MinMaxNorm(0.2, 0.5, 0.5), MinMaxNorm(1.0, 2.0, axis=1)), (None, None)),
    "non-neg": (("non_neg", NonNeg()), ("NonNeg", "non_neg")),
    "unit": ((UnitNorm(1), "unit_norm"), (None, UnitNorm())),
    "nothing": ((Constraint(), lambda w: w), (None, None)),
    "function": ((lambda w: ops.clip(w, -0.1, 0.1), lambda w: w - ops.mean(w, axis=0, keepdims=True)), (ops.abs, None)),
}


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("pair", PAIRS)
def test_training_against_plain_numpy(pair, optimizer, floatx):
    made, update = OPTIMIZERS[optimizer]
    kernels, biases = PAIRS[pair]
    # a bias or a kernel of two weights each, in the order of the weights
    functions = [constraints.get(c) for both in zip(kernels, biases, strict=True) for c in both]
    before = config.floatx()
    config.set_floatx(floatx)
    try:
        model = network(*kernels, biases=biases)
        model.compile(made(), "sparse_categorical_crossentropy")
        weights = [w.astype(np.float64) for w in model.get_weights()]
        model.fit(X, LABELS, batch_size=16, epochs=4, shuffle=False, verbose=0)
    finally:
        config.set_floatx(before)
    slots = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for step in range(12):
        batch = slice(step % 3 * 16, step % 3 * 16 + 16)
        _, gradients = plain_trainer.loss_and_gradients(weights, X[batch].astype(np.float64), LABELS[batch], "tanh")
        for i, (g, (m, v)) in enumerate(zip(gradients, slots, strict=True)):
            update(weights[i], g, m, v, step + 1)
            weights[i] = weights[i] if functions[i] is None else functions[i](weights[i])
    # 12 steps in float32: a few hundred roundings of 2^-24; RMSprop and Adam divide by small gradients
    close = {"rtol": 1e-4, "atol": 2e-5} if floatx == "float32" else {"rtol": 1e-9, "atol": 1e-10}
    for found, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(found, expected, **close)


def test_constrained_weights_keep_within_their_limits():
    model = network(MaxNorm(0.5), NonNeg(), biases=(UnitNorm(), None))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, epochs=3, verbose=0)
    kernel, bias, last, free = model.get_weights()
    assert np.linalg.norm(kernel, axis=0).max() < 0.5 + 1e-6
    assert np.linalg.norm(bias) == pytest.approx(1, rel=1e-6)
    assert last.min() >= 0 > free.min()


@pytest.mark.parametrize("mode", ["fit", "stepwise"])
def test_the_same_bits_for_any_number_of_threads(mode, monkeypatch):
    if mode == "stepwise":
        monkeypatch.setenv("FASTNN_DEBUG", "3")
    results = []
    for n in (1, 2, 3):
        with fastnn.threads(n):
            model = network(MaxNorm(0.5), lambda w: 0.5 * (w + w[::-1]), biases=(UnitNorm(), NonNeg()), hidden=300)
            model.compile("adam", "sparse_categorical_crossentropy")
            model.fit(X, LABELS, epochs=2, verbose=0, batch_size=16)
            results.append([w.tobytes() for w in model.get_weights()])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("n", [3, 40, 200])
def test_a_constraint_may_read_other_elements(n):
    """Each element with its mirror image: what is written is not read again."""
    fastnn.set_random_seed(1)
    mirrored = [lambda w: 0.5 * (w + ops.transpose(w)), lambda w: ops.transpose(w), lambda w: w[::-1] + 0.0 * w]
    references = [lambda w: 0.5 * (w + w.T), lambda w: w.T, lambda w: w[::-1]]
    x = RNG.standard_normal((8, n)).astype(np.float32)
    for constraint, reference in zip(mirrored, references, strict=True):
        model = fastnn.Sequential([layers.Dense(n, use_bias=False, input_shape=(n,), kernel_constraint=constraint)])
        model.compile(optimizers.SGD(0.0), "mse")
        (w,) = model.get_weights()
        model.fit(x, x, verbose=0)
        np.testing.assert_array_equal(model.get_weights()[0], reference(w))


def test_apply_gradients():
    made = fastnn.Variable([3.0, -4.0], constraint=MaxNorm(1.0))
    optimizer = optimizers.SGD(1.0)
    optimizer.apply_gradients([([0.0, 0.0], made)])
    np.testing.assert_allclose(made.numpy(), [0.6, -0.8], rtol=1e-6)
    optimizer.apply_gradients([([0.6, -1.8], made)])  # to (0, 1)
    np.testing.assert_allclose(made.numpy(), [0, 1], atol=1e-6)
    assert made.constraint.max_value == 1


def test_apply_gradients_does_what_fit_does():
    model = network(MinMaxNorm(0.2, 0.5, 0.5), UnitNorm(), biases=(NonNeg(), NonNeg()))
    twin = models.clone_model(model)
    twin.set_weights(model.get_weights())
    for one in (model, twin):
        one.compile(optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    loss = fastnn.losses.SparseCategoricalCrossentropy()
    step = fastnn.value_and_grad(lambda x, y: loss(y, twin(x)), twin.trainable_variables)
    for _ in range(5):
        model.train_on_batch(X, LABELS)
        _, gradients = step(X, LABELS.astype(np.int32))
        twin.optimizer.apply_gradients(list(zip(gradients, twin.trainable_variables, strict=True)))
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_only_weights_that_learn_are_constrained():
    """Not before the first step, not by assignment, not while they are frozen."""
    model = network(UnitNorm(), UnitNorm())
    before = model.get_weights()
    assert abs(np.linalg.norm(before[0], axis=0) - 1).max() > 1e-3
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_allclose(np.linalg.norm(after[2], axis=0), 1, rtol=1e-5)
    model.set_weights(before)
    np.testing.assert_array_equal(model.get_weights()[2], before[2])


def test_a_constraint_may_be_set_later():
    model = network(None, None)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, verbose=0)
    kernel = model.layers[0].kernel
    assert kernel.numpy().min() < 0
    kernel.constraint = NonNeg()
    model.fit(X, LABELS, verbose=0)
    assert kernel.numpy().min() == 0
    kernel.constraint = None
    model.fit(X, LABELS, epochs=3, verbose=0)
    assert kernel.numpy().min() < 0


def test_a_step_that_is_not_finite_leaves_weights_as_they_are():
    model = network(UnitNorm(), UnitNorm())
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    with pytest.raises(fastnn.NonFiniteError):
        model.fit(np.full_like(X, np.nan), LABELS, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


# ---- layers --------------------------------------------------------------------------------------------

LAYERS = {
    "dense": (lambda c: layers.Dense(3, kernel_constraint=c, bias_constraint=c), ["kernel", "bias"]),
    "maxout": (lambda c: layers.Maxout(3, kernel_constraint=c, bias_constraint=c), ["kernel", "bias"]),
    "rbf": (lambda c: layers.RBF(3, centres_constraint=c, widths_constraint=c), ["centres", "widths"]),
    "prelu": (lambda c: layers.PReLU(alpha_constraint=c), ["alpha"]),
    "batch": (lambda c: layers.BatchNormalization(beta_constraint=c, gamma_constraint=c), ["beta", "gamma"]),
    "layer": (lambda c: layers.LayerNormalization(beta_constraint=c, gamma_constraint=c), ["beta", "gamma"]),
}


@pytest.mark.parametrize(("make", "names"), LAYERS.values(), ids=LAYERS)
def test_every_layer_with_constraints(make, names):
    """They are in the configuration, and hold after training; other weights are free."""
    layer = make("non_neg")
    model = fastnn.Sequential([fastnn.Input((4,)), layer])
    assert {v.name for v in layer.variables if type(v.constraint) is NonNeg} == set(names)
    described = layer.get_config()
    twin = type(layer).from_config(described)
    twin.build((None, 4))
    assert {v.name for v in twin.variables if type(v.constraint) is NonNeg} == set(names)
    assert {v.constraint for v in make(None).variables} <= {None}
    for v in layer.trainable_variables:
        v.assign(RNG.standard_normal(v.shape) - 1)
    model.compile(optimizers.SGD(0.01), "mse")
    x = RNG.standard_normal((8, 4))
    model.fit(x, np.zeros((8, model.output_shape[1])), verbose=0)
    assert all(v.numpy().min() >= 0 for v in layer.trainable_variables)


def test_a_layer_of_ones_own():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(
                (input_shape[-1],), "ones", constraint="unit_norm", regularizer=regularizers.L2(0.1), name="scale"
            )

        def call(self, x):
            return x * self.scale

    model = fastnn.Sequential([fastnn.Input((4,)), Scale()])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.arange(32.0).reshape(8, 4), verbose=0)
    assert np.linalg.norm(model.get_weights()[0]) == pytest.approx(1, rel=1e-6)


def test_a_constraint_of_ones_own():
    class Below(Constraint):
        def __init__(self, most):
            self.most = most

        def __call__(self, w):
            return ops.minimum(w, self.most)

        def get_config(self):
            return {"most": self.most}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fastnn.registry, "_registered", {"Below": Below})
        layer = layers.Dense(2, kernel_constraint=Below(0.25), input_shape=(3,))
        model = models.clone_model(fastnn.Sequential([layer]))
        assert layers.Dense.from_config(json.loads(json.dumps(layer.get_config()))).kernel_constraint.most == 0.25
    model.compile(optimizers.SGD(1.0), "mse")
    model.fit(np.ones((4, 3)), np.full((4, 2), 9.0), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], np.full((3, 2), np.float32(0.25)))


def test_constraints_with_running_means():
    """As in Keras the means are those of the weights before they are constrained."""
    made = fastnn.Variable([3.0, 4.0], constraint=UnitNorm())
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.apply_gradients([([0.0, 0.0], made)])
    np.testing.assert_allclose(made.numpy(), [0.6, 0.8], rtol=1e-6)
    optimizer.finalize_variable_values([made])
    np.testing.assert_array_equal(made.numpy(), [3, 4])
