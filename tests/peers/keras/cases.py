"""`keras.testing` for Keras' own tests: the assertions that they use, over fastnn."""

import importlib
import itertools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import backend
import numpy as np
import pytest
from absl.testing import parameterized

import fastnn
from fastnn import registry
from fastnn.layers.base import reset_names


def no(*_: Any) -> bool:
    return False


uses_gpu = uses_tpu = jax_uses_gpu = jax_uses_tpu = tensorflow_uses_gpu = tensorflow_uses_tpu = torch_uses_gpu = no


def skip_if_backend(name: str, reason: str) -> Any:
    return pytest.mark.skipif(backend.backend() == name, reason=reason)


def named_product(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """All combinations of the values, each with a name, for `parameterized.named_parameters`."""
    base = args[0] if args else [{}]
    found = []
    for start, values in itertools.product(base, itertools.product(*kwargs.values())):
        case = dict(start) | dict(zip(kwargs, values, strict=True))
        label = "_".join(str(value) for key, value in case.items() if key != "testcase_name")
        found.append(case | {"testcase_name": f"{start.get('testcase_name', '')}_{label}"})
    return found


def get_test_data(
    train_samples: int, test_samples: int, input_shape: Any, num_classes: int, random_seed: int | None = None
) -> Any:
    """Samples and labels of classes that lie apart, to train and to test with."""
    generator = np.random.default_rng(random_seed)
    centres = generator.normal(size=(num_classes, *input_shape))

    def drawn(n: int) -> Any:
        y = np.arange(n) % num_classes
        return (centres[y] + 0.1 * generator.normal(size=(n, *input_shape))).astype("float32"), y

    return drawn(train_samples), drawn(test_samples)


def as_json(value: Any) -> str:
    """A configuration as text in which tuples are not lists."""

    def tagged(part: Any) -> Any:
        if isinstance(part, tuple):
            return {"tuple": [tagged(item) for item in part]}
        if isinstance(part, list):
            return [tagged(item) for item in part]
        if isinstance(part, dict):
            return {key: tagged(item) for key, item in part.items()}
        return part

    return json.dumps(tagged(value), sort_keys=True)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (list, tuple)) else [value]


def is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(n, (int, type(None))) for n in value)


def map_shapes(function: Any, shapes: Any) -> Any:
    """`function` of each shape in lists, tuples and dicts of shapes."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, shape) for key, shape in shapes.items()}
    return type(shapes)(map_shapes(function, shape) for shape in shapes)


class TestCase(parameterized.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        reset_names()

    def get_temp_dir(self) -> str:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def convert_to_numpy(self, x: Any) -> np.ndarray:
        return x if isinstance(x, np.ndarray) else np.array(x)

    def assertAllClose(self, actual, desired, atol=1e-6, rtol=1e-6, tpu_atol=None, tpu_rtol=None, msg=None):
        actual, desired = self.convert_to_numpy(actual), self.convert_to_numpy(desired)
        np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol, err_msg=msg or "")

    def assertNotAllClose(self, x1, x2, atol=1e-6, rtol=1e-6, msg=None):
        with self.assertRaises(AssertionError, msg=msg):
            self.assertAllClose(x1, x2, atol, rtol)

    def assertAlmostEqual(self, actual, desired, decimal=3, tpu_decimal=None, msg=None):
        actual, desired = self.convert_to_numpy(actual), self.convert_to_numpy(desired)
        np.testing.assert_almost_equal(actual, desired, decimal=decimal, err_msg=msg or "")

    def assertAllEqual(self, actual, desired, msg=None):
        actual, desired = self.convert_to_numpy(actual), self.convert_to_numpy(desired)
        np.testing.assert_array_equal(actual, desired, err_msg=msg or "")

    def assertLen(self, iterable, expected_len, msg=None):
        self.assertEqual(len(iterable), expected_len, msg)

    def assertSparse(self, x, sparse=True):
        self.assertFalse(sparse, "there are no sparse tensors")

    def assertRagged(self, x, ragged=True):
        self.assertFalse(ragged, "there are no ragged tensors")

    def assertDType(self, x, dtype, msg=None):
        found = x.dtype if hasattr(x, "dtype") else type(x)
        self.assertEqual(backend.standardize_dtype(found), backend.standardize_dtype(dtype), msg)

    def assertFileExists(self, path):
        self.assertTrue(Path(path).is_file(), f"no file {path}")

    def run_class_serialization_test(self, instance, custom_objects=None):
        """An equal object comes of the configuration, by the class and by the module that knows its name."""
        config = instance.get_config()
        again = type(instance).from_config(config)
        self.assertEqual(as_json(config), as_json(again.get_config()))
        self.assertEqual(set(dir(instance)), set(dir(again)))
        owner = next(cls.__module__ for cls in type(instance).__mro__ if cls.__module__.startswith("fastnn."))
        module = importlib.import_module(".".join(owner.split(".")[:2]))
        revive = getattr(module, "deserialize", None) or getattr(module, "get", None)
        if revive is None:  # layers and models have neither
            return again
        text = json.loads(json.dumps(registry.serialize("object", instance)))
        again = registry.deserialize(text, custom_objects, revive)
        self.assertEqual(json.dumps(config, sort_keys=True), json.dumps(again.get_config(), sort_keys=True))
        self.assertEqual(set(dir(instance)), set(dir(again)))
        return again

    def run_layer_test(
        self,
        layer_cls,
        init_kwargs,
        input_shape=None,
        input_dtype=None,
        input_sparse=False,
        input_ragged=False,
        input_data=None,
        call_kwargs=None,
        expected_output_shape=None,
        expected_output_dtype=None,
        expected_output_sparse=False,
        expected_output_ragged=False,
        expected_output=None,
        expected_num_trainable_weights=None,
        expected_num_non_trainable_weights=None,
        expected_num_non_trainable_variables=None,
        expected_num_seed_generators=None,
        expected_num_losses=None,
        supports_masking=None,
        expected_mask_shape=None,
        custom_objects=None,
        run_training_check=True,
        run_mixed_precision_check=True,
        assert_built_after_instantiation=False,
        tpu_atol=None,
        tpu_rtol=None,
    ):
        """Configuration, weights, shapes, types and values of a layer; not half precision, which fastnn has not.

        Symbolic calls are on inputs of any batch size, the only ones that fastnn has; the training step is one
        of `fit` on the mean square of the output.
        """
        kwargs, call_kwargs = init_kwargs or {}, call_kwargs or {}
        self.assertFalse(input_sparse or input_ragged, "there are no sparse or ragged tensors")
        layer = layer_cls(**kwargs)
        self.run_class_serialization_test(layer, custom_objects)
        if supports_masking is not None:
            self.assertEqual(layer.supports_masking, supports_masking)
        if assert_built_after_instantiation:
            self.assertTrue(layer.built)
        if input_data is None and input_shape is None:
            return

        def check_built(layer):
            self.assertTrue(layer.built)
            for names, number in (
                ("trainable_weights", expected_num_trainable_weights),
                ("non_trainable_weights", expected_num_non_trainable_weights),
                ("non_trainable_variables", expected_num_non_trainable_variables),
            ):
                if number is not None:
                    self.assertLen(getattr(layer, names), number, names)

        def check_output(output, eager):
            if expected_output_shape is not None:
                shapes = [expected_output_shape] if is_shape(expected_output_shape) else list(expected_output_shape)
                for shape, x in zip(shapes, leaves(output), strict=True):
                    self.assertLen(x.shape, len(shape))
                    for n, m in list(zip(shape, x.shape, strict=True))[0 if eager else 1 :]:
                        self.assertIn(n, (None, m))
            if expected_output_dtype is not None:
                for dtype, x in zip(leaves(expected_output_dtype), leaves(output), strict=True):
                    self.assertDType(x, dtype)

        if input_data is None:
            generator = np.random.default_rng(0)
            dtypes = iter(leaves(input_dtype or "float32") * 99)
            input_data = map_shapes(lambda shape: (generator.random(shape) * 3).astype(next(dtypes)), input_shape)
        shapes = input_shape
        if shapes is None:
            data = input_data
            shapes = [np.shape(x) for x in data] if isinstance(data, (list, tuple)) else np.shape(data)
        layer = layer_cls(**kwargs)
        layer.build(shapes)
        check_built(layer)

        layer = layer_cls(**kwargs)
        symbolic = map_shapes(lambda shape: fastnn.Input(batch_shape=(None, *shape[1:])), shapes)
        output = layer(**symbolic, **call_kwargs) if isinstance(symbolic, dict) else layer(symbolic, **call_kwargs)
        check_built(layer)
        check_output(output, eager=False)

        layer = layer_cls(**kwargs)
        called = isinstance(input_data, dict)
        output = layer(**input_data, **call_kwargs) if called else layer(input_data, **call_kwargs)
        check_output(output, eager=True)
        if expected_output is not None:
            for wanted, x in zip(leaves(expected_output), leaves(output), strict=True):
                self.assertAllClose(wanted, x)
        if expected_num_losses is not None:
            self.assertLen(layer.losses, expected_num_losses)
        if run_training_check and not called and not call_kwargs:
            inputs = map_shapes(lambda shape: fastnn.Input(batch_shape=(None, *shape[1:])), shapes)
            model = fastnn.Model(inputs, layer_cls(**kwargs)(inputs))
            model.compile(optimizer="sgd", loss="mean_squared_error")
            model.fit(input_data, np.zeros_like(np.asarray(leaves(output)[0])), epochs=1, verbose=0)
