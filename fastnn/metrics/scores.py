"""F-beta scores, the coefficient of determination, correlations, the confusion matrix and intersections over unions."""

import warnings
from typing import Any

import numpy as np

from .. import losses
from ..errors import check_array, check_flag, check_integer, check_number, invalid, is_one_of, show, unknown
from ..losses import LABELS, VALUES
from ..ops.table import Shape
from .base import Mean, MeanMetricWrapper, Metric
from .confusion import EPSILON, check_fraction, same_shape, spread


def check_matrix(y_true: np.ndarray, y_pred: np.ndarray, width: int | None) -> None:
    """Targets and predictions must be of shape (samples, width)."""
    if y_pred.ndim != 2 or y_pred.shape[1] != (width or y_pred.shape[1]):
        raise invalid("y_pred", y_pred, f"shape (samples, {width or 'n'})", "pass a matrix with a row for each sample")


class FBetaScore(Metric):
    """Weighted harmonic mean of precision and recall: ``(1 + b^2) p r / (b^2 p + r)``, for each class.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None gives an array with a score for each class; "micro" counts all classes together; "macro" is the mean of
        the scores, "weighted" that weighted by the number of targets.
    beta : float, default 1.0
        Recall counts beta times as much as precision.
    threshold : float, optional
        Predictions above it are positive. Default: the largest one of a sample is.
    name : str, default "fbeta_score"
    dtype : {"float32", "float64"}, optional

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[1, 0], [0, 1], [0, 1]])
    >>> FBetaScore("micro", beta=2.0)(y, np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])).__round__(4)
    0.6667
    """

    kept = ("_width",)

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: str | None = None,
    ):
        super().__init__(name, dtype)
        if not is_one_of(average, (None, "micro", "macro", "weighted")):
            raise unknown("average", average, ("micro", "macro", "weighted"))
        self.average = average
        self.beta = check_number("beta", beta, np.nextafter(0, 1), "a number greater than 0", "pass for example 2.0")
        self.threshold = None if threshold is None else check_fraction("threshold", threshold)
        if threshold == 0:
            raise invalid("threshold", threshold, "a number greater than 0, up to 1", "pass for example 0.5")
        self._width: int | None = None

    def _add_variables(self) -> None:
        shape = () if self.average == "micro" else (self._width or 0,)
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, name="intermediate_weights")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_shape(y_true, y_pred)
        check_matrix(y_true, y_pred, self._width)
        weights = spread(1.0 if sample_weight is None else sample_weight, y_pred.shape)
        if self._width is None:
            self._width = y_pred.shape[1]
            self._add_variables()
        if self.threshold is None:
            positive = (y_pred == y_pred.max(axis=-1, keepdims=True, initial=-np.inf)) & (np.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        axis = None if self.average == "micro" else 0
        true = y_true.astype(np.float64) * weights
        self.true_positives.assign_add((positive * true).sum(axis=axis))
        self.false_positives.assign_add((positive * (weights - true)).sum(axis=axis))
        self.false_negatives.assign_add((~positive * true).sum(axis=axis))
        self.intermediate_weights.assign_add(true.sum(axis=axis))

    def result(self) -> Any:
        if self._width is None:
            return self.typed(0.0)
        tp, fp, fn, weights = (v.numpy() for v in self.variables)
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        square = self.beta**2
        scores = (1 + square) * precision * recall / (square * precision + recall + EPSILON)
        if self.average == "weighted":
            return self.typed((scores * weights / (weights.sum() + EPSILON)).sum())
        return self.typed(scores if self.average is None else scores.mean())

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """`FBetaScore` with beta 1.

    Examples
    --------
    >>> import numpy as np
    >>> F1Score(threshold=0.5)(np.array([[1, 0], [0, 1]]), np.array([[0.8, 0.2], [0.3, 0.7]])).round(3)
    array([1., 1.])
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: str | None = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "beta"}


class RootMeanSquaredError(MeanMetricWrapper):
    """Root of the weighted mean of `fastnn.losses.mean_squared_error`.

    Examples
    --------
    >>> import numpy as np
    >>> RootMeanSquaredError()(np.array([[0.0, 0.0]]), np.array([[3.0, 3.0]]))
    3.0
    """

    def __init__(self, name: str = "root_mean_squared_error", dtype: str | None = None):
        super().__init__(losses.mean_squared_error, name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = same_shape(y_true, y_pred)
        Mean.update_state(self, (y_pred.astype(np.float64) - y_true) ** 2, sample_weight)

    def result(self) -> Any:
        total, count = float(self.total), float(self.count)
        return self.typed(np.sqrt(total / count) if count else 0.0)


class R2Score(Metric):
    """Coefficient of determination ``1 - sum (y - p)^2 / sum (y - mean y)^2``, for each column.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        How columns are averaged; None gives an array.
    num_regressors : int, default 0
        Number of independent variables for the adjusted score ``1 - (1 - r) (n - 1) / (n - p - 1)``.
    name : str, default "r2_score"
    dtype : {"float32", "float64"}, optional

    Examples
    --------
    >>> import numpy as np
    >>> R2Score()(np.array([[1], [4], [3]]), np.array([[2.0], [4.0], [4.0]])).__round__(6)
    0.571429
    """

    kept = ("_width",)

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: str | None = None,
    ):
        super().__init__(name, dtype)
        kinds = ("uniform_average", "variance_weighted_average")
        if not is_one_of(class_aggregation, (None, *kinds)):
            raise unknown("class_aggregation", class_aggregation, kinds)
        self.class_aggregation = class_aggregation
        expected, fix = "an integer of at least 0", "pass the number of independent variables"
        self.num_regressors = check_integer("num_regressors", num_regressors, 0, expected, fix)
        self.num_samples = self.add_variable((), name="num_samples")
        self._width: int | None = None

    def _add_variables(self) -> None:
        shape = (self._width or 0,)
        self.squared_sum = self.add_variable(shape, name="squared_sum")
        self.sum = self.add_variable(shape, name="sum")
        self.total_mse = self.add_variable(shape, name="residual")
        self.count = self.add_variable(shape, name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_shape(y_true, y_pred)
        check_matrix(y_true, y_pred, self._width)
        weights = spread(1.0 if sample_weight is None else sample_weight, y_pred.shape)
        if self._width is None:
            self._width = y_pred.shape[1]
            self._add_variables()
        y_true = y_true.astype(np.float64)
        self.sum.assign_add((y_true * weights).sum(axis=0))
        self.squared_sum.assign_add((y_true**2 * weights).sum(axis=0))
        self.total_mse.assign_add(((y_true - y_pred) ** 2 * weights).sum(axis=0))
        self.count.assign_add(weights.sum(axis=0))
        self.num_samples.assign_add(float(y_true.size))

    def result(self) -> Any:
        if self._width is None:
            return self.typed(0.0)
        samples, squares, sums, residual, count = (v.numpy() for v in self.variables)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = squares - sums * sums / count
            scores = 1 - residual / total
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "uniform_average":
                scores = scores.mean()
            elif self.class_aggregation:
                scores = (total * scores).sum() / total.sum()
        left = float(samples) - 1 - self.num_regressors
        if self.num_regressors and left <= 0:
            received = f"{self.num_regressors} independent variables for {int(samples)} values"
            warnings.warn(f"metric {self.name!r} has {received}: the score is not adjusted", stacklevel=2)
        elif self.num_regressors:
            scores = 1 - (1 - scores) * (float(samples) - 1) / left
        return self.typed(scores)

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return super().get_config() | own


def check_axis(axis: Any, ndim: int) -> Any:
    """An axis, or a tuple of them, of arrays with so many."""
    for one in axis if isinstance(axis, tuple) else (axis,):
        check_integer("axis", one, -ndim, f"an axis of an array with {ndim}", "pass -1 for the last one", ndim - 1)
    return axis


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """Cosine of the angle between targets and predictions: the sum along an axis of their normalised products.

    Unlike the loss of this name it has no minus.

    Examples
    --------
    >>> import numpy as np
    >>> cosine_similarity(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [-1.0, 0.0]]))
    array([ 1., -1.])
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    check_axis(axis, y_pred.ndim)
    with np.errstate(all="ignore"):  # what is not finite gives what is not finite
        lengths = [np.sqrt(np.maximum((a * a).sum(axis=axis), 1e-12)) for a in (y_true, y_pred)]
        return (y_true * y_pred).sum(axis=axis) / (lengths[0] * lengths[1])


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """Pearson's correlation coefficient along an axis: covariance / product of the standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> pearson_correlation(np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 3.0, 5.0]])).round(6)
    array([1.])
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    check_axis(axis, y_pred.ndim)
    with np.errstate(all="ignore"):
        y_true, y_pred = (a - a.mean(axis=axis, keepdims=True) for a in (y_true, y_pred))
        y_true, y_pred = (a / a.std(axis=axis, keepdims=True) for a in (y_true, y_pred))
        return (y_true * y_pred).mean(axis=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """Lin's concordance along an axis: ``2 cov / (var y + var p + (mean y - mean p)^2)``, with 1e-7 below the line.

    Examples
    --------
    >>> import numpy as np
    >>> concordance_correlation(np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 2.0]])).round(5)
    array([1.])
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    check_axis(axis, y_pred.ndim)
    with np.errstate(all="ignore"):
        means = [a.mean(axis=axis, keepdims=True) for a in (y_true, y_pred)]
        spread = sum(a.var(axis=axis, keepdims=True) for a in (y_true, y_pred)) + (means[0] - means[1]) ** 2
        return (2 * (y_true - means[0]) * (y_pred - means[1]) / (spread + EPSILON)).mean(axis=axis)


class InPython(MeanMetricWrapper):
    """The weighted mean of a function of whole arrays along an axis, written with NumPy."""

    in_c = False

    def __init__(self, fn: Any, name: str, dtype: str | None, axis: Any):
        for one in axis if isinstance(axis, tuple) else (axis,):
            check_integer("axis", one, -64, "an axis", "pass -1 for the last one", 64)
        super().__init__(fn, name, dtype, axis=axis)
        self.axis = axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        Mean.update_state(self, self.values(y_true, y_pred), sample_weight)


class CosineSimilarity(InPython):
    """Mean of `cosine_similarity` along `axis` (default: the last)."""

    def __init__(self, name: str = "cosine_similarity", dtype: str | None = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis)


class PearsonCorrelation(InPython):
    """Mean of `pearson_correlation` along `axis` (default: the last)."""

    def __init__(self, name: str = "pearson_correlation", dtype: str | None = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis)


class ConcordanceCorrelation(InPython):
    """Mean of `concordance_correlation` along `axis` (default: the last)."""

    def __init__(self, name: str = "concordance_correlation", dtype: str | None = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis)


def is_sparse(y_shape: Shape, prediction: Shape) -> bool:
    """Whether targets of a shape are labels for predictions with an axis of classes, by Keras' rule."""
    return prediction[-1] != 1 and (len(y_shape) < len(prediction) or y_shape[-1] == 1)


class ConfusionMatrix(Metric):
    """How often class i (row) was taken for class j (column), as `sklearn.metrics.confusion_matrix` has it.

    Predictions are probabilities: of each class, or of class 1 where there is one for each sample. Targets are
    one-hot or labels. In the logs of training it is an array of shape (classes, classes).

    Parameters
    ----------
    num_classes : int
    threshold : float from 0 to 1, default 0.5
        For one prediction for each sample: class 1 above it.
    name : str, default "confusion_matrix"
    dtype : {"float32", "float64"}, optional

    Examples
    --------
    >>> import numpy as np
    >>> ConfusionMatrix(2)(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]))
    array([[1., 0.],
           [1., 1.]])
    """

    def __init__(
        self, num_classes: int, threshold: float = 0.5, name: str = "confusion_matrix", dtype: str | None = None
    ):
        super().__init__(name, dtype)
        self.num_classes = check_classes(num_classes)
        self.threshold = check_fraction("threshold", threshold)
        self.matrix = self.add_variable((num_classes, num_classes), name="matrix")

    def fit_to(self, y_shape: Shape | None, prediction: Shape | None) -> None:
        if y_shape is None or prediction is None:
            return
        self.target = LABELS if is_sparse(y_shape, prediction) else VALUES
        if max(prediction[-1], 2) != self.num_classes:
            raise invalid("num_classes", self.num_classes, f"that of predictions {prediction}", "pass as many")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = check_array("y_true", y_true), check_array("y_pred", y_pred)
        weights = 1.0 if sample_weight is None else sample_weight
        if y_pred.ndim < 2 or y_pred.shape[-1] == 1:
            labels = (y_pred > self.threshold).astype(int).reshape(len(y_pred), -1)[:, 0]
            true = y_true.reshape(labels.shape)
        else:
            labels = y_pred.argmax(axis=-1)
            true = y_true.argmax(axis=-1) if y_true.shape == y_pred.shape else y_true.reshape(labels.shape)
        self.matrix.assign_add(confused(true, labels, self.num_classes, spread(weights, labels.shape)))

    def result(self) -> Any:
        return self.typed(self.matrix)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"num_classes": self.num_classes, "threshold": self.threshold}


def check_classes(number: Any) -> int:
    return check_integer("num_classes", number, 1, "a positive integer", "pass the number of classes")


def confused(true: np.ndarray, predicted: np.ndarray, classes: int, weights: np.ndarray) -> np.ndarray:
    """Sums of weights by true class (rows) and predicted class (columns)."""
    for argument, labels in (("y_true", true), ("y_pred", predicted)):
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            expected, fix = f"classes from 0 to {classes - 1}", "count classes from 0, or pass a larger num_classes"
            raise invalid(argument, f"class {labels.min() if labels.min() < 0 else labels.max()}", expected, fix)
    cells = true.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(cells, weights.ravel(), classes * classes).reshape(classes, classes)


class IoU(Metric):
    """Mean over some classes of intersection over union: ``tp / (tp + fp + fn)``.

    Classes that do not occur are left out.

    Parameters
    ----------
    num_classes : int
    target_class_ids : list of int
        The classes over which the mean is taken.
    name : str, optional
    dtype : {"float32", "float64"}, optional
    ignore_class : int, optional
        Samples whose target is this class do not count.
    sparse_y_true, sparse_y_pred : bool, default True
        Whether they hold labels; else the largest along `axis` is the class.
    axis : int, default -1

    Examples
    --------
    >>> import numpy as np
    >>> IoU(2, [0])(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])).__round__(4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name, dtype)
        self.num_classes = check_classes(num_classes)
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")
        if not isinstance(target_class_ids, (list, tuple, range)) or not target_class_ids:
            expected, fix = "a list of classes", "pass for example [0, 1]"
            raise invalid("target_class_ids", show(target_class_ids), expected, fix, TypeError)
        expected, fix = f"classes from 0 to {num_classes - 1}", "count classes from 0"
        self.target_class_ids = [
            check_integer("target_class_ids", i, 0, expected, fix, num_classes - 1) for i in target_class_ids
        ]
        if ignore_class is not None:
            check_integer("ignore_class", ignore_class, -np.inf, "an integer", "pass the number of a class")
        self.ignore_class = ignore_class
        self.sparse_y_true = check_flag("sparse_y_true", sparse_y_true)
        self.sparse_y_pred = check_flag("sparse_y_pred", sparse_y_pred)
        self.axis = check_integer("axis", axis, -64, "an axis", "pass -1 for the last one", 64)
        self.target = LABELS if sparse_y_true and not sparse_y_pred else VALUES

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true = check_array("y_true", y_true)
        predicted = check_array("y_pred", y_pred)
        if not self.sparse_y_true:
            true = true.argmax(axis=check_axis(self.axis, true.ndim))
        if not self.sparse_y_pred:
            predicted = predicted.argmax(axis=check_axis(self.axis, predicted.ndim))
        true, predicted = true.ravel().astype(np.int64), predicted.ravel().astype(np.int64)
        if true.shape != predicted.shape:
            raise invalid("y_true", y_true, f"{predicted.size} classes, as predicted", "pass as many")
        weights = np.ones(1) if sample_weight is None else check_array("sample_weight", sample_weight, np.float64)
        weights = spread(weights.ravel() if weights.ndim else weights, true.shape)
        kept = (true >= 0) & (true < self.num_classes) & (predicted >= 0) & (predicted < self.num_classes)
        if self.ignore_class is not None:
            kept &= true != self.ignore_class
        self.total_cm.assign_add(confused(true[kept], predicted[kept], self.num_classes, weights[kept]))

    def result(self) -> Any:
        matrix = self.total_cm.numpy()
        both = np.diag(matrix)[self.target_class_ids]
        either = (matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix))[self.target_class_ids]
        occurs = either > 1e-9
        return self.typed(np.where(occurs, both / (either + EPSILON), 0).sum() / (occurs.sum() + EPSILON))

    def get_config(self) -> dict[str, Any]:
        names = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return super().get_config() | {name: getattr(self, name) for name in names}


class BinaryIoU(IoU):
    """`IoU` of the classes 0 and 1; predictions of at least `threshold` are class 1."""

    def __init__(
        self,
        target_class_ids: Any = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = check_fraction("threshold", threshold)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, check_array("y_pred", y_pred) >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return Metric.get_config(self) | {"target_class_ids": self.target_class_ids, "threshold": self.threshold}


class MeanIoU(IoU):
    """`IoU` of all classes; arguments as there."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        ids = range(check_classes(num_classes))  # a list when there is memory for the matrix
        super().__init__(num_classes, ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "target_class_ids"}


class OneHotIoU(IoU):
    """`IoU` of one-hot targets and, unless `sparse_y_pred`, a prediction for each class."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "sparse_y_true"}


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets and, unless `sparse_y_pred`, a prediction for each class."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "sparse_y_true"}
