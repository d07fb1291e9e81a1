"""Bagging: members that are trained on samples of the rows."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import check_flag, invalid, show
from ..execute import permutation
from ..models import Model
from ..ops.philox import WORD, random_bits
from .ensemble import Ensemble

ROWS_STREAM = WORD - 2  # of the draws: call sites of random numbers count up from below, and do not reach it


class Bagging(Ensemble):
    """An ensemble in which each member is trained on a sample of the rows of its own.

    Each has the same bits as a model that is made and trained alone on its rows, ``fit(x[rows], y[rows])``, after
    ``fastnn.set_random_seed(seed)`` with its entry of `seeds`. No data are copied.

    Parameters
    ----------
    make : callable
    members : int, default 16
        As for `Ensemble`.
    max_samples : float or int, default 1.0
        How many rows each member draws: a part of them from above 0 to 1, or their number (1.0 is a part, 1 a number).
    bootstrap : bool, default True
        Whether a row may be drawn again: then a sample of as many rows as there are has 1 - 1/e = 63.2 % of them, some
        several times. Else all rows of a sample differ.
    seed : int, optional
        As for `Ensemble`. The rows of a member are a function of its seed and of how many rows there are, so that a
        second `fit` on the same data goes on with the same rows.
    oob_score : bool, default False
        Whether `fit` ends with predictions for the rows that members have not seen.

    Attributes
    ----------
    members, seeds, history
        As of `Ensemble`.
    estimators_samples_ : list of ndarray of int64, shape (drawn,)
        The rows of each member, after `fit`.
    oob_prediction_ : ndarray of shape (samples, ...), or a list or dict of them
        With `oob_score`, for each row the mean over the members that have not seen it; NaN where all have.
    oob_score_ : dict of str to float
        Loss and metrics of these predictions, with `sample_weight`, on the rows that have one.

    Raises
    ------
    ValueError, TypeError
        As for `Ensemble`.

    References
    ----------
    Breiman, "Bagging predictors", Machine Learning 24 (1996).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> from fastnn import ensembles, layers
    >>> def make():
    ...     model = fastnn.Sequential([layers.Dense(8, "tanh", input_shape=(1,)), layers.Dense(1)])
    ...     model.compile("adam", "mse", metrics=["mae"])
    ...     return model
    >>> x = np.linspace(-1, 1, 1000)[:, np.newaxis]
    >>> bagging = ensembles.Bagging(make, members=24, seed=1, oob_score=True)
    >>> history = bagging.fit(x, x**2, verbose=0)
    >>> bagging.oob_prediction_.shape, sorted(bagging.oob_score_)
    ((1000, 1), ['loss', 'mae'])
    >>> bool(abs(len(np.unique(bagging.estimators_samples_[0])) / 1000 - 0.632) < 0.05)
    True
    """

    def __init__(
        self,
        make: Callable[[], Model],
        members: int = 16,
        max_samples: float = 1.0,
        bootstrap: bool = True,
        seed: int | None = None,
        oob_score: bool = False,
    ):
        self.max_samples, self.bootstrap = check_part(max_samples), check_flag("bootstrap", bootstrap)
        self.oob_score = check_flag("oob_score", oob_score)
        if self.oob_score and not self.bootstrap and self.max_samples == 1.0 and isinstance(self.max_samples, float):
            fix = "pass bootstrap=True or a smaller max_samples"
            raise invalid("oob_score", "True", "False where every member sees every row", fix)
        super().__init__(make, members, seed)

    def _rows(self, samples: int) -> list[np.ndarray]:
        drawn = self.max_samples if isinstance(self.max_samples, int) else max(1, int(self.max_samples * samples))
        if drawn > samples:
            expected, fix = f"at most the {samples} rows of x", "pass a part such as 0.8, or more rows"
            raise invalid("max_samples", drawn, expected, fix)
        return [drawn_rows(samples, drawn, seed, self.bootstrap) for seed in self.seeds]

    def _fitted(self, x: Any, y: Any, sample_weight: Any, rows: list[np.ndarray] | None) -> None:
        assert rows is not None
        self.estimators_samples_ = rows
        if not self.oob_score:
            return
        first = self.members[0]
        given = first._samples(x, y, sample_weight)
        unseen = out_of_bag(rows, len(given))
        parts = [np.concatenate(pieces) for pieces in zip(*self._predictions(x), strict=True)]
        outputs = [mean_of(unseen, part) for part in parts]
        self.oob_prediction_ = tree.shape_pack(first.output_shape, outputs)
        has = np.asarray(unseen.any(axis=1))
        y_pred, y_true, weights = (
            [None if a is None else a[has] for a in arrays] for arrays in (outputs, given.y, given.weights)
        )
        self.oob_score_ = self._judged(y_pred, y_true, weights, None, 0, True) if has.any() else {}
        if not has.all():
            few = f"{int((~has).sum())} of {len(has)} rows were seen by every member and have no out-of-bag prediction"
            warnings.warn(f"{few}; train more members, or on fewer rows each", stacklevel=3)


def drawn_rows(samples: int, drawn: int, seed: int, again: bool) -> np.ndarray:
    """The rows that a member with this seed draws, in the order in which it draws them, shape (drawn,)."""
    if not again:
        return permutation(samples, seed, WORD - 1)[:drawn]
    high, low = random_bits(2, drawn, seed=seed, stream=ROWS_STREAM, iteration=samples).astype(np.uint64)
    share = (high << np.uint64(21)) | (low >> np.uint64(11))  # 53 bits of a number from 0 to below 1
    return np.minimum((share * 2.0**-53 * samples).astype(np.int64), samples - 1)


def out_of_bag(rows: list[np.ndarray], samples: int) -> np.ndarray:
    """Which rows each member has not seen, shape (samples, members)."""
    unseen = np.ones((samples, len(rows)), bool)
    for k, own in enumerate(rows):
        unseen[own, k] = False
    return unseen


def mean_of(unseen: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Means of outputs of shape (samples, members, ...) over the members that have not seen the row."""
    counted = unseen.reshape(*unseen.shape, *[1] * (outputs.ndim - 2))
    total = np.add.accumulate(np.where(counted, outputs.astype(np.float64), 0), axis=1)[:, -1]
    number = counted.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = (total / np.where(number, number, np.nan)).astype(outputs.dtype)
    return mean


def check_part(value: Any) -> float | int:
    """A part of the rows from above 0 to 1, or a number of them."""
    kinds = (int, np.integer), (float, np.floating)
    expected, fix = "a float from above 0 to 1, or an integer of at least 1", "pass for example 0.8"
    if isinstance(value, bool) or not isinstance(value, (*kinds[0], *kinds[1])):
        raise invalid("max_samples", show(value), expected, fix, TypeError)
    if not (value >= 1 if isinstance(value, kinds[0]) else 0 < value <= 1):
        raise invalid("max_samples", show(value), expected, fix)
    return int(value) if isinstance(value, kinds[0]) else float(value)
