"""The same training and inference in fastnn and in its peers, each the way its own users write it fast.

A contender has some of these; what it lacks, or refuses with NotImplementedError, it takes no part in:

``build(load)``
    makes the network of a `Workload` with its given weights;
``run(steps)``
    then trains so many steps on freshly shuffled data and returns their mean loss;
``inference(load)``
    returns a function that answers one call of an `Inference`: the probabilities, computed and ready.
``scores(x)``
    the trained network's outputs for other rows, in whole_process.py.

Nothing is imported here but the modules of one contender, when it is made.
"""

import importlib
import importlib.util
from typing import NamedTuple


class Entry(NamedTuple):
    """Where a contender is written, what has to be installed for it, and what tells it its back end."""

    where: str
    packages: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


CONTENDERS = {
    "fastnn": Entry("fastnn_fit.Fastnn", ("fastnn",)),
    "numpy": Entry("by_hand.NumPy", ("numpy",)),
    "torch-eager": Entry("pytorch.Torch", ("torch",)),
    "torch-fused": Entry("pytorch.Fused", ("torch",)),
    "torch-compile": Entry("pytorch.Compiled", ("torch",)),
    "jax": Entry("jax_jit.Jax", ("jax",)),
    "keras-jax": Entry("keras_fit.Keras", ("keras", "jax"), (("KERAS_BACKEND", "jax"),)),
    "keras-tf": Entry("keras_fit.Keras", ("keras", "tensorflow"), (("KERAS_BACKEND", "tensorflow"),)),
    "sklearn": Entry("scikit.ScikitLearn", ("sklearn",)),
    "thinc": Entry("thinc_model.Thinc", ("thinc",)),
    "onnxruntime": Entry("onnx_session.OnnxRuntime", ("onnxruntime", "onnx")),
}


def installed(name: str) -> bool:
    """Whether everything is there that a contender imports."""
    return all(importlib.util.find_spec(package) for package in CONTENDERS[name].packages)


def make(name: str):
    """A new contender."""
    module, cls = CONTENDERS[name].where.split(".")
    return getattr(importlib.import_module(f"contenders.{module}"), cls)()


def version(name: str) -> str:
    """What is measured: the versions of its packages."""
    return " on ".join(f"{p} {importlib.import_module(p).__version__}" for p in CONTENDERS[name].packages)
