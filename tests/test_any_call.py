"""Whatever is passed to the public API: a result, or an error of four parts that has changed nothing.

Each example is a valid call of which one or two arguments are replaced, see `anything`.
"""

import contextlib
import copy
import inspect
import io
import resource
import sys
import time
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from anything import ANYTHING, near
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_wrong_calls import HOT, MODELS, PARTS, WEIGHTS, Count, X, Y, state, train

import fastnn
from fastnn import (
    activations,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    regularizers,
    schedules,
)
from fastnn.errors import is_one_of
from fastnn.layers import base
from fastnn.ops.table import Op

SECONDS = 30  # a call that takes longer hangs
MEMORY = 2**32  # bytes that a call may take: what is absurdly large is refused before it is allocated

# ---- the public API ------------------------------------------------------------------------------------

Z = np.linspace(-2, 2, 36, dtype=np.float32).reshape(12, 3)
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
PAIR, LABELLED = {"y_true": HOT, "y_pred": P}, {"y_true": Y.astype(np.int32), "y_pred": P}
CURVES = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5], "accuracy": [0.1, 0.2, 0.3]}


def negated(x):
    return -x


# Valid arguments of every public function and class. Those that have a default are left out.
INPUT = fastnn.Input((4,), name="input")
MERGING = ["Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"]

GOLDEN = str(Path(__file__).parent / "golden" / "version-1.safetensors")

FUNCTIONS = {
    "Input": {"shape": (4,)},
    "Model": {"inputs": INPUT, "outputs": layers.Dense(2, name="output")(INPUT)},
    "Sequential": {"layers": [layers.Dense(3, input_shape=(4,), name="only")]},
    "Variable": {"value": X},
    "current_isa": {},
    "get_num_threads": {},
    "set_num_threads": {"n": 1},
    "set_random_seed": {"seed": 1},
    "show_config": {},
    "value_and_grad": {"function": negated, "wrt": [0]},
    "config.floatx": {},
    "config.on_nonfinite": {},
    "config.set_floatx": {"value": "float32"},
    "config.set_on_nonfinite": {"value": "skip"},
    **{f"activations.{name}": {"x": X} for name in (*activations.FUNCTIONS, *activations.ALIASES)},
    "activations.threshold": {"x": X, "threshold": 0.5, "default_value": -1.0},
    "activations.deserialize": {"config": "relu"},
    "activations.get": {"identifier": "relu"},
    "activations.serialize": {"activation": activations.relu},
    "callbacks.BackupAndRestore": {"backup_dir": "backup"},
    "callbacks.CSVLogger": {"filename": "log.csv"},
    "callbacks.ModelCheckpoint": {"filepath": "model.safetensors", "monitor": "loss"},
    "callbacks.SwapEMAWeights": {},
    "callbacks.TerminateOnNaN": {},
    "callbacks.Callback": {},
    "callbacks.CallbackList": {},
    "callbacks.EarlyStopping": {"monitor": "loss"},
    "callbacks.History": {},
    "callbacks.LambdaCallback": {},
    "callbacks.LearningRateScheduler": {"schedule": lambda epoch: 0.1},
    "callbacks.ProgbarLogger": {},
    "callbacks.ReduceLROnPlateau": {"monitor": "loss"},
    **{f"constraints.{made.__name__}": {} for made in constraints.NAMES.values()},
    "constraints.deserialize": {"config": "max_norm", "custom_objects": {}},
    "constraints.get": {"identifier": "max_norm"},
    "constraints.serialize": {"constraint": constraints.MaxNorm()},
    "datasets.concrete.load_data": {},
    "ensembles.Bagging": {"make": MODELS["model"], "members": 2, "max_samples": 0.5},
    "ensembles.Ensemble": {"make": MODELS["model"], "members": 2, "seed": 1},
    **{f"initializers.{name}": {} for name in initializers.NAMES if hasattr(initializers, name)},
    "initializers.Initializer": {},
    "initializers.compute_fans": {"shape": (3, 2), "input_axes": [0], "output_axes": [1]},
    "initializers.deserialize": {"config": "zeros", "custom_objects": {}},
    "initializers.get": {"identifier": "zeros"},
    "initializers.serialize": {"initializer": initializers.Zeros()},
    **{f"layers.{name}": {} for name in MERGING},
    **{f"layers.{name.lower()}": {"inputs": [X, X]} for name in MERGING},
    "layers.Activation": {"activation": "relu"},
    "layers.ActivityRegularization": {"l1": 0.1, "l2": 0.1},
    "layers.AlphaDropout": {"rate": 0.5},
    "layers.BatchNormalization": {},
    "layers.Dense": {"units": 3},
    "layers.Dot": {"axes": 1},
    "layers.Dropout": {"rate": 0.5},
    "layers.ELU": {},
    "layers.Flatten": {},
    "layers.GaussianDropout": {"rate": 0.5},
    "layers.GaussianNoise": {"stddev": 0.5},
    "layers.Input": {"shape": (4,)},
    "layers.InputLayer": {"shape": (4,)},
    "layers.Lambda": {"function": negated, "arguments": {}},
    "layers.Layer": {},
    "layers.LeakyReLU": {},
    "layers.Maxout": {"units": 3, "k": 2},
    "layers.PReLU": {"shared_axes": [1]},
    "layers.Permute": {"dims": (1,)},
    "layers.RBF": {"units": 3},
    "layers.ReLU": {"max_value": 1.0},
    "layers.RepeatVector": {"n": 2},
    "layers.LayerNormalization": {},
    "layers.Normalization": {},
    "layers.Rescaling": {"scale": 0.5},
    "layers.Reshape": {"target_shape": (2, 2)},
    "layers.dot": {"inputs": [X, X], "axes": 1},
    "layers.Softmax": {"axis": -1},
    "losses.BinaryCrossentropy": {},
    "losses.BinaryFocalCrossentropy": {"alpha": 0.5, "gamma": 1.0},
    "losses.CategoricalCrossentropy": {},
    "losses.CategoricalFocalCrossentropy": {"alpha": 0.5, "gamma": 1.0},
    "losses.CategoricalGeneralizedCrossEntropy": {"q": 0.25},
    "losses.CategoricalHinge": {},
    "losses.CosineSimilarity": {},
    "losses.Dice": {"axis": 1},
    "losses.GaussianNLL": {},
    "losses.Hinge": {},
    "losses.Huber": {"delta": 0.5},
    "losses.KLDivergence": {},
    "losses.LogCosh": {},
    "losses.Loss": {},
    "losses.LossFunction": {"function": losses.mean_squared_error},
    "losses.MeanAbsoluteError": {},
    "losses.MeanAbsolutePercentageError": {},
    "losses.MeanSquaredError": {},
    "losses.MeanSquaredLogarithmicError": {},
    "losses.Poisson": {},
    "losses.Quantile": {"quantile": 0.25},
    "losses.SparseCategoricalCrossentropy": {},
    "losses.SparseZeroOne": {},
    "losses.SquaredHinge": {},
    "losses.Tversky": {"alpha": 0.25, "axis": 1},
    "losses.ZeroOne": {},
    "losses.binary_crossentropy": PAIR,
    "losses.binary_focal_crossentropy": PAIR,
    "losses.categorical_crossentropy": PAIR,
    "losses.categorical_focal_crossentropy": PAIR,
    "losses.categorical_generalized_cross_entropy": LABELLED,
    "losses.categorical_hinge": PAIR,
    "losses.cosine_similarity": PAIR,
    "losses.deserialize": {"config": {"class_name": "Huber", "config": {"delta": 0.5}}},
    "losses.dice": PAIR | {"axis": 1},
    "losses.gaussian_nll": {"y_true": HOT, "y_pred": np.concatenate([P, P], axis=1)},
    "losses.get": {"identifier": "mse"},
    "losses.hinge": PAIR,
    "losses.huber": PAIR,
    "losses.kl_divergence": PAIR,
    "losses.log_cosh": PAIR,
    "losses.mean_absolute_error": PAIR,
    "losses.mean_absolute_percentage_error": PAIR,
    "losses.mean_squared_error": PAIR,
    "losses.mean_squared_logarithmic_error": PAIR,
    "losses.poisson": PAIR,
    "losses.quantile": PAIR,
    "losses.serialize": {"loss": losses.mean_squared_error},
    "losses.sparse_categorical_crossentropy": LABELLED,
    "losses.sparse_zero_one": LABELLED,
    "losses.squared_hinge": PAIR,
    "losses.tversky": PAIR | {"axis": 1},
    "losses.zero_one": PAIR,
    "metrics.AUC": {},
    "metrics.Accuracy": {},
    "metrics.BinaryCrossentropy": {},
    "metrics.BinaryIoU": {},
    "metrics.CategoricalCrossentropy": {},
    "metrics.ConcordanceCorrelation": {},
    "metrics.ConfusionMatrix": {"num_classes": 3},
    "metrics.CosineSimilarity": {},
    "metrics.F1Score": {},
    "metrics.FBetaScore": {},
    "metrics.FalseNegatives": {},
    "metrics.FalsePositives": {},
    "metrics.IoU": {"num_classes": 3, "target_class_ids": [0]},
    "metrics.Mean": {},
    "metrics.MeanIoU": {"num_classes": 3},
    "metrics.OneHotIoU": {"num_classes": 3, "target_class_ids": [0]},
    "metrics.OneHotMeanIoU": {"num_classes": 3},
    "metrics.PearsonCorrelation": {},
    "metrics.Precision": {},
    "metrics.PrecisionAtRecall": {"recall": 0.5},
    "metrics.R2Score": {},
    "metrics.Recall": {},
    "metrics.RecallAtPrecision": {"precision": 0.5},
    "metrics.RootMeanSquaredError": {},
    "metrics.SensitivityAtSpecificity": {"specificity": 0.5},
    "metrics.SparseCategoricalCrossentropy": {},
    "metrics.SpecificityAtSensitivity": {"sensitivity": 0.5},
    "metrics.Sum": {},
    "metrics.TopKCategoricalAccuracy": {},
    "metrics.TrueNegatives": {},
    "metrics.TruePositives": {},
    "metrics.concordance_correlation": PAIR,
    "metrics.cosine_similarity": PAIR,
    "metrics.pearson_correlation": PAIR,
    "metrics.top_k_categorical_accuracy": PAIR,
    "metrics.BinaryAccuracy": {},
    "metrics.CategoricalAccuracy": {},
    "metrics.LossMetric": {"loss": "mse"},
    "metrics.MeanAbsoluteError": {},
    "metrics.MeanMetricWrapper": {"fn": losses.mean_squared_error},
    "metrics.MeanSquaredError": {},
    "metrics.Metric": {},
    "metrics.SparseCategoricalAccuracy": {},
    "metrics.SparseTopKCategoricalAccuracy": {},
    "metrics.binary_accuracy": PAIR,
    "metrics.categorical_accuracy": PAIR,
    "metrics.deserialize": {"config": "mse"},
    "metrics.get": {"identifier": "mse"},
    "metrics.serialize": {"metric": metrics.Precision()},
    "metrics.sparse_categorical_accuracy": LABELLED,
    "metrics.sparse_top_k_categorical_accuracy": LABELLED,
    **{f"optimizers.{name}": {} for name in optimizers.__all__ if name[0].isupper() and name != "Optimizer"},
    "optimizers.deserialize": {"config": {"class_name": "SGD", "config": {"learning_rate": 0.5}}},
    "optimizers.serialize": {"optimizer": optimizers.SGD()},
    "optimizers.Optimizer": {"learning_rate": 0.1},
    "optimizers.get": {"identifier": "adam"},
    "plotting.plot_history": {"history": CURVES},
    "regularizers.L1": {},
    "regularizers.L1L2": {},
    "regularizers.L2": {},
    "regularizers.OrthogonalRegularizer": {"factor": 0.1, "mode": "rows"},
    "regularizers.Regularizer": {},
    "regularizers.deserialize": {"config": "l2", "custom_objects": {}},
    "regularizers.get": {"identifier": "l2"},
    "regularizers.serialize": {"regularizer": regularizers.L2()},
    "regularizers.validate_float_arg": {"value": 0.1, "name": "l1"},
    "load_model": {"filepath": GOLDEN},
    "saving.load_model": {"filepath": GOLDEN, "custom_objects": {}, "compile": True},
    "saving.register_keras_serializable": {"package": "mine", "name": "Own"},
    "schedules.ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "schedules.InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "schedules.CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "schedules.CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    "schedules.LearningRateSchedule": {},
    "schedules.OneCycle": {"max_learning_rate": 0.1, "total_steps": 10},
    "schedules.PiecewiseConstantDecay": {"boundaries": [3, 5], "values": [0.3, 0.2, 0.1]},
    "schedules.PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "schedules.deserialize": {"config": schedules.serialize(schedules.ExponentialDecay(0.1, 10, 0.5))},
    "schedules.serialize": {"learning_rate_schedule": schedules.ExponentialDecay(0.1, 10, 0.5)},
    "utils.PyDataset": {"workers": 1},
    "utils.Sequence": {"workers": 1},
    "utils.normalize": {"x": X},
    "utils.register_keras_serializable": {"package": "mine", "name": "Own"},
    "utils.set_random_seed": {"seed": 1},
    "utils.to_categorical": {"x": Y},
}
ELSEWHERE = {  # raised, not called; in METHODS; methods of models
    *("FormatError", "NonFiniteError", "saving.FormatError"),
    *("ensembles.mc_dropout", "gradient_check", "saving.custom_object_scope", "threads"),
    *("saving.load_weights", "saving.save_model", "saving.save_weights"),
}
HELPERS = {  # of other modules, though their names have no underscore
    "constraints": "OfNorms at_least_zero checked_axis constrained",
    "losses": "align_target logits_of paired target_shape written",
    "metrics": "accuracy_of from_function",
    "optimizers": "fraction positive small",
    "schedules": "power powers",
}

# Functions of fastnn.ops that are not a row of the table, or have more arguments than it.
OPERATIONS = {
    "broadcast_to": {"x": X[:, None], "shape": (-1, 3, 4)},
    "clip": {"x": X, "x_min": -1.0, "x_max": 1.0},
    "concatenate": {"xs": [X, X]},
    "expand_dims": {"x": X, "axis": 1},
    "matmul": {"a": X, "b": X.T},
    "max": {"x": X, "axis": 1},
    "mean": {"x": X, "axis": (0, 1)},
    "min": {"x": X, "axis": -1},
    "negative": {"x": X},
    "ones_like": {"x": X},
    "reshape": {"x": X, "newshape": (-1, 2)},
    "slice": {"inputs": X, "start_indices": (0, 1), "shape": (12, 2)},
    "squeeze": {"x": X[:, :1]},
    "sum": {"x": X, "axis": 0},
    "transpose": {"x": X, "axes": (1, 0)},
    "zeros_like": {"x": X},
}
KINDS = ("activation", "elementwise", "softmax", "loss", "metric", "dense", "units")  # rows that are for users


def add_rows():
    """The rows of the table, with their examples as valid arguments."""
    rng = np.random.default_rng(4)
    for name, function in vars(ops).items():
        row = getattr(function, "op", None)
        if name not in OPERATIONS and isinstance(row, Op) and row.kind in KINDS and "_grad" not in name:
            arrays, attrs = row.example(rng, 3, 4)
            OPERATIONS[name] = dict(zip(inspect.signature(function).parameters, arrays, strict=False)) | attrs


add_rows()


def built():
    layer = layers.Dense(3, name="d")
    layer(X)
    return layer


def ensemble():
    return fastnn.ensembles.Ensemble(MODELS["model"], 2, seed=1)


def setter(attribute):
    """The assignment to a property as a method."""

    def method(made):
        def assign(value):
            setattr(made, attribute, value)

        return assign

    return method


def within_threads(made):
    def threads(n):
        with fastnn.threads(n):
            assert fastnn.get_num_threads() == n

    return threads


def checking(made):
    def check(x, y, sample_weight, samples):
        return fastnn.gradient_check(made, x, y, sample_weight, samples=samples)

    return check


def dropping(made):
    def call(x, samples, seed, return_samples):
        return fastnn.ensembles.mc_dropout(made, x, samples, seed, return_samples)

    return call


def python_step(made):
    def call(x, shape):
        return ops.python(negated, x, shape=shape)

    return call


def recorded(function):
    """A function of fastnn.ops on symbolic arrays, run in C with its gradient."""

    def call(**arguments):
        arrays = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray) and value.ndim}
        others = {name: value for name, value in arguments.items() if name not in arrays}

        def function_of_arrays(*symbols):
            return function(**others, **dict(zip(arrays, symbols, strict=True)))

        return fastnn.value_and_grad(function_of_arrays, [0])(*arrays.values())

    return call


# What is called on objects: how they are made, the method, and valid arguments.
METHODS = {
    "Activation": (lambda: layers.Activation("softmax", name="a"), "__call__", {"x": X}),
    "BatchNormalization": (lambda: layers.BatchNormalization(name="b"), "__call__", {"x": X, "training": True}),
    "BinaryCrossentropy": (lambda: losses.BinaryCrossentropy(reduction="none"), "__call__", PAIR),
    "CategoricalCrossentropy": (lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), "__call__", PAIR),
    "Constant": (lambda: initializers.Constant([1.0, 2.0]), "__call__", {"shape": (3, 2)}),
    "Dense": (lambda: layers.Dense(3, name="d"), "__call__", {"x": X}),
    "Dense, built": (built, "__call__", {"x": X}),
    "Dropout": (lambda: layers.Dropout(0.5, name="d"), "__call__", {"x": X, "training": True}),
    "Dropout of all": (lambda: layers.Dropout(1, name="d"), "__call__", {"x": X, "training": True}),
    "ExponentialDecay": (lambda: schedules.ExponentialDecay(0.1, 10, 0.5), "__call__", {"step": 3}),
    "Flatten": (lambda: layers.Flatten(name="f"), "__call__", {"x": X[:, :, None]}),
    "GaussianNoise": (lambda: layers.GaussianNoise(0.5, name="g"), "__call__", {"x": X, "training": True}),
    "HeNormal": (lambda: initializers.HeNormal(1), "__call__", {"shape": (3, 2)}),
    "L1L2": (lambda: regularizers.L1L2(0.1, 0.1), "__call__", {"x": X}),
    "Maxout": (lambda: layers.Maxout(3, name="m"), "__call__", {"x": X}),
    "LayerNormalization": (lambda: layers.LayerNormalization(name="l"), "__call__", {"x": X}),
    "MaxNorm": (lambda: constraints.MaxNorm(0.5), "__call__", {"w": X}),
    "MinMaxNorm": (lambda: constraints.MinMaxNorm(0.5, 0.7, 0.5, [0, 1]), "__call__", {"w": X}),
    "MeanSquaredError": (lambda: losses.MeanSquaredError(), "__call__", PAIR | {"sample_weight": WEIGHTS}),
    "PReLU": (lambda: layers.PReLU(shared_axes=[1], name="p"), "__call__", {"x": X}),
    "RBF": (lambda: layers.RBF(3, name="r"), "__call__", {"x": X}),
    "Orthogonal": (lambda: initializers.Orthogonal(seed=1), "__call__", {"shape": (3, 2)}),
    "OrthogonalRegularizer": (lambda: regularizers.OrthogonalRegularizer(0.1), "__call__", {"x": X}),
    "RandomUniform": (lambda: initializers.RandomUniform(seed=1), "__call__", {"shape": (3, 2)}),
    "Rescaling": (lambda: layers.Rescaling(0.5, name="r"), "__call__", {"x": X}),
    "Reshape": (lambda: layers.Reshape((2, -1), name="r"), "__call__", {"x": X}),
    "SparseCategoricalCrossentropy": (
        lambda: losses.SparseCategoricalCrossentropy(from_logits=True),
        "__call__",
        LABELLED,
    ),
    "SparseTopKCategoricalAccuracy": (
        lambda: metrics.SparseTopKCategoricalAccuracy(2),
        "__call__",
        LABELLED | {"sample_weight": WEIGHTS},
    ),
    "Zeros": (lambda: initializers.Zeros(), "__call__", {"shape": (3, 2), "dtype": "float32"}),
    "Softmax": (lambda: layers.Softmax((1, 2), name="s"), "__call__", {"x": X[:, :, None]}),
    "add_loss": (built, "add_loss", {"loss": np.float32(1)}),
    "adapt": (lambda: layers.Normalization(name="n"), "adapt", {"data": X}),
    "add_variable": (lambda: Count("m"), "add_variable", {"shape": (2,)}),
    "add_weight": (built, "add_weight", {"shape": (2, 3)}),
    "apply": (
        lambda: optimizers.Nadam(global_clipnorm=1.0),
        "apply",
        {"grads": [X], "trainable_variables": [fastnn.Variable(X)]},
    ),
    "build": (lambda: optimizers.Ftrl(), "build", {"variables": [fastnn.Variable(X)]}),
    "Ensemble.evaluate": (ensemble, "evaluate", {"x": X, "y": Y, "verbose": 0, "sample_weight": WEIGHTS}),
    "Ensemble.fit": (
        ensemble,
        "fit",
        {
            "x": X,
            "y": Y,
            "verbose": 0,
            "batch_size": 8,
            "epochs": 1,
            "validation_data": (X, Y, WEIGHTS),
            "class_weight": {0: 1.0, 2: 2.0},
            "sample_weight": WEIGHTS,
        },
    ),
    "Ensemble.predict": (ensemble, "predict", {"x": X, "return_std": True}),
    "exclude_from_weight_decay": (
        lambda: optimizers.AdamW(),
        "exclude_from_weight_decay",
        {"var_list": [fastnn.Variable(X)], "var_names": ["bias"]},
    ),
    "CosineDecay": (lambda: schedules.CosineDecay(0.1, 10), "__call__", {"step": 3}),
    "CosineDecayRestarts": (lambda: schedules.CosineDecayRestarts(0.1, 10), "__call__", {"step": 30}),
    "OneCycle": (lambda: schedules.OneCycle(0.1, 10), "__call__", {"step": 3}),
    "PiecewiseConstantDecay": (lambda: schedules.PiecewiseConstantDecay([3], [1.0, 0.5]), "__call__", {"step": 3}),
    "PolynomialDecay": (lambda: schedules.PolynomialDecay(0.1, 10, cycle=True), "__call__", {"step": 3}),
    "apply_gradients": (
        lambda: optimizers.Adam(amsgrad=True),
        "apply_gradients",
        {"grads_and_vars": [(X, fastnn.Variable(X))]},
    ),
    "assign": (lambda: fastnn.Variable(X), "assign", {"value": X}),
    "from_config": (built, "from_config", {"config": {"units": 3}}),
    "gradient_check": (MODELS["model"], checking, {"x": X, "y": Y, "sample_weight": WEIGHTS, "samples": 2}),
    "mc_dropout": (MODELS["model"], dropping, {"x": X, "samples": 2, "seed": 1, "return_samples": True}),
    "iterations": (lambda: optimizers.SGD(), setter("iterations"), {"value": 3}),
    "index": (lambda: fastnn.Variable(X), "__getitem__", {"index": (slice(0, 3), 1)}),
    "learning_rate": (lambda: optimizers.SGD(), setter("learning_rate"), {"value": 0.1}),
    "python": (
        lambda: None,
        python_step,
        {"x": X, "shape": (-1, 4)},
    ),
    "set_weights": (built, "set_weights", {"weights": [np.ones((4, 3)), np.ones(3)]}),
    "threads": (lambda: None, within_threads, {"n": 1}),
    "update_state": (lambda: metrics.MeanSquaredError(), "update_state", PAIR | {"sample_weight": WEIGHTS}),
}

# Methods of models (the name ends at a comma), called on models of several kinds.
MODEL_METHODS = {
    "__call__": {"x": X},
    "add": {"layer": layers.Dense(2, name="added")},
    "build": {"input_shape": (None, 4)},
    "compile": {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "describe": {"mode": "train", "batch_size": 16},
    "evaluate": {"x": X, "y": Y, "verbose": 0, "sample_weight": WEIGHTS},
    "fit": {"x": X, "y": Y, "verbose": 0, "batch_size": 8, "epochs": 1},
    "fit, all": {
        "x": X,
        "y": Y,
        "verbose": 0,
        "validation_data": (X, Y, WEIGHTS),
        "class_weight": {0: 1.0, 2: 2.0},
        "sample_weight": WEIGHTS,
        "callbacks": [callbacks.History()],
    },
    "from_config": {"config": MODELS["model"]().get_config()},
    "get_layer": {"index": 1},
    "load_weights": {"filepath": GOLDEN},
    "save": {"filepath": "model.safetensors", "overwrite": True},
    "save_weights": {"filepath": "model.safetensors"},
    "get_layer, name": {"name": "hidden"},
    "health": {"x": X, "y": Y, "sample_weight": WEIGHTS},
    "predict": {"x": X, "verbose": 0},
    "predict_on_batch": {"x": X},
    "set_weights": {"weights": MODELS["model"]().get_weights()},
    "summary": {"line_length": 60},
    "test_on_batch": {"x": X, "y": Y},
    "train_on_batch": {"x": X, "y": Y, "sample_weight": WEIGHTS, "class_weight": {1: 2.0}},
}
MODEL_KINDS = ("model", "unbuilt model", "one-hot model", "model with a schedule")

# ---- calls ---------------------------------------------------------------------------------------------


def drawn(data, function, valid):
    """Valid arguments of which one or two are replaced."""
    valid = copy.deepcopy(valid)
    parameters = inspect.signature(function).parameters.values()
    names = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)} | {*valid}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        names |= {"name", "trainable", "input_shape", "unknown"}
    if not names:
        return {}
    changed = data.draw(st.lists(st.sampled_from(sorted(names)), min_size=1, max_size=2, unique=True))
    return {**valid, **{name: data.draw(st.one_of(near(valid.get(name)), ANYTHING), name) for name in changed}}


@contextlib.contextmanager
def limited():
    """A call within bounds of memory and time, its output thrown away."""
    start, soft_and_hard = time.perf_counter(), resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, soft_and_hard[1]))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, soft_and_hard)
    assert time.perf_counter() - start < SECONDS


PYTHONS_OWN = (  # of a call that does not fit the signature
    "unexpected keyword argument",
    "required positional argument",
    "required keyword-only argument",
    "missing a required",
    "invalid keyword argument",
    "positional argument",
    "takes no keyword arguments",
    "takes no arguments",
    "multiple values for",
)


def acceptable(error):
    """Whether it is one of the errors that the documentation promises."""
    if getattr(error, "parts", False) or isinstance(error, fastnn.NonFiniteError):
        return PARTS.fullmatch(str(error)) is not None
    if isinstance(error, OSError):  # of a file
        return error.filename is not None
    own = isinstance(error, TypeError) and any(words in str(error) for words in PYTHONS_OWN)
    return own or isinstance(error, (MemoryError, NotImplementedError))  # the latter of a base class


def tried(function, /, *args, **arguments):
    """The result and None, or None and the error, which has to be an acceptable one."""
    try:
        with limited(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* of a single class")  # it is one, and the call is valid
            return function(*args, **arguments), None
    except Exception as error:
        if not acceptable(error):
            raise
        return None, error


def process():
    """The settings of the process, automatic names and random streams."""
    numbers = np.random.get_state()[1].tobytes()
    settings = config._floatx, config._on_nonfinite, config._threads, config._seed, config._stream
    return settings, dict(base._names), numbers


def snapshot(value, within=()):
    """All that an object holds, in a form that can be compared."""
    if id(value) in within:
        return "itself"
    within = (*within, id(value))
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, repr(value) if value.dtype.kind == "O" else value.tobytes()
    if isinstance(value, (list, tuple)):
        return [snapshot(item, within) for item in value]
    if isinstance(value, dict):
        return [(repr(key), snapshot(item, within)) for key, item in value.items()]
    if type(value).__module__.startswith("fastnn") and hasattr(value, "__dict__"):
        return type(value).__name__, snapshot(vars(value), within)
    return id(value)


@contextlib.contextmanager
def process_kept():
    """A call that changes settings of the process does not disturb those after it."""
    kept, names = (
        (config._floatx, config._on_nonfinite, config._threads, config._seed, config._stream),
        base._names.copy(),
    )
    numbers = np.random.get_state()
    try:
        yield
    finally:
        config._floatx, config._on_nonfinite, config._threads, config._seed, config._stream = kept
        base._names.clear()
        base._names.update(names)
        np.random.set_state(numbers)


# ---- results -------------------------------------------------------------------------------------------


def check_result(result):
    """What was made with unusual arguments can be used, or refuses its use with an error of four parts."""
    if isinstance(result, layers.Layer):
        check_layer(result)
    elif isinstance(result, initializers.Initializer):
        weight, error = tried(result, (3, 2))
        assert error or (weight.shape == (3, 2) and weight.dtype == np.float32 and np.isfinite(weight).all())
    elif isinstance(result, regularizers.Regularizer):
        penalty, error = tried(result, X)
        assert error or (np.shape(penalty) == () and penalty >= 0)
    elif isinstance(result, (losses.Loss, metrics.Metric)):
        wide = np.concatenate([P, P], axis=1) if result.target == losses.HALVES else P
        value, error = tried(result, Y if result.target == losses.LABELS else HOT, wide)
        shape = (12,) if getattr(result, "reduction", "sum") in ("none", None) else ()
        several = isinstance(result, metrics.Metric) and np.ndim(value) in (1, 2)  # for each class or threshold
        assert error or np.shape(value) == shape or several
    elif isinstance(result, optimizers.Optimizer):
        variable = fastnn.Variable([1.0, 2.0])
        _, error = tried(result.apply_gradients, [([0.5, -0.5], variable)])
        assert (error is None) == (int(result._iterations[0]) == 1)  # steps that only gather count, too
        assert error is None or variable.numpy().tolist() == [1.0, 2.0]
    elif isinstance(result, schedules.LearningRateSchedule):
        rate, error = tried(result, 10**6)
        assert error or rate >= 0
    elif isinstance(result, callbacks.Callback):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the logs have no such entry
            tried(MODELS["model"]().fit, X, Y, epochs=2, callbacks=result)


def check_layer(layer):
    """A layer gives arrays of the promised shape, on arrays as in a model."""
    shape = layer.given_input_shape or (4,)
    if len(shape) > 4 or max(shape) > 100:
        return
    x = np.linspace(-2, 2, 3 * int(np.prod(shape)), dtype=np.float32).reshape(3, *shape)
    y, error = tried(layer, x)
    if error is None:
        assert y.shape == (3, *layer.compute_output_shape((None, *shape))[1:])
        model = layer if isinstance(layer, fastnn.Sequential) else fastnn.Sequential([layer])
        predicted, error = tried(model.predict, x)
        if error is None:
            np.testing.assert_allclose(predicted, y, rtol=1e-4, atol=1e-6)


# ---- tests ---------------------------------------------------------------------------------------------


def examine_function(data):
    name = data.draw(st.sampled_from(sorted(FUNCTIONS)), "function")
    function = fastnn
    for part in name.split("."):
        function = getattr(function, part)
    arguments = drawn(data, function, FUNCTIONS[name])
    with process_kept():
        before = process(), snapshot(arguments)
        result, error = tried(function, **arguments)
        if error is not None:
            assert (process(), snapshot(arguments)) == before
        elif not any(callable(a) and a is not FUNCTIONS[name].get(n) for n, a in arguments.items()):
            check_result(result)  # what another function or class does is its author's business


def examine_operation(data):
    name = data.draw(st.sampled_from(sorted(OPERATIONS)), "operation")
    function = getattr(ops, name)
    arguments = drawn(data, function, OPERATIONS[name])
    before = snapshot(arguments)
    result, error = tried(function, **arguments)
    tried(recorded(function), **arguments)
    assert snapshot(arguments) == before
    parts = result if isinstance(result, tuple) else (result,)
    assert error or all(isinstance(part, (np.ndarray, np.generic)) for part in parts)


def finite(arguments):
    """Arguments without a number of epochs that is valid, and endless."""
    return arguments | ({"epochs": 2} if is_one_of(arguments.get("epochs"), (2**31 - 1,)) else {})


def examine_method(data):
    name = data.draw(st.sampled_from(sorted(METHODS)), "method")
    make, method, valid = METHODS[name]
    made = make()
    function = getattr(made, method) if isinstance(method, str) else method(made)
    arguments = finite(drawn(data, function, valid))
    with process_kept():
        values = [value for value in arguments.values() if not callable(value)]
        before = snapshot(made), snapshot(values), process()
        _, error = tried(function, **arguments)
        if error is not None and not isinstance(error, fastnn.NonFiniteError):
            assert (snapshot(made), snapshot(values), process()) == before


TWINS = {}


def twin(kind):
    """Weights of a model of this kind that was trained with no call between."""
    if kind not in TWINS:
        made = MODELS[kind]()
        train(made)
        TWINS[kind] = made.get_weights()
    return TWINS[kind]


def examine_model(data):
    kind = data.draw(st.sampled_from(MODEL_KINDS), "model")
    name = data.draw(st.sampled_from(sorted(MODEL_METHODS)), "method")
    with process_kept():
        made = MODELS[kind]()
        function = getattr(made, name.split(",")[0])
        valid = MODEL_METHODS[name]
        valid = valid | {"y": HOT} if kind == "one-hot model" and "y" in valid else valid
        arguments = finite(drawn(data, function, valid))
        before = state(made), process()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")  # fewer batches than `steps`
            result, error = tried(function, **arguments)
        predicts = name in ("predict", "predict_on_batch", "__call__") and not is_one_of(
            arguments.get("training"), (1,)
        )
        if predicts and error is None:
            with np.errstate(over="ignore"):
                x = np.array(arguments["x"], np.float32)
            whole = MODELS[kind]().predict(x).tobytes()
            assert whole.startswith(result.tobytes()) if "steps" in arguments else whole == result.tobytes()
        if error is not None and not isinstance(error, fastnn.NonFiniteError):
            assert (state(made), process()) == before
            train(made)
            for found, expected in zip(made.get_weights(), twin(kind), strict=True):
                assert found.tobytes() == expected.tobytes()


EXAMINATIONS = {examine_function: 1000, examine_operation: 400, examine_method: 400, examine_model: 300}


def examine(examination, examples):
    """Run one of the above on so many examples, the same ones each time."""
    given(st.data())(
        settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(examination)
    )()


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path, monkeypatch):
    """Pictures are saved into a temporary folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("examination", EXAMINATIONS)
def test_any_call(examination):
    examine(examination, EXAMINATIONS[examination])


@pytest.mark.long
@pytest.mark.parametrize("examination", EXAMINATIONS)
def test_very_many_calls(examination):
    examine(examination, 20 * EXAMINATIONS[examination])


def is_own(value, name, module):
    """Whether it is a public function or class of a module, by its own name."""
    own = (getattr(value, "__module__", ""), getattr(value, "__name__", "")) == (module.__name__, name)
    return own and callable(value) and not name.startswith("_")


def public_names():
    """The functions and classes of fastnn and of its public modules, but for ops."""
    for name in fastnn.__all__:
        value = getattr(fastnn, name)
        if callable(value):
            yield name
        elif isinstance(value, types.ModuleType) and value not in (config, ops, fastnn.datasets, fastnn.models):
            own = {n for n, v in vars(value).items() if is_own(v, n, value) and n not in HELPERS.get(name, "").split()}
            yield from (f"{name}.{n}" for n in getattr(value, "__all__", own))


def test_every_public_function_is_called():
    assert {*public_names()} - ELSEWHERE <= {*FUNCTIONS}
