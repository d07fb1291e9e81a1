"""Counts of right and wrong decisions at thresholds, and what is made of them: precision, recall, areas under curves.

A prediction is positive where it is greater than the threshold. Predictions are sorted into the intervals between
the thresholds (one binary search each, one `numpy.bincount`), so that hundreds of thresholds cost little more than one.
"""

import numbers
from typing import Any

import numpy as np

from ..errors import check_array, check_flag, check_integer, check_number, invalid, is_one_of, show, unknown
from ..variable import allowed
from .base import Metric, paired

EPSILON = 1e-7  # added outside of [0, 1] to the first and the last threshold of a curve, as Keras does
THRESHOLD_FLOATS = 16  # that are in memory for each, in lists and arrays
MOST_THRESHOLDS = 10**7  # of a curve; each has four counts in memory


def check_fraction(argument: str, value: Any) -> float:
    """A number from 0 to 1."""
    return check_number(argument, value, 0, "a number from 0 to 1", "pass for example 0.5", 1)


def check_thresholds(thresholds: Any) -> list[float]:
    """One threshold or a sequence of them as a list of numbers from 0 to 1."""
    if isinstance(thresholds, numbers.Number):
        return [check_fraction("thresholds", thresholds)]
    flat = isinstance(thresholds, (list, tuple)) or (isinstance(thresholds, np.ndarray) and thresholds.ndim == 1)
    if not flat or len(thresholds) == 0:
        expected = "a number from 0 to 1 or a list of them"
        raise invalid("thresholds", show(thresholds), expected, "pass for example [0.3, 0.5]", TypeError)
    return [check_fraction("thresholds", value) for value in thresholds]


def divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a / b``, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b != 0)


def spread(weights: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of samples (or of their first axes) as float64 in the shape of the predictions."""
    array = check_array("sample_weight", weights, np.float64)
    array = array.reshape(array.shape + (1,) * (len(shape) - array.ndim))
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        fix = "pass one weight per sample"
        raise invalid("sample_weight", array, f"weights for predictions of shape {shape}", fix) from None


def same_shape(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of one shape; a last axis of 1 that one of them lacks is added or dropped."""
    y_true, y_pred = paired(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
            y_true = y_true[..., 0]
        elif y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
            y_pred = y_pred[..., 0]
    if y_true.shape != y_pred.shape:
        fix = "pass targets in the shape of the predictions, labels as utils.to_categorical makes them"
        raise invalid("y_true", y_true, f"an array of shape {y_pred.shape}, as the predictions", fix)
    return y_true, y_pred


def counts_at(
    y_true: np.ndarray, y_pred: np.ndarray, thresholds: np.ndarray, weights: np.ndarray, by_label: bool = False
) -> dict[str, np.ndarray]:
    """Weighted true and false positives and negatives at each threshold.

    Parameters
    ----------
    y_true, y_pred : ndarray of equal shape
        Targets are positive where they are not 0; predictions that are NaN are negative.
    thresholds : ndarray of shape (T,)
        In any order.
    weights : ndarray of the same shape
    by_label : bool
        Count each place of the last axis for itself.

    Returns
    -------
    dict of ndarray of shape (T,) or (T, labels), by the names of the counts
    """
    labels = y_pred.shape[-1] if by_label else 1
    order = np.argsort(thresholds, kind="stable")
    size = len(thresholds) + 1
    limits = thresholds[order].astype(y_pred.dtype)  # so that a float32 prediction of 0.3 equals a threshold of 0.3
    below = np.searchsorted(limits, np.where(np.isnan(y_pred), -np.inf, y_pred).ravel())  # thresholds below it
    positive = (y_true != 0).ravel()
    cell = 2 * below + positive
    if by_label:
        cell += 2 * size * (np.arange(cell.size) % labels)
    sums = np.bincount(cell, weights.ravel(), 2 * size * labels).reshape(labels, size, 2)
    upwards = np.cumsum(sums, axis=1)[:, :-1]  # not above threshold j: those with at most j thresholds below them
    downwards = np.cumsum(sums[:, ::-1], axis=1)[:, -2::-1]
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    found = {
        "true_positives": downwards[..., 1],
        "false_positives": downwards[..., 0],
        "true_negatives": upwards[..., 0],
        "false_negatives": upwards[..., 1],
    }
    return {name: (count.T if by_label else count[0])[back] for name, count in found.items()}


class Counts(Metric):
    """Base of the metrics that are made of `counts_at` thresholds, in variables named after the counts."""

    counted: tuple[str, ...] = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    thresholds: list[float]

    def __init__(self, thresholds: list[float], name: str | None, dtype: Any, top_k: Any = None, class_id: Any = None):
        super().__init__(name, dtype)
        self.thresholds = thresholds
        self.top_k, self.class_id = top_k, class_id
        if top_k is not None:
            check_integer("top_k", top_k, 1, "a positive integer", "pass how many of the largest predictions count")
        if class_id is not None:
            check_integer("class_id", class_id, 0, "the number of a class", "pass a number from 0 to classes - 1")
        even = np.arange(len(thresholds)) / max(len(thresholds) - 1, 1)
        self._even = len(thresholds) >= 3 and np.allclose(thresholds, even, atol=EPSILON)
        self._make((len(thresholds),))

    def _make(self, shape: tuple[int, ...]) -> None:
        for kind in self.counted:
            setattr(self, kind, self.add_variable(shape, name=kind))

    def _chosen(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What `top_k` and `class_id` leave."""
        if self.top_k is not None:
            if self.top_k > y_pred.shape[-1]:
                fix = "choose a smaller top_k"
                raise invalid("top_k", self.top_k, f"at most the classes of predictions {y_pred.shape}", fix)
            places = np.argsort(-y_pred, axis=-1, kind="stable")[..., : self.top_k]  # of equal ones the first
            kept = np.full_like(y_pred, -1e10)  # below every threshold, and not above that of Keras' top_k
            np.put_along_axis(kept, places, np.take_along_axis(y_pred, places, -1), -1)
            y_pred = kept
        if self.class_id is not None:
            if y_pred.ndim < 2 or self.class_id >= y_pred.shape[-1]:
                fix = "pass a number from 0 to classes - 1"
                raise invalid("class_id", self.class_id, f"a class of predictions of shape {y_pred.shape}", fix)
            y_true, y_pred = (a[..., self.class_id : self.class_id + 1] for a in (y_true, y_pred))
        return y_true, y_pred

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_shape(y_true, y_pred)
        y_true, y_pred = self._chosen(y_true, y_pred)
        weights = spread(1.0 if sample_weight is None else sample_weight, y_pred.shape)
        self._count(y_true, y_pred, weights)

    def _count(self, y_true: np.ndarray, y_pred: np.ndarray, weights: np.ndarray, by_label: bool = False) -> None:
        y_pred = np.clip(y_pred, 0, 1) if self._even else y_pred  # Keras' rule for a curve
        found = counts_at(y_true, y_pred, np.array(self.thresholds), weights, by_label)
        for kind in self.counted:
            getattr(self, kind).assign_add(found[kind])

    def _values(self, *kinds: str) -> list[np.ndarray]:
        return [getattr(self, kind).numpy() for kind in kinds]

    def _each(self, values: np.ndarray) -> Any:
        """The values at the thresholds, that of the only one as a number."""
        return self.typed(values[0] if len(self.thresholds) == 1 else values)


class Decisions(Counts):
    """One of the four counts."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: str | None = None):
        self._given = thresholds
        super().__init__(check_thresholds(0.5 if thresholds is None else thresholds), name, dtype)

    def result(self) -> Any:
        return self._each(self._values(*self.counted)[0])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self._given}


class TruePositives(Decisions):
    """Weighted number of predictions above the threshold whose target is 1.

    Parameters
    ----------
    thresholds : float or list of float from 0 to 1, default 0.5
        Of several, the result is an array with one count each.
    name : str, optional
    dtype : {"float32", "float64"}, optional
        Type to which the result is rounded.

    Examples
    --------
    >>> import numpy as np
    >>> TruePositives(thresholds=[0.2, 0.6])(np.array([1, 1, 0]), np.array([0.3, 0.7, 0.9]))
    array([2., 1.])
    """

    counted = ("true_positives",)


class FalsePositives(Decisions):
    """Weighted number of predictions above the threshold whose target is 0; arguments as `TruePositives`."""

    counted = ("false_positives",)


class TrueNegatives(Decisions):
    """Weighted number of predictions not above the threshold whose target is 0; arguments as `TruePositives`."""

    counted = ("true_negatives",)


class FalseNegatives(Decisions):
    """Weighted number of predictions not above the threshold whose target is 1; arguments as `TruePositives`."""

    counted = ("false_negatives",)


class Precision(Counts):
    """True positives / (true positives + false positives), 0 where there are no positives.

    Parameters
    ----------
    thresholds : float or list of float from 0 to 1, optional
        Default: 0.5, and with `top_k` none. Of several, the result is an array.
    top_k : int, optional
        Only the k largest predictions of a sample, along the last axis, can be positive.
    class_id : int, optional
        Only this place of the last axis is counted.
    name : str, optional
    dtype : {"float32", "float64"}, optional
        Type to which the result is rounded.

    Examples
    --------
    >>> import numpy as np
    >>> Precision()(np.array([0, 1, 1, 1]), np.array([1.0, 0.0, 1.0, 1.0])) == 2 / 3
    True
    """

    counted: tuple[str, ...] = ("true_positives", "false_positives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        self._given = thresholds
        made = check_thresholds(0.5 if thresholds is None else thresholds)
        if thresholds is None and top_k is not None:
            made = [-1e10]
        super().__init__(made, name, dtype, top_k, class_id)

    def result(self) -> Any:
        hits, misses = self._values(*self.counted)
        return self._each(divided(hits, hits + misses))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self._given, "top_k": self.top_k, "class_id": self.class_id}


class Recall(Precision):
    """True positives / (true positives + false negatives), 0 where no target is 1; arguments as `Precision`.

    Examples
    --------
    >>> import numpy as np
    >>> Recall()(np.array([0, 1, 1, 1]), np.array([1.0, 0.0, 1.0, 1.0])) == 2 / 3
    True
    """

    counted = ("true_positives", "false_negatives")


class AtLeast(Counts):
    """The best value of one rate where another is at least a number, over evenly spaced thresholds."""

    argument = ""
    constrained = dependent = ("", "")

    def __init__(self, value: Any, num_thresholds: Any, class_id: Any, name: Any, dtype: Any):
        self.value = check_fraction(self.argument, value)
        expected, fix = f"an integer from 1 to {MOST_THRESHOLDS}", "pass for example 200"
        self.num_thresholds = check_integer("num_thresholds", num_thresholds, 1, expected, fix, MOST_THRESHOLDS)
        allowed.spend("num_thresholds", (num_thresholds, THRESHOLD_FLOATS), "float64")
        even = [0.5] if num_thresholds == 1 else (np.arange(num_thresholds) / (num_thresholds - 1)).tolist()
        super().__init__(even, name, dtype, class_id=class_id)

    def _rate(self, hits: str, others: str) -> np.ndarray:
        a, b = self._values(hits, others)
        return divided(a, a + b)

    def result(self) -> Any:
        feasible = self._rate(*self.constrained) >= self.value
        return self.typed(np.max(np.where(feasible, self._rate(*self.dependent), 0), initial=0))

    def get_config(self) -> dict[str, Any]:
        own = {self.argument: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return super().get_config() | own


SENSITIVITY = ("true_positives", "false_negatives")
SPECIFICITY = ("true_negatives", "false_positives")
PRECISION = ("true_positives", "false_positives")


class SensitivityAtSpecificity(AtLeast):
    """The largest sensitivity (recall) at thresholds where the specificity is at least a number.

    Parameters
    ----------
    specificity : float from 0 to 1
    num_thresholds : int, default 200
        Evenly spaced from 0 to 1.
    class_id : int, optional
    name : str, optional
    dtype : {"float32", "float64"}, optional

    Examples
    --------
    >>> import numpy as np
    >>> SensitivityAtSpecificity(0.5)(np.array([0, 0, 0, 1, 1]), np.array([0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    argument, constrained, dependent = "specificity", SPECIFICITY, SENSITIVITY

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = self.value


class SpecificityAtSensitivity(AtLeast):
    """The largest specificity where the sensitivity is at least a number; arguments as `SensitivityAtSpecificity`."""

    argument, constrained, dependent = "sensitivity", SENSITIVITY, SPECIFICITY

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = self.value


class PrecisionAtRecall(AtLeast):
    """The largest precision where the recall is at least a number; arguments as `SensitivityAtSpecificity`."""

    argument, constrained, dependent = "recall", SENSITIVITY, PRECISION

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = self.value


class RecallAtPrecision(AtLeast):
    """The largest recall where the precision is at least a number; arguments as `SensitivityAtSpecificity`."""

    argument, constrained, dependent = "precision", PRECISION, SENSITIVITY

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = self.value


class AUC(Counts):
    """Area under a curve of rates over thresholds, approximated by a Riemann sum.

    Parameters
    ----------
    num_thresholds : int, default 200
        Evenly spaced; the more, the nearer to the area under the exact curve.
    curve : {"ROC", "PR", "PRGAIN"}
        Recall over the false positive rate; precision over recall; both as gains over the random classifier
        (Flach and Kull 2015).
    summation_method : {"interpolation", "minoring", "majoring"}
        Heights are the means, the lesser or the greater ones of the ends of an interval. With "PR",
        "interpolation" follows Davis and Goadrich 2006: true positives, not precision, are linear between thresholds.
    name : str, optional
    dtype : {"float32", "float64"}, optional
    thresholds : list of float from 0 to 1, optional
        Instead of `num_thresholds`; one below 0 and one above 1 are added.
    multi_label : bool, default False
        An area for each place of the last axis, then their mean; else all places are counted together.
    num_labels : int, optional
        How many there are with `multi_label`; default: as the first predictions say.
    label_weights : list of float, optional
        For that mean, or without `multi_label` for the counts.
    from_logits : bool, default False
        Take the sigmoid of the predictions.

    Examples
    --------
    >>> import numpy as np
    >>> AUC(num_thresholds=3)(np.array([0, 0, 1, 1]), np.array([0, 0.5, 0.3, 0.9]))
    0.75
    """

    kept = ("_labels",)

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        curves, methods = ("ROC", "PR", "PRGAIN"), ("interpolation", "minoring", "majoring")
        if not is_one_of(curve, (*curves, *map(str.lower, curves))):
            raise unknown("curve", curve, curves)
        if not is_one_of(summation_method, (*methods, *map(str.capitalize, methods))):
            raise unknown("summation_method", summation_method, methods)
        expected, fix = f"an integer from 2 to {MOST_THRESHOLDS}", "pass for example 200"
        if thresholds is None:
            check_integer("num_thresholds", num_thresholds, 2, expected, fix, MOST_THRESHOLDS)
            allowed.spend("num_thresholds", (num_thresholds, THRESHOLD_FLOATS), "float64")
            inner = (np.arange(1, num_thresholds - 1) / (num_thresholds - 1)).tolist()
        else:
            given = thresholds.tolist() if isinstance(thresholds, np.ndarray) else thresholds
            inner = [] if is_one_of(given, ([], ())) else sorted(check_thresholds(thresholds))
        self.curve, self.summation_method = curve.upper(), summation_method.lower()
        self.multi_label = check_flag("multi_label", multi_label)
        self.from_logits = check_flag("from_logits", from_logits)
        self._given = thresholds is not None
        self.num_thresholds = len(inner) + 2
        self.num_labels = num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = check_array("label_weights", label_weights, np.float64)
            if self.label_weights.ndim != 1 or not (self.label_weights >= 0).all():
                raise invalid("label_weights", show(label_weights), "numbers of at least 0", "pass one for each label")
        if num_labels is not None:
            if not multi_label:
                raise invalid("num_labels", num_labels, "None without multi_label", "pass multi_label=True")
            check_integer("num_labels", num_labels, 1, "a positive integer", "pass how many labels there are")
        self._labels: int | None = None
        super().__init__([-EPSILON, *inner, 1 + EPSILON], name, dtype)

    def _add_variables(self) -> None:
        self._make((self.num_thresholds,))

    def _make(self, shape: tuple[int, ...]) -> None:
        if self.multi_label and self._labels is None:
            self._labels = self.num_labels
        if not self.multi_label or self._labels:
            super()._make(shape if not self.multi_label else (*shape, self._labels or 0))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_shape(y_true, y_pred)
        if self.multi_label and (y_pred.ndim != 2 or y_pred.shape[1] != (self._labels or y_pred.shape[1])):
            expected = f"shape (samples, {self._labels or 'labels'}) with multi_label"
            raise invalid("y_pred", y_pred, expected, "pass one prediction for each label")
        weights = spread(1.0 if sample_weight is None else sample_weight, y_pred.shape)
        if self.label_weights is not None:
            if y_pred.shape[-1] != self.label_weights.size:
                fix = "pass one weight for each label"
                raise invalid("label_weights", self.label_weights, f"weights for predictions {y_pred.shape}", fix)
            weights = weights if self.multi_label else weights * self.label_weights
        if self.multi_label and self._labels is None:
            self._labels = y_pred.shape[1]
            self._add_variables()
        if self.from_logits:
            with np.errstate(over="ignore"):
                y_pred = 1 / (1 + np.exp(-y_pred))
        self._count(y_true, y_pred, weights, self.multi_label)

    def _axes(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the curve at the thresholds."""
        if self.curve == "ROC":
            return divided(fp, fp + tn), divided(tp, tp + fn)
        if self.curve == "PR":
            return divided(tp, tp + fn), divided(tp, tp + fp)
        odds = divided(tp + fn, tn + fp)
        recall = np.where(tp == 0, 0, 1 - odds * divided(fn, tp))
        return np.maximum(recall, 0), np.where(tp == 0, 1, 1 - odds * divided(fp, tp))

    def result(self) -> Any:
        if self.multi_label and self._labels is None:
            return self.typed(0.0)
        counts = self._values("true_positives", "false_positives", "true_negatives", "false_negatives")
        if self.curve == "PR" and self.summation_method == "interpolation":
            tp, fp, _, fn = counts
            areas = interpolated(tp, fp, fn).sum(axis=0)
        else:
            x, y = self._axes(*counts)
            heights = {
                "interpolation": (y[:-1] + y[1:]) / 2,
                "minoring": np.minimum(y[:-1], y[1:]),
                "majoring": np.maximum(y[:-1], y[1:]),
            }[self.summation_method]
            areas = ((x[:-1] - x[1:]) * heights).sum(axis=0)
        if not self.multi_label:
            return self.typed(areas)
        if self.label_weights is None:
            return self.typed(areas.mean())
        return self.typed(divided((areas * self.label_weights).sum(), self.label_weights.sum()))

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        given = {"thresholds": self.thresholds[1:-1]} if self._given else {}
        return super().get_config() | own | given


def interpolated(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """Area under precision over recall between thresholds, true positives linear in all positives.

    With tp = a + b p on an interval, ``sum (a / p + b) dtp`` is ``b (dtp + a log(p_0 / p_1))``.
    """
    positives = tp + fp
    step = tp[:-1] - tp[1:]
    slope = divided(step, np.maximum(positives[:-1] - positives[1:], 0))
    start = tp[1:] - slope * positives[1:]
    ratio = np.where((positives[:-1] > 0) & (positives[1:] > 0), divided(positives[:-1], positives[1:]), 1)
    with np.errstate(divide="ignore"):
        return divided(slope * (step + start * np.log(ratio)), (tp + fn)[1:])
