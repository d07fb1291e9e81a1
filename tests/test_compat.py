"""Programs written for Keras 1, 2 and 3 run with fastnn, and give what fastnn's own names give, to the last bit."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from keras_programs import PROGRAMS
from test_wrong_calls import PARTS

import fastnn
from fastnn.layers.base import reset_names


def run(code, program="", **environment):
    """Run Python code in a process of its own, and read the JSON that it prints last."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# ---- programs ------------------------------------------------------------------------------------------------

PROGRAM = """
import json, sys, warnings
import fastnn.compat.keras
from keras_programs import small_mnist
from test_compat import fingerprint

small_mnist.__module__ = "fastnn.datasets.mnist"  # as if it were written there
fastnn.datasets.mnist.load_data = small_mnist
fastnn.set_random_seed(9)
program = {"__name__": "__main__"}
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    exec(compile(sys.stdin.read(), "program.py", "exec"), program)
assert all(w.category is DeprecationWarning and w.filename == "program.py" for w in seen), list(map(str, seen))
found = fingerprint(program["model"], program["history"], program["scores"])
print(json.dumps([*found, sorted(str(w.message).split()[0] for w in seen)]))
"""


def fingerprint(model, history, scores):
    """All that a run gave, to the last bit (repr tells floats apart, and NaN is like itself)."""
    weights = [hashlib.sha256(w.tobytes()).hexdigest() for w in model.get_weights()]
    return [weights, repr(sorted(history.history.items())), repr(scores)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_what_fastnn_gives(name):
    program, twin, spellings = PROGRAMS[name]
    *found, warned = run(PROGRAM, program)
    reset_names()
    fastnn.set_random_seed(9)
    with np.errstate(all="ignore"):
        assert found == fingerprint(*twin())
    assert warned == spellings.split()


# ---- names ---------------------------------------------------------------------------------------------------

NAMES = """
import json
import numpy, random
import fastnn.compat.keras, fastnn
from fastnn import initializers, layers, losses, metrics, models, optimizers, regularizers, schedules
from keras.engine import Input, Model
from keras.layers import *
import keras.layers.core as core, keras.optimizers.schedules, tensorflow.keras.layers, keras.utils.np_utils
import tensorflow as tf
from tensorflow import keras as tf_keras
import keras

assert Dense is layers.Dense is core.Dense is tf.keras.layers.Dense is tf_keras.layers.Dense is keras.layers.Dense
assert Input is layers.Input is keras.Input and Model is models.Model is keras.models.Model is keras.Model
assert keras.Layer is layers.Layer and keras.optimizers.schedules.ExponentialDecay is schedules.ExponentialDecay
for cls in vars(optimizers).values():
    if isinstance(cls, type) and issubclass(cls, optimizers.Optimizer):
        assert getattr(keras.optimizers, cls.__name__) is cls is getattr(keras.optimizers.legacy, cls.__name__)
for name in layers.__all__:
    assert getattr(keras.layers, name) is getattr(layers, name) and name in dir(keras.layers)
layers.Later = type("Later", (layers.Layer,), {})  # what fastnn's modules list is there
layers.__all__.append("Later")
from keras.layers import Later
from tensorflow.keras.layers import Later

fastnn.later = type(fastnn)("fastnn.later")
fastnn.later.thing, fastnn.later.__all__ = 3, ["thing"]
fastnn.__all__.append("later")
from keras.later import thing
import tensorflow.keras.later

for module in (keras.losses, keras.metrics, keras.objectives):
    assert module.mse is module.MSE is module.mean_squared_error is losses.mean_squared_error
assert keras.metrics.MeanSquaredError is metrics.MeanSquaredError
assert keras.metrics.binary_accuracy is metrics.binary_accuracy
assert keras.initializers.he_normal is initializers.HeNormal
assert keras.initializations.uniform is initializers.RandomUniform
assert keras.regularizers.l1l2 is keras.regularizers.l1_l2 is regularizers.L1L2
assert keras.optimizers.rmsprop is optimizers.RMSprop
assert keras.backend.epsilon() == 1e-7 and keras.backend.backend() == "fastnn" and keras.config.floatx() == "float32"
assert keras.__version__.startswith("3.") and tf.__version__ > "2."

layer = keras.layers.Dense(2, input_shape=(3,))
layer(numpy.ones((1, 3)))
keras.backend.set_value(layer.bias, [1.0, 2.0])
assert keras.backend.get_value(layer.bias).tolist() == [1.0, 2.0]
assert keras.backend.get_value(keras.optimizers.SGD(0.5).learning_rate) == 0.5
keras.backend.clear_session()
assert keras.layers.Dense(2).name == "dense"
numpy.random.seed(1), random.seed(1)
before = repr(numpy.random.get_state()), random.getstate()
tf.random.set_seed(5)
first = keras.initializers.RandomNormal()((3,)).tolist()
assert (repr(numpy.random.get_state()), random.getstate()) == before
keras.utils.set_random_seed(5)
assert keras.initializers.RandomNormal()((3,)).tolist() == first
assert (repr(numpy.random.get_state()), random.getstate()) != before

assert not hasattr(keras, "zzz") and not hasattr(tf, "zzz") and not hasattr(keras.layers, "__wrapped__")
for module in (keras, keras.layers, keras.losses, keras.backend, keras.utils, tf, tf.keras, tf.python):
    for name in dir(module):
        getattr(module, name)
try:
    import keras.applications
except ModuleNotFoundError:
    pass
print(json.dumps(sorted(name for name in dir() if name in ("Dense", "Flatten", "Later"))))
"""


def test_names_stand_for_those_of_fastnn():
    assert run(NAMES) == ["Dense", "Flatten", "Later"]


DOCTEST = """
import doctest, json, sys
sys.modules["keras_docs"] = module = type(sys)("keras_docs")
import fastnn.compat.keras
module.__doc__ = fastnn.compat.keras.__doc__
print(json.dumps(doctest.testmod(module, optionflags=doctest.ELLIPSIS)))
"""


def test_the_example_of_the_documentation():
    failed, attempted = run(DOCTEST)
    assert failed == 0 and attempted > 5


BACK = """
import json, sys
from fastnn import config
before = sys.meta_path.copy()
import fastnn.compat.keras
import keras.layers, tensorflow.keras
assert config.on_nonfinite() == "ignore" and keras.layers.Dense is fastnn.layers.Dense
fastnn.compat.keras.install()  # nothing happens
fastnn.compat.keras.uninstall()
fastnn.compat.keras.uninstall()
assert sys.meta_path == before and config.on_nonfinite() == "raise"
assert not [name for name in sys.modules if name.startswith(("keras", "tensorflow"))]
sys.path.insert(0, sys.stdin.read())
import keras
assert keras.real == 3
try:
    fastnn.compat.keras.install()
except ImportError as error:
    found = str(error)
assert sys.meta_path == before and keras.real == 3
del sys.modules["keras"]
fastnn.compat.keras.install()
import keras.layers
assert keras.layers.Dense is fastnn.layers.Dense
print(json.dumps(found))
"""


def test_there_is_a_way_back(tmp_path):
    """Where a Keras is installed, the alias is found first, and what is imported already stays."""
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("real = 3\n")
    found = run(BACK, str(tmp_path))
    assert PARTS.fullmatch(found) and "a process with keras" in found


# ---- values ------------------------------------------------------------------------------------------------

VALUES = """
import inspect, json, os, sys
alias = json.loads(sys.stdin.read())
if alias:
    import fastnn.compat.keras
import numpy as np
import keras
from keras import activations, losses, metrics, ops
if alias:
    from keras import backend
else:
    from keras._tf_keras.keras import backend

rng = np.random.default_rng(3)
hot = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 6)]
p = rng.random((6, 4), np.float32) + 0.1
p /= p.sum(-1, keepdims=True)
labels = np.argmax(hot, -1).astype(np.int32)
found = {}
for module in (activations, losses, metrics, ops, backend):
    for name in dir(module):
        function = getattr(module, name)
        if name.startswith("_") or isinstance(function, type) or not callable(function):
            continue
        for given, arguments in {"x": (p,), "hot, p": (hot, p), "labels, p": (labels, p), "p, hot": (p, hot)}.items():
            try:
                values = np.asarray(function(*arguments))
                if values.dtype.kind in "biuf":
                    found[f"{module.__name__.split('.')[-1]}.{name}({given})"] = values.astype(float).tolist()
            except Exception:
                pass  # what is refused is not wrong
print(json.dumps(found))
"""


def test_functions_give_what_they_give_in_keras():
    """Whatever takes the same arguments; most of all in the same order."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    pytest.importorskip("jax")  # the backend that Keras then computes with
    ours, theirs = run(VALUES, "true"), run(VALUES, "false", KERAS_BACKEND="jax")
    both = ours.keys() & theirs.keys()
    assert len(both) > 100
    mean_of_sample = {call for call in both if call.startswith("metrics.binary_accuracy")}  # as in Keras 2
    # Keras adds up all partial sums of the support, so its results do not add up to 1.
    sparsemax = {call for call in both if call.split("(")[0].endswith("sparsemax")}
    for call in sorted(both - mean_of_sample - sparsemax):
        np.testing.assert_allclose(ours[call], theirs[call], rtol=1e-5, atol=1e-6, err_msg=call)


# ---- wrong calls ---------------------------------------------------------------------------------------------

CONVOLUTION = "received a name that fastnn does not provide; expected one of .*Dense.*; to fix it, .*Keras itself"

# code: (error, what its message says)
WRONG = {
    "from keras.layers import Conv2DLSTM": ("ImportError", f"keras.layers.Conv2DLSTM: {CONVOLUTION}"),
    "from keras.layers import Dense, Convolution2D": ("ImportError", f"keras.layers.Convolution2D: {CONVOLUTION}"),
    "from keras.layers.core import MaxoutDense": ("ImportError", f"keras.layers.core.MaxoutDense: {CONVOLUTION}"),
    "from tensorflow.keras.layers import Dens": ("ImportError", "tensorflow.keras.layers.Dens: .*use Dense, or"),
    "from keras.layers.convolutional import Convolution2D": ("ImportError", "keras.layers.convolutional: "),
    "import keras.applications": ("ImportError", "keras.applications: received a name that fastnn"),
    "import tensorflow.keras.applications.vgg16": ("ImportError", "tensorflow.keras.applications: "),
    "from keras.wrappers.scikit_learn import KerasClassifier": ("ImportError", "keras.wrappers: "),
    "from keras.datasets import imdb": ("ImportError", "keras.datasets.imdb: .*concrete, mnist"),
    "from tensorflow import constant": ("ImportError", "tensorflow.constant: .*expected one of keras"),
    "import tensorflow.compat.v1": ("ImportError", "tensorflow.compat: "),
    "import tensorflow as tf; tf.Session()": ("AttributeError", "tensorflow.Session: "),
    "import tensorflow as tf; tf.keras.layers.Dense2": ("AttributeError", "tensorflow.keras.layers.Dense2: "),
    "import keras; keras.layers.Convolution2D(3)": ("AttributeError", f"keras.layers.Convolution2D: {CONVOLUTION}"),
    "import keras; keras.losses.mse2": ("AttributeError", "keras.losses.mse2: .*use mse"),
    "from keras import backend as K; K.set_session(1)": ("AttributeError", r"keras.backend.set_session: .*dir\("),
    "from keras import backend as K; K.binary_crossentropy": ("AttributeError", "keras.backend.binary_crossentropy"),
    "from keras import backend as K; K.set_value(0.1, 0.2)": ("TypeError", "x: received 0.1 .*learning_rate = value"),
    "from keras.optimizers import SGD; SGD(lr=0.1, learning_rate=0.1)": ("ValueError", "lr: .*besides learning_rate"),
    "from keras.optimizers import SGD; SGD(0.1, lr=0.1)": ("ValueError", "lr: .*besides learning_rate"),
    "from keras.optimizers import SGD; SGD(lr='fast')": ("TypeError", "learning_rate: received 'fast'"),
    "from keras.optimizers import SGD; SGD(rate=0.1)": ("ValueError", "argument of SGD: received 'rate'"),
    "from keras.optimizers import SGD; SGD(lr=0.1, decay=-1)": ("ValueError", "decay_rate: received -1"),
    "from keras.optimizers import SGD; SGD(lr=0.1).lr = None": ("TypeError", "learning_rate: received None"),
    "from keras.layers import Dense; Dense(3, output_dim=3)": ("ValueError", "output_dim: .*leave out output_dim"),
    "from keras.layers import Dense; Dense(3, lr=3)": ("ValueError", "argument of Dense: received 'lr'"),
    "from keras.layers import Dense; Dense(3, weights=[])": ("TypeError", r"weights: .*call set_weights\(\)"),
    "from keras.layers import Dense; Dense(3, W_constraint=1)": ("TypeError", "constraint: received 1"),
    "from keras.layers import Dense; Dense(3, batch_input_shape=(5, 2))": (
        "TypeError",
        "batch_input_shape: .*any size",
    ),
    "from keras.layers import Dense; Dense(3, batch_input_shape=3)": ("TypeError", "batch_input_shape: received 3"),
    "from keras.layers import Dropout; Dropout(p=0.5, keep_prob=0.5)": ("ValueError", "keep_prob: .*besides rate"),
    "from keras.layers import Dropout; Dropout(keep_prob=1.5)": ("ValueError", "keep_prob: received 1.5"),
    "from keras.layers import Dropout; Dropout(keep_prob='all')": ("TypeError", "keep_prob: received 'all'"),
    "from keras.utils import to_categorical as t; t([1], 2, nb_classes=2)": ("ValueError", "nb_classes: .*num_classes"),
    "MODEL.fit(X, X, nb_epoch=2, epochs=2)": ("ValueError", "nb_epoch: received 2 .*besides epochs"),
    "MODEL.fit(X, X, 4, 2, nb_epoch=2)": ("ValueError", "nb_epoch: received 2 .*besides epochs"),
    "MODEL.fit(X, X, nb_epoch=2.5)": ("TypeError", "epochs: received 2.5"),
    "MODEL.fit(X, X, show_accuracy=True)": ("TypeError", r'show_accuracy: .*metrics=\["accuracy"\]'),
    "MODEL.fit(X, X, samples_per_epoch=4)": ("TypeError", "samples_per_epoch: .*pass all samples"),
    "MODEL.evaluate(X, X, show_accuracy=True)": ("TypeError", r'show_accuracy: .*metrics=\["accuracy"\]'),
    "MODEL.compile('sgd', 'mse', class_mode='categorical')": ("TypeError", "class_mode: .*leave it out"),
}

WRONG_CALLS = """
import json, sys, warnings
import fastnn.compat.keras, fastnn, numpy as np

warnings.simplefilter("ignore")
X = np.ones((4, 2))
MODEL = fastnn.Sequential([fastnn.layers.Dense(2, input_shape=(2,))])
MODEL.compile("sgd", "mse")
before, found = [w.tolist() for w in MODEL.get_weights()], {}
for code in json.loads(sys.stdin.read()):
    try:
        exec(code)
    except Exception as error:
        found[code] = [c.__name__ for c in type(error).__mro__], str(error)
assert [w.tolist() for w in MODEL.get_weights()] == before and MODEL.optimizer.iterations == 0
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def errors():
    return run(WRONG_CALLS, json.dumps([*WRONG]))


@pytest.mark.parametrize("code", WRONG)
def test_wrong_calls(code, errors):
    error, says = WRONG[code]
    classes, message = errors[code]
    assert error in classes and PARTS.fullmatch(message), message
    assert re.search(says, message), message
