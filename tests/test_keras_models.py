"""Keras says what models that are no chains do: the order of weights, predictions, losses, metrics, training."""

import os

import graphs
import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

import fastnn  # noqa: E402
from fastnn import tree  # noqa: E402

pytestmark = [  # of Keras' own making
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
]
SPARSE = graphs.SPARSE
EPSILON = 2.0**-24  # what one rounding of float32 adds, relatively

# Sums over at most 24 samples or 19 features, in up to five layers forward and backward: no value has more than some
# hundred roundings behind it in one step, and the errors of ten steps add up.
ONE_PASS = 100 * EPSILON
STEPS = 10
TRAINED = STEPS * ONE_PASS

OPTIMIZERS = {
    "momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda k: k.optimizers.RMSprop(0.01),
    "adam": lambda k: k.optimizers.Adam(0.01),
}


def pair(name):
    """The model of Keras and ours, with equal weights."""
    keras.utils.set_random_seed(3)
    theirs, ours = graphs.MODELS[name](keras), graphs.MODELS[name](fastnn)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def assert_close(ours, theirs, bound=ONE_PASS):
    """Arrays or numbers in equal structures, apart by no more than the bound times their norm."""
    ours, theirs = tree.flatten(ours), tree.flatten(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert a.shape == b.shape and np.linalg.norm(a - b) <= bound * np.linalg.norm(b)


@pytest.mark.parametrize("name", graphs.MODELS)
def test_layers_and_weights_have_keras_order_and_predictions_agree(name):
    theirs, ours = pair(name)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [v.shape for v in ours.weights] == [v.shape for v in theirs.weights]
    assert [v.path.split("/")[-2:] for v in ours.weights] == [v.path.split("/")[-2:] for v in theirs.weights]
    assert ours.count_params() == theirs.count_params()
    assert [t.shape for t in ours.inputs] == [t.shape for t in theirs.inputs]
    assert [t.shape for t in ours.outputs] == [t.shape for t in theirs.outputs]
    x = graphs.inputs(ours)
    expected, found = theirs.predict(x, verbose=0), ours.predict(x, verbose=0)
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert sorted(found) == sorted(expected)
    assert_close(found, expected)
    assert_close(ours(x, training=True), expected)


def random_graph(k, seed):
    """Layers on what others gave, some of them several times, one to three outputs."""
    rng = np.random.default_rng(seed)
    tensors = [k.Input((3,), name=f"x{i}") for i in range(rng.integers(1, 4))]
    inputs = list(tensors)
    shared = [k.layers.Dense(3, name=f"shared{i}") for i in range(2)]
    for i in range(rng.integers(3, 12)):
        kind = rng.integers(4)
        a, b = (tensors[j] for j in rng.integers(len(tensors), size=2))
        if kind == 0:
            tensors.append(shared[rng.integers(2)](a))
        elif kind == 1 and a is not b:
            tensors.append(k.layers.Add(name=f"add{i}")([a, b]))
        else:
            tensors.append(k.layers.Dense(3, name=f"dense{i}")(a))
    made = tensors[len(inputs) :]
    outputs = [made[j] for j in sorted(set(rng.integers(len(made), size=rng.integers(1, 4)).tolist()))]
    return k.Model(inputs, outputs)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_have_keras_order(seed):
    theirs, ours = random_graph(keras, seed), random_graph(fastnn, seed)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]


# How to compile, and how to pass the targets of `heads`: a class of three, and two numbers.
KIND, SIZE = graphs.targets("heads")
WEIGHTS = np.linspace(0.5, 2, 24).astype(np.float32)
COMPILED = {
    "lists": ({"loss": [SPARSE, "mse"]}, "list"),
    "targets by name": ({"loss": [SPARSE, "mse"]}, "dict"),
    "losses by name": ({"loss": {"size": "mse", "kind": SPARSE}}, "dict"),
    "one loss for all": ({"loss": "mse"}, "one-hot"),
    "weights of losses": ({"loss": [SPARSE, "mse"], "loss_weights": [2, 0.25]}, "list"),
    "weights by name": (
        {"loss": {"kind": SPARSE, "size": "mse"}, "loss_weights": {"size": 0.25, "kind": 3.0}},
        "dict",
    ),
    "metrics": ({"loss": [SPARSE, "mse"], "metrics": [["accuracy"], ["mae", "mse"]]}, "list"),
    "flat metrics": ({"loss": [SPARSE, "mse"], "metrics": ["accuracy", "mae"]}, "list"),
    "metrics of one output": ({"loss": [SPARSE, "mse"], "metrics": {"size": "mae"}}, "list"),
    "both kinds of metrics": (
        {
            "loss": {"kind": SPARSE, "size": "mse"},
            "metrics": {"size": ["mse"], "kind": ["accuracy"]},
            "weighted_metrics": {"size": ["mae"], "kind": [SPARSE]},
        },
        "list",
    ),
    "an output without loss": ({"loss": [SPARSE, None]}, "list"),
    "an output with a metric alone": ({"loss": [SPARSE, None], "metrics": [None, "mae"]}, "list"),
}


def heads_targets(form):
    y = {"kind": KIND, "size": SIZE}
    if form == "one-hot":
        return [np.eye(3, dtype=np.float32)[KIND], SIZE]
    return y if form == "dict" else list(y.values())


@pytest.mark.parametrize("case", COMPILED)
def test_names_order_and_values_of_losses_and_metrics(case):
    arguments, form = COMPILED[case]
    theirs, ours = pair("heads")
    x, y = graphs.inputs(ours), heads_targets(form)
    weights = [WEIGHTS, 2 * WEIGHTS] if form != "dict" else None  # which Keras does not take apart by name here
    for sample_weight in (None, weights):
        found = []
        for k, model in ((keras, theirs), (fastnn, ours)):
            model.compile(k.optimizers.SGD(0.01), **arguments)
            given = {"batch_size": 7, "verbose": 0, "sample_weight": sample_weight}
            logs = model.evaluate(x, y, return_dict=True, **given)
            history = model.fit(x, y, shuffle=False, validation_data=(x, y), **given).history
            found.append((model.evaluate(x, y, **given), logs, history))
        (their_list, their_logs, their_history), (our_list, our_logs, our_history) = found
        assert list(our_logs) == list(their_logs) and list(our_history) == list(their_history)
        assert_close(our_logs, their_logs)
        assert_close(our_list, their_list, 3 * ONE_PASS)  # after some steps
        assert_close(our_history, their_history, 3 * ONE_PASS)
        ours.set_weights(theirs.get_weights())


def test_weights_of_samples_by_the_names_of_outputs():
    theirs, ours = pair("dictionaries")
    x, y = graphs.inputs(ours), graphs.targets("dictionaries")
    weights = {"kind": WEIGHTS, "size": WEIGHTS**2}
    logs = []
    for k, model in ((keras, theirs), (fastnn, ours)):
        model.compile(k.optimizers.SGD(0.1), graphs.LOSSES["dictionaries"], weighted_metrics={"size": "mae"})
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0, sample_weight=weights)
        logs.append(model.evaluate(x, y, verbose=0, return_dict=True, sample_weight=weights))
    assert list(logs[1]) == list(logs[0])
    assert_close(logs[1], logs[0], 3 * ONE_PASS)
    assert_close(ours.get_weights(), theirs.get_weights(), TRAINED)


def test_class_weights_of_a_model_with_two_inputs():
    theirs, ours = pair("two_branches")
    x, y = graphs.inputs(ours), graphs.targets("two_branches")
    for k, model in ((keras, theirs), (fastnn, ours)):
        model.compile(k.optimizers.SGD(0.1), SPARSE)
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0, class_weight={0: 0.5, 1: 2.0, 2: 1.0})
    assert_close(ours.get_weights(), theirs.get_weights(), TRAINED)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", graphs.MODELS)
def test_ten_steps_of_training(name, optimizer):
    theirs, ours = pair(name)
    x, y = graphs.inputs(ours), graphs.targets(name)
    before = ours.get_weights()
    for k, model in ((keras, theirs), (fastnn, ours)):
        model.compile(OPTIMIZERS[optimizer](k), graphs.LOSSES[name])
        model.fit(x, y, batch_size=12, epochs=STEPS // 2, shuffle=False, verbose=0)
    assert ours.optimizer.iterations == STEPS
    assert_close(ours.get_weights(), theirs.get_weights(), TRAINED)
    for a, b in zip(ours.get_weights(), before, strict=True):
        moved = np.linalg.norm(a - b)
        assert moved > 20 * TRAINED * np.linalg.norm(a) or a.size == 0


@pytest.mark.parametrize("line_length", [80, 101, 140])
@pytest.mark.parametrize("name", [name for name in graphs.MODELS if name != "operators"])  # named as ours are
def test_summaries_are_those_of_keras(name, line_length, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # else rich cuts what is wider than the terminal
    options = [{}, {"expand_nested": True}]
    options += [{"show_trainable": True}, {"expand_nested": True, "show_trainable": True}] if line_length > 120 else []
    for arguments in options:
        texts = []
        for model in pair(name):
            model.layers[2].trainable = False
            model.summary(line_length=line_length, print_fn=texts.append, **arguments)
        assert texts[1].splitlines() == texts[0].rstrip("\n").splitlines()
