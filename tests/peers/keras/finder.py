"""Answers the names of Keras' modules with fastnn, for Keras' own tests; nothing of Keras is imported."""

import importlib
import importlib.metadata
import sys
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

VERSION = "3.15.1"  # the release whose tests are run

# Where the names of keras.src.<first part> are, unless it is fastnn.<first part>.
PLACES = {
    "": "fastnn",
    "optimizers.schedules": "fastnn.schedules",
    "tree": "",
}

# Modules that only Keras' tests need: written here, in files of this folder.
SHIMS = {
    "backend": "backend",
    "ops": "operations",
    "testing": "cases",
    "dtype_policies": "policies",
    "random": "draws",
}

BACKENDS = ("jax", "openvino", "tensorflow", "torch")

# Names of the package itself that are in a module of fastnn.
TOP = {
    "Initializer": "initializers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
}


class NotProvided(ImportError):
    """A test uses a name that fastnn has not."""


class Missing:
    """Stands for a name that fastnn has not, so that the other tests of the file run; using it raises."""

    def __init__(self, path: str):
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self._path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotProvided(f"fastnn has no {self._path}")

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        path = self._path

        def refuse(made: Any, *args: Any, **kwargs: Any) -> None:
            raise NotProvided(f"fastnn has no {path}")

        return (type("MissingBase", (), {"__init__": refuse}),)

    def _refuse(self, *args: Any) -> Any:
        raise NotProvided(f"fastnn has no {self._path}")

    __eq__ = __lt__ = __bool__ = __iter__ = __len__ = __float__ = __array__ = __enter__ = __exit__ = _refuse
    __getitem__ = __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __instancecheck__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def sources() -> Path:
    """The folder of Keras' sources and tests in the installed wheel."""
    found = importlib.metadata.distribution("keras")
    if found.version != VERSION:
        raise ImportError(f"keras {found.version} is installed; the tests are those of keras=={VERSION}")
    return Path(str(found.locate_file("keras/src")))


def below_source(module: str) -> str:
    """``keras.src.losses.loss`` and ``keras.losses.loss`` as ``losses.loss``."""
    parts = module.split(".")[1:]
    return ".".join(parts[1:] if parts[:1] == ["src"] else parts)


def place(path: str) -> Any:
    """The module of fastnn that stands for a module of Keras, or None."""
    first = path.partition(".")[0]
    name = next((to for key, to in PLACES.items() if key and path.startswith(key)), None)
    if name is None:
        name = PLACES[""] if not path else f"fastnn.{first}"
    try:
        return importlib.import_module(name) if name else None
    except ModuleNotFoundError:
        return None


class Alias(types.ModuleType):
    """A module of Keras, whose names are looked up in fastnn."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        path = below_source(self.__name__)
        inner = f"{path}.{name}".lstrip(".")
        folder = sources() / inner.replace(".", "/")
        module = folder.is_dir() or folder.with_suffix(".py").is_file()
        if module and path in SHIMS:  # dtype_policies.dtype_policy is a module, in which there is a function so named
            return importlib.import_module(f"keras.src.{inner}")
        holders = [place(path)]
        if path.partition(".")[0] in SHIMS:
            holders = [importlib.import_module(SHIMS[path.partition(".")[0]])]
        elif not path and name in TOP:
            holders = [place(TOP[name])]
        for holder in holders:
            found = getattr(holder, name, None)
            if found is not None and not isinstance(found, types.ModuleType):
                return found
        if module:
            return importlib.import_module(f"keras.src.{inner}")
        return Missing(f"{self.__name__}.{name}")


class Finder(MetaPathFinder, Loader):
    """Finds ``keras`` and everything below it, and ``conftest``, before Python looks for files.

    Keras' backends are hidden, so that the same tests fail where one is installed.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in BACKENDS:
            raise ModuleNotFoundError(f"No module named '{fullname}'", name=fullname)
        if fullname.partition(".")[0] == "keras":
            return ModuleSpec(fullname, self, is_package=True)
        if fullname == "conftest":
            return ModuleSpec(fullname, self)
        return None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        if spec.name == "conftest":
            module = types.ModuleType(spec.name)
            module.skip_if_backend = importlib.import_module("cases").skip_if_backend  # type: ignore[attr-defined]
            return module
        return Alias(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to execute."""


def install() -> None:
    """Let the names of Keras' modules stand for fastnn in this process."""
    loaded = [name for name in sys.modules if name.partition(".")[0] == "keras"]
    if loaded:
        raise ImportError(f"{loaded[0]} is imported already")
    sys.meta_path.insert(0, Finder())
