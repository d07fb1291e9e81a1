"""fastnn: a Keras-style mini framework with a C core, for small and medium networks on CPUs."""

import os

import numpy

from . import (
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    ensembles,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    plotting,
    regularizers,
    saving,
    schedules,
    utils,
)
from .checks import gradient_check
from .config import num_threads as get_num_threads
from .config import set_num_threads, set_random_seed, threads
from .errors import NonFiniteError
from .execute import available_isas, current_isa, has_openmp, team_size
from .gradients import value_and_grad
from .layers import Input
from .models import Model, Sequential
from .saving import FormatError, load_model
from .variable import Variable

__version__ = "0.1.0"

__all__ = [
    "FormatError",
    "Input",
    "Model",
    "NonFiniteError",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "current_isa",
    "datasets",
    "ensembles",
    "get_num_threads",
    "gradient_check",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plotting",
    "regularizers",
    "saving",
    "schedules",
    "set_num_threads",
    "set_random_seed",
    "show_config",
    "threads",
    "utils",
    "value_and_grad",
]


def show_config() -> None:
    """Print the version, the instruction sets and the threads in use, and what chose them."""
    switches = {name: value for name, value in os.environ.items() if name.startswith("FASTNN_")}
    for name, value in (
        ("fastnn", __version__),
        ("numpy", numpy.__version__),
        ("instruction set", f"{current_isa()} (available: {', '.join(available_isas())})"),
        ("OpenMP", "yes" if has_openmp() else "no"),
        ("threads", team_size()),
        ("floatx", config.floatx()),
        ("environment", ", ".join(f"{k}={v}" for k, v in sorted(switches.items())) or "no FASTNN_ variable set"),
    ):
        print(f"{name:<16} {value}")
