"""Metrics: one value per row, without gradients."""

import numpy as np

from .crossentropy import draw_labels, draw_pair, draw_softmax, draw_targets, pick
from .losses import column, label_shape, pair_shape
from .table import by_row, op, per_element


def metric(shape, tol=0.0, draw_target=draw_labels, attrs=None):
    """Enter a metric ``(p, targets or labels)`` as a row."""
    draw = draw_pair(draw_softmax, draw_target)
    return op(
        shape=shape,
        dims=by_row,
        kind="metric",
        flops=per_element(2),
        tol=tol,
        example=lambda rng, rows, width: (draw(rng, rows, width)[0], attrs or {}),
        integers=(1,) if draw_target is draw_labels else (),
    )


def hits(condition, like):
    return condition.astype(like.dtype)


@metric(label_shape)
def argmax_equals(p, labels):
    """1 where the first largest of a row of p is at its label, else 0 (sparse categorical accuracy).

    Parameters
    ----------
    p : ndarray of shape (..., n)
    labels : int32 ndarray of shape (...)

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> argmax_equals(np.array([[0.1, 0.7, 0.2], [0.4, 0.3, 0.3]]), np.array([1, 2]))
    array([1., 0.])
    """
    return hits(p.argmax(axis=-1) == labels, p)


@metric(pair_shape, draw_target=draw_targets)
def argmax_agrees(p, t):
    """1 where the first largest of a row is at the same place in p and t, else 0 (categorical accuracy).

    Parameters
    ----------
    p, t : ndarray of shape (..., n)

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> argmax_agrees(np.array([[0.1, 0.7, 0.2]]), np.array([[0.0, 1.0, 0.0]]))
    array([1.])
    """
    return hits(p.argmax(axis=-1) == t.argmax(axis=-1), p)


@metric(
    pair_shape,
    tol=0.5,
    draw_target=lambda rng, rows, width: 1.0 * (rng.uniform(size=(rows, width)) < 0.5),
    attrs={"threshold": 0.3},
)
def threshold_agrees(p, t, *, threshold=0.5):
    """Mean along the last axis of ``(p > threshold) == t`` (binary accuracy).

    Parameters
    ----------
    p, t : ndarray of shape (..., n)
        Predictions, and targets that are 0 or 1.
    threshold : float, default 0.5

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> threshold_agrees(np.array([[0.1, 0.7]]), np.array([[1.0, 1.0]]))
    array([0.5])
    """
    return hits((p > threshold) == t, p).mean(axis=-1)


@metric(label_shape, attrs={"k": 2})
def in_top_k(p, labels, *, k):
    """1 where fewer than k of a row of p are larger than the one at its label, else 0 (top-k accuracy).

    Parameters
    ----------
    p : ndarray of shape (..., n)
    labels : int32 ndarray of shape (...)
        0 results from a label outside [0, n), or one where p is NaN.
    k : int

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> in_top_k(np.array([[0.1, 0.7, 0.2], [0.4, 0.3, 0.3]]), np.array([0, 2]), k=2)
    array([0., 1.])
    """
    at_label = column(pick(p, labels))
    return hits(((p > at_label).sum(axis=-1) < k) & ~np.isnan(at_label[..., 0]), p)


__all__ = [name for name, value in globals().items() if hasattr(value, "op")]
