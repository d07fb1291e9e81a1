"""Every scorer of scikit-learn by its name, computed on all predictions of an epoch or an evaluation."""

import inspect
from typing import Any

import numpy as np

from ..errors import check_array, check_name, invalid, unknown
from ..losses import LABELS, VALUES
from ..ops.table import Shape
from .base import Metric, number
from .scores import is_sparse

HALF = 0.5  # outputs above it are class 1, as scikit-learn decides


def scorer_names() -> list[str]:
    """The names of scikit-learn's scorers; none where it is not installed.

    Examples
    --------
    >>> "balanced_accuracy" in scorer_names()
    True
    """
    try:
        from sklearn.metrics import get_scorer_names
    except ImportError:
        return []
    return list(get_scorer_names())


class Scorer(Metric):
    """A scorer of scikit-learn, which sees all targets and predictions at once.

    They are kept in memory until then, and the value is in the logs of epochs and evaluations only, not in those
    of single batches.

    What the scorer is given is what it asks of an estimator: classes are the largest of several outputs, or those
    above 0.5 of one output and of several with targets that are not one-hot (multi-label); probabilities are the
    outputs, of two classes those of the second; regression scorers get the outputs as they are. Targets are
    one-hot or labels, or numbers for regression. scikit-learn computes the score; errors become greater-is-better
    with its names (``"neg_mean_squared_error"``).

    Parameters
    ----------
    scorer : str
        One of ``sklearn.metrics.get_scorer_names()``.
    name : str, optional
        Default: the scorer's name.
    dtype : {"float32", "float64"}, optional

    Raises
    ------
    ImportError
        scikit-learn is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> Scorer("balanced_accuracy")(np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.6, 0.7])).__round__(4)
    0.8333
    """

    at_end = True
    kept = ("_kept",)

    def __init__(self, scorer: str, name: str | None = None, dtype: str | None = None):
        try:
            from sklearn.metrics import get_scorer
        except ImportError as error:
            fix = "pip install 'fastnn[sklearn]'"
            raise invalid("scorer", scorer, "scikit-learn installed", fix, ImportError) from error
        check_name("scorer", scorer)
        if scorer not in scorer_names():
            raise unknown("scorer", scorer, scorer_names())
        self.scorer = scorer
        made = get_scorer(scorer)
        self._function, self._sign, self._arguments = made._score_func, made._sign, dict(made._kwargs)
        asked = getattr(made, "_response_method", "predict")
        self._asks = (asked,) if isinstance(asked, str) else tuple(asked)
        self._regression = self._function.__module__.endswith("_regression")
        self._takes = inspect.signature(self._function).parameters
        super().__init__(check_name("name", name) or scorer, dtype)
        self.reset_state()

    def fit_to(self, y_shape: Shape | None, prediction: Shape | None) -> None:
        if y_shape is None or prediction is None:
            return
        sparse = is_sparse(y_shape, prediction)
        if len(prediction) > 2:
            fix = "flatten the output"
            raise invalid(f"metric {self.name!r}", f"predictions of shape {prediction}", "(samples, outputs)", fix)
        if self._regression and sparse:
            expected = "a scorer of classification for labels"
            raise invalid(f"metric {self.name!r}", "a scorer of regression", expected, "use for example 'f1_macro'")
        self._refuse_curve(sparse and prediction[-1] > 2)
        self.target = LABELS if sparse else VALUES

    def _refuse_curve(self, several: bool) -> None:
        """Areas under ROC curves of several classes need to know how they are averaged."""
        if several and self._function.__name__ == "roc_auc_score" and "multi_class" not in self._arguments:
            expected, fix = "a scorer for labels of more than two classes", "use 'roc_auc_ovr' or 'roc_auc_ovo'"
            raise invalid(f"metric {self.name!r}", "a scorer of two classes", expected, fix)

    def reset_state(self) -> None:
        self._kept: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = check_array("y_true", y_true), check_array("y_pred", y_pred)
        if y_pred.ndim not in (1, 2) or len(y_true) != len(y_pred):
            raise invalid("y_pred", y_pred, "shape (samples,) or (samples, outputs)", "pass a row for each target")
        weights = None
        if sample_weight is not None:
            if "sample_weight" not in self._takes:
                fix = "pass it in metrics instead of weighted_metrics"
                raise invalid("sample_weight", f"weights for scorer {self.scorer!r}", "none, it takes none", fix)
            weights = np.array(check_array("sample_weight", sample_weight))
        self._kept.append((np.array(y_true), np.array(y_pred), weights))

    def _given(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """What scikit-learn's function gets: targets, predictions, further arguments."""
        y_true = y_true[:, 0] if y_true.ndim == 2 and y_true.shape[1] == 1 else y_true
        y_pred = y_pred[:, 0] if y_pred.ndim == 2 and y_pred.shape[1] == 1 else y_pred
        if self._regression:
            return y_true, y_pred, {}
        by_class = y_pred.ndim == 2
        if y_true.ndim == 2:
            one_hot = ((y_true == 0) | (y_true == 1)).all() and (y_true.sum(axis=1) == 1).all()
            if not one_hot:
                return y_true.astype(int), (y_pred > HALF).astype(int) if self._asks == ("predict",) else y_pred, {}
            y_true = y_true.argmax(axis=1)
        if y_true.size and not (y_true == np.floor(y_true)).all():
            expected, fix = "classes", "use a scorer of regression, or pass labels"
            raise invalid(f"metric {self.name!r}", "targets that are no integers", expected, fix)
        y_true = y_true.astype(int)
        if self._asks == ("predict",):
            return y_true, y_pred.argmax(axis=1) if by_class else (y_pred > HALF).astype(int), {}
        if not by_class or y_pred.shape[1] == 2:
            labels = {"labels": [0, 1]} if self._function.__name__ == "log_loss" else {}
            return y_true, y_pred[:, 1] if by_class else y_pred, labels
        self._refuse_curve(True)
        return y_true, y_pred, {"labels": np.arange(y_pred.shape[1])} if "labels" in self._takes else {}

    def result(self) -> Any:
        if not self._kept:
            return self.typed(0.0)
        y_true, y_pred = (np.concatenate([part[i] for part in self._kept]) for i in (0, 1))
        true, found, further = self._given(y_true, y_pred)
        weights = [part[2] for part in self._kept if part[2] is not None]
        if weights:
            further["sample_weight"] = np.concatenate(weights)
        try:
            return self.typed(self._sign * number(self._function(true, found, **(self._arguments | further))))
        except (ValueError, TypeError) as error:
            expected, fix = "outputs and targets that it can score", f"choose another scorer ({error})"
            raise invalid(f"metric {self.name!r}", f"predictions {found.shape}", expected, fix) from error

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scorer": self.scorer}
