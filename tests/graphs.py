"""Models that are no chains, each written once for any module with Keras' names, and data for them."""

import numpy as np

import fastnn
from fastnn.ops.philox import random_bits


def two_branches(k):
    a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
    left = k.layers.Dense(5, activation="tanh", name="left")(a)
    right = k.layers.Dense(5, activation="relu", name="right_2")(k.layers.Dense(6, activation="relu", name="right")(b))
    joined = k.layers.Concatenate(name="joined")([left, right])
    return k.Model([a, b], k.layers.Dense(3, activation="softmax", name="out")(joined), name="two_branches")


def heads(k):
    x = k.Input((4,), name="x")
    hidden = k.layers.Dense(7, activation="tanh", name="hidden")(x)
    kind = k.layers.Dense(3, activation="softmax", name="kind")(hidden)
    size = k.layers.Dense(2, name="size")(k.layers.Dense(4, activation="relu", name="before")(hidden))
    return k.Model(x, [kind, size], name="heads")


def inception(k):
    x = k.Input((6,), name="x")
    narrow = k.layers.Dense(4, activation="relu", name="narrow")(x)
    deep = k.layers.Dense(5, activation="relu", name="deep_2")(k.layers.Dense(3, activation="relu", name="deep")(x))
    deeper = x
    for i in range(3):
        deeper = k.layers.Dense(3, activation="tanh", name=f"deeper_{i}")(deeper)
    joined = k.layers.Concatenate(name="joined")([narrow, deep, deeper, x])
    return k.Model(x, k.layers.Dense(3, activation="softmax", name="out")(joined), name="inception")


def residual(k):
    x = state = k.Input((4,), name="x")
    for i in range(2):
        inner = k.layers.Dense(4, activation="tanh", name=f"inner_{i}")(state)
        state = k.layers.Add(name=f"sum_{i}")([state, inner])
    return k.Model(x, k.layers.Dense(2, name="out")(state), name="residual")


def siamese(k):
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    twin = k.layers.Dense(3, activation="tanh", name="twin")
    difference = k.layers.Subtract(name="difference")([twin(a), twin(b)])
    return k.Model([a, b], k.layers.Dense(1, activation="sigmoid", name="out")(difference), name="siamese")


def nested(k):
    encoder = k.Sequential(
        [k.Input((4,)), k.layers.Dense(5, activation="tanh", name="e1"), k.layers.Dense(3, name="e2")], name="encoder"
    )
    y = k.Input((3,), name="y")
    inner = k.Model(y, [k.layers.Dense(2, name="i1")(y), k.layers.Dense(2, name="i2")(y)], name="inner")
    x = k.Input((4,), name="x")
    one, two = inner(encoder(x))
    return k.Model(x, k.layers.Multiply(name="product")([one, two]), name="nested")


def dictionaries(k):
    a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
    joined = k.layers.Concatenate(name="joined")([b, a])
    outputs = {
        "size": k.layers.Dense(2, name="size")(joined),
        "kind": k.layers.Dense(3, activation="softmax", name="kind")(a),
    }
    return k.Model({"a": a, "b": b}, outputs, name="dictionaries")


def operators(k):
    x = k.Input((4,), name="x")
    hidden = k.layers.Dense(4, activation="tanh", name="hidden")(x)
    gated = (hidden * x + 1.0) / 2.0 - x[:, :1]
    return k.Model(x, k.layers.Dense(2, name="out")(k.ops.tanh(2.0 - gated)), name="operators")


def shared(k):
    """One layer at two depths, and two outputs of which one lies before the other."""
    x = k.Input((4,), name="x")
    again = k.layers.Dense(4, activation="tanh", name="again")
    once = again(x)
    twice = again(k.layers.Dense(4, activation="relu", name="between")(once))
    early = k.layers.Dense(3, activation="softmax", name="early")(twice)
    merged = k.layers.Average(name="merged")([once, twice])
    late = k.layers.Dense(2, name="late")(k.layers.Dense(5, activation="relu", name="after")(merged))
    return k.Model(x, [early, late], name="shared")


MODELS = {
    make.__name__: make
    for make in (two_branches, heads, inception, residual, siamese, nested, dictionaries, operators, shared)
}


def numbers(samples, *shape, stream):
    """Multiples of 1/16 around 0, equal anywhere and exact in float32."""
    bits = random_bits(samples, int(np.prod(shape)), seed=2, stream=stream, iteration=0) >> np.uint32(26)
    return ((bits.astype(np.float64) - 32) / 16).astype(np.float32).reshape(samples, *shape)


def inputs(model, samples=24):
    """Data in the structure in which the model takes them."""
    shapes = model.input_shape
    if isinstance(shapes, dict):
        return {name: numbers(samples, *shape[1:], stream=i) for i, (name, shape) in enumerate(sorted(shapes.items()))}
    if isinstance(shapes, list):
        return [numbers(samples, *shape[1:], stream=i) for i, shape in enumerate(shapes)]
    return numbers(samples, *shapes[1:], stream=0)


def weights(model):
    """Weights of a model, also biases, that are not zero."""
    return [(numbers(1, *v.shape, stream=50 + i)[0] + 1 / 64) / 2 for i, v in enumerate(model.weights)]


SPARSE = "sparse_categorical_crossentropy"
LOSSES = {
    "two_branches": SPARSE,
    "heads": [SPARSE, "mse"],
    "inception": SPARSE,
    "residual": "mse",
    "siamese": "binary_crossentropy",
    "nested": "mae",
    "dictionaries": {"size": "mse", "kind": SPARSE},
    "operators": "mse",
    "shared": [SPARSE, "mae"],
}
WIDTHS = {"siamese": 1}  # of the targets that are numbers, else 2


def targets(name, samples=24):
    """Targets for a model's losses: labels, or numbers."""
    stream = iter(range(100, 200))

    def target(loss):
        if loss == SPARSE:
            return 5 * np.arange(samples) % 3
        values = numbers(samples, WIDTHS.get(name, 2), stream=next(stream))
        return (values > 0).astype(np.float32) if loss == "binary_crossentropy" else values

    return fastnn.tree.map_structure(target, LOSSES[name])
