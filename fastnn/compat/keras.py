"""Programs written for Keras run with fastnn: import this module before they import Keras.

``import keras``, ``import tensorflow.keras`` and their submodules then give fastnn's classes and functions, also
where Keras or TensorFlow is installed, under the module names of Keras 1, 2 and 3. Whatever fastnn's own modules
export is found there. A name that fastnn does not provide raises ``AttributeError`` or ``ImportError`` with
what there is instead.

Three things are as in Keras and not as in fastnn alone: `fit` goes on when loss or gradients are not finite
(``on_nonfinite="ignore"``), ``tensorflow.random.set_seed`` leaves Python's and NumPy's generators alone, and
``keras.__version__`` names a release of Keras, 3.0.0, whose semantics are followed. So ``metrics=["accuracy"]`` is
reported as "accuracy", not as "acc", for which ``metrics=["acc"]`` asks. Old spellings of arguments are taken by
fastnn itself, see `fastnn.old_spellings`.

Examples
--------
>>> import fastnn.compat.keras
>>> from tensorflow.keras.models import Sequential
>>> from keras.layers import Dense
>>> Sequential([Dense(2, input_shape=(4,))]).count_params()
10
>>> from keras.layers import ConvLSTM2D
Traceback (most recent call last):
...
ModuleNotFoundError: keras.layers.ConvLSTM2D: received a name that fastnn does not provide; expected one of ...
>>> fastnn.compat.keras.uninstall()
"""

import difflib
import random
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

import fastnn
from fastnn import config
from fastnn.errors import invalid, show
from fastnn.variable import Variable

ROOTS = ("keras", "tensorflow")
KERAS_VERSION = f"3.0.0+fastnn.{fastnn.__version__}"
TENSORFLOW_VERSION = f"2.16.0+fastnn.{fastnn.__version__}"  # the first that came with Keras 3

# ---- what Keras has and fastnn has not -----------------------------------------------------------------------


def backend() -> str:
    """The name of what computes."""
    return "fastnn"


def epsilon() -> float:
    """Keras' small number; fastnn's losses and optimizers use the same by default."""
    return 1e-7


def get_value(x: Any) -> Any:
    """The value of a variable as an array; what is no variable, as a learning rate, is its own value."""
    return x.numpy() if isinstance(x, Variable) else x


def set_value(x: Variable, value: Any) -> None:
    """Set a variable; a learning rate is an attribute of its optimizer."""
    if not isinstance(x, Variable):
        fix = "write optimizer.learning_rate = value for a learning rate"
        raise invalid("x", show(x), "a variable, such as layer.kernel", fix, TypeError)
    x.assign(value)


def set_seed(seed: int) -> None:
    """`fastnn.set_random_seed` that leaves Python's and NumPy's generators alone, as TensorFlow's does."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        fastnn.set_random_seed(seed)
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


# ---- the table -----------------------------------------------------------------------------------------------


def each(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The rows of a table, one for each of the names that a key lists."""
    for keys, value in table.items():
        yield from ((key, value) for key in keys.split())


LAYERS = """
    keras.layers.advanced_activations keras.layers.core keras.layers.embeddings keras.layers.merge keras.layers.noise
    keras.layers.normalization
"""
ENGINE = """
    keras.engine keras.engine.base_layer keras.engine.functional keras.engine.input_layer keras.engine.sequential
    keras.engine.topology keras.engine.training
"""
UTILS = "keras.utils keras.utils.generic_utils keras.utils.layer_utils keras.utils.np_utils keras.utils.vis_utils"

# The modules of fastnn in which the names of Keras' modules are, unless it is the one of the same name; "" for a
# module that only holds others. tensorflow.keras is read as keras.
MODULES = dict(
    each(
        {
            LAYERS: "fastnn.layers",
            ENGINE: "fastnn.layers fastnn.models",
            UTILS: "fastnn.utils fastnn.plotting fastnn.saving",
            "keras.backend": "fastnn.ops",
            "keras.initializations": "fastnn.initializers",
            "keras.models": "fastnn.models fastnn.saving",
            "keras.objectives": "fastnn.losses",
            "keras.optimizers.legacy": "fastnn.optimizers",
            "keras.optimizers.schedules": "fastnn.schedules",
            "tensorflow tensorflow.python tensorflow.random": "",
            "tensorflow.keras tensorflow.python.keras": "fastnn",
        }
    )
)

# Names that are written differently or are elsewhere in fastnn; None where fastnn's of that name is something else.
# What they stand for may come later.
NAMES: dict[str, str | None] = {
    f"{module}.{name}": target
    for module, names in each(
        {
            "keras": {
                "Initializer": "fastnn.initializers.Initializer",
                "Layer": "fastnn.layers.Layer",
                "Loss": "fastnn.losses.Loss",
                "Metric": "fastnn.metrics.Metric",
                "Optimizer": "fastnn.optimizers.Optimizer",
                "Regularizer": "fastnn.regularizers.Regularizer",
                "__version__": "fastnn.compat.keras.KERAS_VERSION",
            },
            "keras.backend": {
                "dot": "fastnn.ops.matmul",
                "get_value": "fastnn.compat.keras.get_value",
                "hard_sigmoid": None,  # 0.2 x + 0.5 there, x / 6 + 0.5 in keras.activations
                "pow": "fastnn.ops.power",
                "set_value": "fastnn.compat.keras.set_value",
            },
            "keras.backend keras.config": {
                "backend": "fastnn.compat.keras.backend",
                "epsilon": "fastnn.compat.keras.epsilon",
                "floatx": "fastnn.config.floatx",
                "set_floatx": "fastnn.config.set_floatx",
            },
            "keras.backend keras.ops": {
                "binary_crossentropy dropout gather in_top_k": None,
                "relu": "fastnn.activations.relu",
                **{name: f"fastnn.activations.{name}" for name in fastnn.activations.ALONG},
                **{name: f"fastnn.activations.{name}" for name in ("hard_swish", "swish", "threshold")},
            },
            "keras.backend keras.utils": {"clear_session": "fastnn.layers.base.reset_names"},
            "keras.backend keras.ops keras.metrics": {
                "categorical_crossentropy": "fastnn.losses.categorical_crossentropy",
                "sparse_categorical_crossentropy": "fastnn.losses.sparse_categorical_crossentropy",
            },
            "keras.initializations keras.initializers": {
                "normal": "fastnn.initializers.RandomNormal",
                "one": "fastnn.initializers.Ones",
                "uniform": "fastnn.initializers.RandomUniform",
                "zero": "fastnn.initializers.Zeros",
            },
            "keras.constraints": {
                "maxnorm": "fastnn.constraints.MaxNorm",
                "nonneg": "fastnn.constraints.NonNeg",
                "unitnorm": "fastnn.constraints.UnitNorm",
            },
            "keras.losses keras.metrics keras.objectives": {
                "kld KLD kl_divergence": "fastnn.losses.kl_divergence",
                "mae MAE mean_absolute_error": "fastnn.losses.mean_absolute_error",
                "mape MAPE mean_absolute_percentage_error": "fastnn.losses.mean_absolute_percentage_error",
                "mse MSE mean_squared_error": "fastnn.losses.mean_squared_error",
                "msle MSLE mean_squared_logarithmic_error": "fastnn.losses.mean_squared_logarithmic_error",
            },
            "keras.metrics": {
                "binary_crossentropy": "fastnn.losses.binary_crossentropy",
                "hinge": "fastnn.losses.hinge",
                "poisson": "fastnn.losses.poisson",
                "squared_hinge": "fastnn.losses.squared_hinge",
            },
            "keras.optimizers": {
                "adadelta": "fastnn.optimizers.Adadelta",
                "adagrad": "fastnn.optimizers.Adagrad",
                "adam": "fastnn.optimizers.Adam",
                "adamax": "fastnn.optimizers.Adamax",
                "nadam": "fastnn.optimizers.Nadam",
                "rmsprop": "fastnn.optimizers.RMSprop",
                "sgd": "fastnn.optimizers.SGD",
            },
            "keras.ops": {"gelu": "fastnn.ops.gelu_tanh"},
            "keras.regularizers": {"l1l2": "fastnn.regularizers.L1L2"},
            "tensorflow": {
                "__version__": "fastnn.compat.keras.TENSORFLOW_VERSION",
                "set_random_seed": "fastnn.compat.keras.set_seed",
            },
            "tensorflow.random": {"set_seed": "fastnn.compat.keras.set_seed"},
        }
    )
    for name, target in each(names)
}

# ---- reading it ----------------------------------------------------------------------------------------------

MISSING = object()


def as_keras(name: str) -> str:
    """The name of a module of TensorFlow's Keras as one of Keras."""
    for prefix in ("tensorflow.keras", "tensorflow.python.keras"):
        if name == prefix or name.startswith(f"{prefix}."):
            return "keras" + name.removeprefix(prefix)
    return name


def resolved(path: str) -> Any:
    """What a dotted path stands for, which begins with fastnn; `MISSING` if there is no such thing (yet)."""
    value: Any = fastnn
    for part in path.split(".")[1:]:
        value = getattr(value, part, MISSING)
    return value


def public(module: str) -> bool:
    """Whether it is a module that fastnn offers: listed by the one that it is in."""
    parent, _, name = module.rpartition(".")
    listed = not parent or (public(parent) and name in getattr(resolved(parent), "__all__", ()))
    return listed and isinstance(resolved(module), ModuleType)


def sources(module: str) -> list[ModuleType] | None:
    """The modules of fastnn in which the names of a module of Keras are; None if there is no such module."""
    module = as_keras(module)
    if module in MODULES:
        found = [resolved(path) for path in MODULES[module].split()]
        return [source for source in found if source is not MISSING]
    same = "fastnn" + module.removeprefix("keras")
    return [resolved(same)] if module.startswith("keras") and public(same) else None


def exported(module: ModuleType) -> dict[str, Any]:
    """What a module of fastnn offers: what it lists, else its classes and functions without helpers."""
    if hasattr(module, "__all__"):
        found = {name: getattr(module, name) for name in module.__all__}
    else:
        asked = {*module.NAMES, "get", "serialize", "deserialize"} if hasattr(module, "NAMES") else {*vars(module)}
        found = {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_")
            and str(getattr(value, "__module__", "")).startswith(module.__name__)
            and (isinstance(value, type) or name in asked)
        }
    return {name: value for name, value in found.items() if not isinstance(value, ModuleType)}


def look_up(module: str, name: str) -> Any:
    """A name in a module of Keras, or `MISSING`; modules inside it are not looked for."""
    path = f"{as_keras(module)}.{name}"
    if path in NAMES:
        target = NAMES[path]
        return MISSING if target is None else resolved(target)
    for source in sources(module) or ():
        names = exported(source)
        if name in names:
            return names[name]
    return MISSING


def names_in(module: str) -> list[str]:
    """All names and modules in a module of Keras."""
    prefix = f"{as_keras(module)}."
    names = {path.removeprefix(prefix) for path in [*NAMES, *MODULES] if path.startswith(prefix)}
    for source in sources(module) or ():
        names.update(exported(source), getattr(source, "__all__", ()))
    return sorted(
        name
        for name in names
        if "." not in name
        and not name.startswith("_")
        and (look_up(module, name) is not MISSING or sources(f"{module}.{name}") is not None)
    )


def not_provided(path: str, error: type[Exception]) -> Exception:
    """The error for a name or a module that is not there."""
    module, _, name = path.rpartition(".")
    names = names_in(module)
    near = difflib.get_close_matches(name, names, n=3)
    instead = f"use {' or '.join(near)}" if near else "write it with fastnn.ops"
    expected = ", ".join(names) if len(names) < 50 else f"the names in dir({module})"
    received, fix = "a name that fastnn does not provide", f"{instead}, or run the program with Keras itself"
    return invalid(path, received, f"one of {expected}", fix, error)


# ---- the modules ---------------------------------------------------------------------------------------------


class Alias(ModuleType):
    """A module of Keras, whose names are looked up in fastnn."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return names_in(self.__name__)
        found = look_up(self.__name__, name)
        if found is not MISSING:
            return found
        if sources(f"{self.__name__}.{name}") is not None:
            return import_module(f"{self.__name__}.{name}")
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise not_provided(f"{self.__name__}.{name}", AttributeError)

    def __dir__(self) -> list[str]:
        return [*{*vars(self), *names_in(self.__name__)}]


class Finder(MetaPathFinder, Loader):
    """Finds the modules of Keras before Python looks for them in files."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ROOTS:
            return None
        if sources(fullname) is None:
            # without the attribute `name`, for which "from ... import" would replace the message by its own
            raise not_provided(fullname, ModuleNotFoundError)
        return ModuleSpec(fullname, self, origin=__name__, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to execute."""


FINDER = Finder()


def imported() -> list[str]:
    """Modules of Keras and TensorFlow that are loaded, fastnn's aliases or the real ones."""
    return [name for name in sys.modules if name.partition(".")[0] in ROOTS]


def install() -> None:
    """Let Keras' module names stand for fastnn; done by importing this module.

    Raises
    ------
    ImportError
        Keras or TensorFlow is imported already.
    """
    for name in imported():
        if not isinstance(sys.modules[name], Alias):
            expected = "a process that has not imported Keras or TensorFlow"
            raise invalid("fastnn.compat.keras", f"a process with {name}", expected, "import it first", ImportError)
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
        config.set_on_nonfinite("ignore")


def uninstall() -> None:
    """Give Keras' module names back; what was imported from them stays fastnn's."""
    if FINDER in sys.meta_path:
        sys.meta_path.remove(FINDER)
        config.set_on_nonfinite("raise")
    for name in imported():
        if isinstance(sys.modules[name], Alias):
            del sys.modules[name]


install()
