"""What users pass as data, checked and brought into the form that programs read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import tree
from ..errors import check_array, check_number, invalid, show
from ..layers.base import arrays_in_list
from ..losses import LABELS, align_target
from ..ops.table import Shape


def numbers(argument: str, value: Any) -> np.ndarray:
    """An array of real numbers with at least one sample, or the error."""
    array = check_array(argument, value)
    if array.ndim == 0:
        raise invalid(argument, value, "an array with the samples along axis 0", "put the sample into a list")
    if len(array) == 0:
        raise invalid(argument, array, "at least one sample", "check how the data were selected")
    return array


@dataclass
class Samples:
    """Inputs, targets and weights, an array for each input and output of a model.

    Attributes
    ----------
    x : list of ndarray
    y, weights : list of ndarray or None
        None for an output without loss and metrics, and where there are no weights.
    """

    x: list[np.ndarray]
    y: list[np.ndarray | None]
    weights: list[np.ndarray | None]

    def __len__(self) -> int:
        return len(self.x[0])

    def part(self, low: int, high: int) -> "Samples":
        """The samples from `low` to below `high`."""

        def cut(arrays: list[Any]) -> list[Any]:
            return [array if array is None else array[low:high] for array in arrays]

        return Samples(cut(self.x), cut(self.y), cut(self.weights))


def parts(argument: str, value: Any, names: list[str], noun: str, shapes: Any = None) -> list[Any]:
    """What belongs to each input or output of a model.

    Parameters
    ----------
    argument : str
    value : array_like, or a list, dict or table of them
        A dict, and a table with named columns for several inputs, are taken apart by name.
    names : list of str
    noun : {"input", "output"}
    shapes : nested structure of tuple, optional
        Of the inputs or outputs; what is made in the same way is taken apart by its places.
    """
    if shapes is not None and not tree.is_shape(shapes):
        found = tree.unpack(shapes, value)
        if found is not None:
            return found
    known = f"the {noun}{'s' * (len(names) > 1)} {', '.join(map(repr, names))}"
    if isinstance(value, Mapping) or (len(names) > 1 and hasattr(value, "columns")):
        keys = list(getattr(value, "columns", value))
        wrong = [f"without {name!r}" for name in names if name not in keys]
        wrong += [f"with {key!r}" for key in keys if key not in names and isinstance(value, Mapping)]
        if wrong:
            received = f"a {type(value).__name__} {wrong[0]}"
            raise invalid(argument, received, f"an array for {known}", f"name its entries like the {noun}s")
        return [value[name] for name in names]
    if len(names) == 1:
        return list(value) if arrays_in_list(value) and len(value) == 1 else [value]
    if not isinstance(value, (list, tuple)):
        raise invalid(argument, show(value), f"a list or a dict with an array for {known}", "pass one for each")
    found = list(value) if len(value) == len(names) else [a for a in tree.leaves(value) if isinstance(a, np.ndarray)]
    if len(found) != len(names):
        received = f"a list of {len(value)}"
        raise invalid(argument, received, f"a list or a dict with an array for {known}", "pass one for each")
    return found


def column_names(value: Any) -> list[str] | None:
    """The names of the columns of a table; None for what has no columns."""
    names = getattr(value, "columns", None)
    return [str(name) for name in names] if isinstance(names, Iterable) else None


def structure(value: Any) -> Any:
    """The data of a model that has no inputs yet: a dict, or a list of arrays, is several of them."""
    if isinstance(value, Mapping):
        return {key: structure(part) for key, part in value.items()}
    return list(value) if arrays_in_list(value) else value


def features(argument: str, value: Any, input_shape: Shape | None) -> np.ndarray:
    """Inputs of a model as they were given, but with the shape the model wants.

    A vector becomes a column, as in Keras, unless samples are numbers.
    """
    array = numbers(argument, value)
    if array.ndim == 1 and input_shape != (None,):
        array = array[:, None]
    if input_shape is not None and array.shape[1:] != tuple(input_shape[1:]):
        raise invalid(
            argument,
            array,
            "shape " + str(("samples", *input_shape[1:])).replace("'", ""),
            "reshape the data or change the model's input shape",
        )
    return array


def stored(array: np.ndarray, dtype: str) -> np.ndarray:
    """A C-contiguous array that a gather step reads: uint8 stays, all else becomes `dtype`."""
    return contiguous(array, "uint8" if array.dtype == np.uint8 else dtype)


def contiguous(array: np.ndarray, dtype: str) -> np.ndarray:
    """The array in C order and of a dtype; copied only where it is not so already."""
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf, which training reports
        return np.ascontiguousarray(array, dtype)


def targets(
    argument: str, value: Any, prediction: Shape, kind: str, dtype: str, layer: str, ignored: int | None = None
) -> np.ndarray:
    """Targets in the shape that goes with the predictions; labels but `ignored` are checked, and become int32."""
    array = align_target(numbers(argument, value), prediction, kind, f"layer {layer!r}, {argument}")
    if kind != LABELS:
        return contiguous(array, dtype)
    classes = prediction[-1]
    checked = array if ignored is None else array[array != ignored]
    low, high = (checked.min(), checked.max()) if checked.size else (0, 0)
    fractions = checked[checked != np.floor(checked)] if array.dtype.kind == "f" else checked[:0]  # and NaN
    if not (low >= 0 and high < classes) or fractions.size:
        raise invalid(
            argument,
            f"the label {fractions.flat[0]}" if fractions.size else f"labels from {low} to {high}",
            f"integers from 0 to {classes - 1}",
            "give the last layer one unit per class, counted from 0",
        )
    return np.ascontiguousarray(array, np.int32)


def weights(
    sample_weight: Any, class_weight: dict[int, float] | None, y: Any, samples: int, dtype: str
) -> np.ndarray | None:
    """One weight per sample from both kinds of weights; None when there are none."""
    result = None
    if sample_weight is not None:
        result = numbers("sample_weight", sample_weight)
        if result.ndim == 2 and result.shape[1] == 1:
            result = result[:, 0]
        if result.shape != (samples,):
            raise invalid("sample_weight", result, f"shape ({samples},)", "pass one weight per sample")
    if class_weight is not None:
        if not isinstance(class_weight, dict):
            raise invalid(
                "class_weight",
                show(class_weight),
                "a dict from class to weight",
                "pass for example {0: 1.0, 1: 5.0}",
                TypeError,
            )
        labels = np.asarray(y)
        if labels.ndim > 1 and labels.shape[-1] > 1:
            labels = labels.argmax(-1)
        labels = labels.reshape(samples, -1)[:, 0]
        if not ((labels == np.floor(labels)) & (np.abs(labels) < 2**53)).all():  # false for NaN
            raise invalid("class_weight", "targets that are not integers", "class labels", "pass sample_weight instead")
        labels = labels.astype(np.int64)
        classes, which = np.unique(labels, return_inverse=True)
        by_class = np.array(
            [
                check_number(
                    "class_weight", class_weight.get(label, 1.0), 0, "finite weights of at least 0", "correct it"
                )
                for label in classes.tolist()
            ]
        )[which]
        result = by_class if result is None else result * by_class
    if result is None:
        return None
    result = contiguous(result, dtype)
    if not np.isfinite(result).all() or (result < 0).any():
        raise invalid(
            "sample_weight",
            "a negative or non-finite weight",
            "finite weights of at least 0",
            "correct that weight",
        )
    return result


def equal_lengths(**arrays: Any) -> None:
    """All arrays have as many samples as the first."""
    (first, reference), *rest = arrays.items()
    for name, array in rest:
        if array is not None and len(array) != len(reference):
            raise invalid(
                name, f"{len(array)} samples", f"{len(reference)} samples, as in {first}", "pass arrays of equal length"
            )


def split(part: float, samples: Samples) -> tuple[Samples, Samples]:
    """Training and validation data: the last part of the rows is for validation, as in Keras."""
    at = int(len(samples) * (1 - part))
    if at == 0 or at == len(samples):
        raise invalid(
            "validation_split",
            f"{part} of {len(samples)} samples, which leaves one side empty",
            "at least one sample on each side",
            "pass more samples or validation_data",
        )
    return samples.part(0, at), samples.part(at, len(samples))
