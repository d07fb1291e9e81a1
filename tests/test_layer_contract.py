"""What every layer promises: shapes, types, configurations, and the same bits however it is run."""

import warnings

import numpy as np
import pytest
from layer_table import CASES
from nets import THREADS, force, spy_on_calls

import fastnn
from fastnn import layers
from fastnn.execute import available_isas

SAMPLES = 37
NO_LAYERS = {"Layer"}  # the base class


def inputs(case, dtype=np.float32):
    """What the layer is called on."""
    return case.draw(SAMPLES, dtype=dtype)


def model_of(case, layer=None):
    """The layer as a model with some loss."""
    fastnn.set_random_seed(3)
    layer = case.make() if layer is None else layer
    if isinstance(case.shape, list):
        tensors = case.each(layers.Input)
        model = fastnn.Model(tensors, layer(tensors))
    else:
        model = fastnn.Sequential([layer])
        model.build(case.batch_shape)
    model.compile(fastnn.optimizers.SGD(0.1), "mse")
    return model


def trained(case):
    """Weights and loss after an epoch of batches, of which the last is short."""
    model, x = model_of(case), inputs(case)
    y = np.random.default_rng(5).standard_normal((SAMPLES, *model.output_shape[1:]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "model .* has no trainable weights")
        losses = model.fit(x, y, batch_size=16, verbose=0).history["loss"]
    return [w.tobytes() for w in model.get_weights()], losses, model.predict(x).tobytes()


every_layer = pytest.mark.parametrize("case", [c for c in CASES if c.name != "InputLayer"], ids=str)


def test_every_public_layer_has_a_row():
    """The one place that a new layer has to be entered; see `layer_table`."""
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert {case.name for case in CASES} == public - NO_LAYERS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shape_type_and_weights(case):
    layer, x = case.make(), inputs(case)
    y = layer(x)
    assert y.shape == (SAMPLES, *layer.compute_output_shape(case.batch_shape)[1:])
    assert layer.output_shape == (None, *y.shape[1:]) and layer.input_shape == case.batch_shape
    assert y.dtype == np.float32
    assert (len(layer.trainable_variables), len(layer.non_trainable_variables)) == case.weights
    assert all(v.path == f"{layer.name}/{v.name}" for v in layer.variables)
    layer.trainable = False
    assert not layer.trainable_variables


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_equal_layer_from_the_configuration(case):
    layer, x = case.make(), inputs(case)
    y, config = layer(x), layer.get_config()
    again = type(layer).from_config(config)
    again.ensure_built(case.batch_shape)
    again.set_weights(layer.get_weights())
    assert again(x).tobytes() == y.tobytes()
    assert type(again) is type(layer) and again.get_config() == config and again.name == layer.name


@every_layer
def test_an_equal_model_from_the_configuration(case):
    model = model_of(case)
    again = type(model).from_config(model.get_config())
    again.build(case.batch_shape)
    again.set_weights(model.get_weights())
    assert again.predict(inputs(case)).tobytes() == model.predict(inputs(case)).tobytes()


@every_layer
def test_a_training_step_changes_the_trainable_weights_only(case):
    model, x = model_of(case), inputs(case)
    before = {v.path: v.numpy() for v in model.variables}
    y = np.random.default_rng(5).standard_normal((SAMPLES, *model.output_shape[1:]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "model .* has no trainable weights")
        assert np.isfinite(model.train_on_batch(x, y))
    for v in model.trainable_variables:
        assert (v.numpy() != before[v.path]).any(), v.path


@every_layer
def test_a_row_has_the_same_bits_alone_and_in_any_batch(case):
    model, x = model_of(case), inputs(case)
    wanted = model.predict(x, batch_size=SAMPLES)
    assert model.predict(x, batch_size=5).tobytes() == wanted.tobytes()
    assert np.concatenate([model(row) for row in case.rows(x)]).tobytes() == wanted.tobytes()


@every_layer
def test_on_arrays_it_computes_what_it_computes_in_a_model(case):
    model = model_of(case)
    y, x = model.predict(inputs(case)), inputs(case, np.float64)
    exact = model.layers[-1](x)  # the references in float64
    assert np.abs(y - exact).max() <= 1e-5 * max(1, np.abs(exact).max())


@every_layer
def test_every_step_agrees_with_its_reference(case, monkeypatch):
    """Step by step, each within its tolerance (tests/test_debug.py), and to the bit what the fast plan gives."""
    fast = trained(case)
    monkeypatch.setenv("FASTNN_DEBUG", "3")
    assert trained(case) == fast


@every_layer
def test_bits_depend_on_neither_threads_nor_instruction_set(case, monkeypatch):
    wanted, calls = trained(case), spy_on_calls(monkeypatch)
    ways = [(isa, n) for isa in available_isas() for n in THREADS if isa == available_isas()[0] or n == THREADS[-1]]
    for isa, threads in ways:
        force(monkeypatch, isa, threads)
        assert trained(case) == wanted, (isa, threads)
    assert {(call.isa, call.team) for call in calls} == {*ways}
