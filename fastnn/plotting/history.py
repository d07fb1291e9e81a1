"""The curves of a training run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.errors import check_name, invalid, show, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion, told apart by colour-blind readers; the dashes also without colour
TRAINING: dict[str, Any] = {"color": "#0072B2", "label": "training"}
VALIDATION: dict[str, Any] = {"color": "#D55E00", "label": "validation", "linestyle": "--"}


def plot_history(history: Any, path: str | os.PathLike[str] | None = None, title: str | None = None) -> Figure:
    """Draw the training curves: one panel for the loss and one per metric.

    The figure belongs to the caller alone: matplotlib's pyplot and its global state are not touched.

    Parameters
    ----------
    history : History or mapping
        What ``fit`` returns, or its ``history``: a list with a value per epoch under each name.
        ``val_<name>`` is drawn into the panel of ``<name>``; if it has fewer values because of
        ``validation_freq=f``, they are drawn at the multiples of f
        (of the smallest f that fits the number of values).
    path : path-like, optional
        File to save the figure to; its ending chooses the format (png, svg, pdf, ...).
    title : str, optional
        Title above the panels.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        `history` is not a history, has no values, or lists that do not fit together.

    Examples
    --------
    >>> figure = plot_history({"loss": [1.0, 0.4, 0.2], "val_loss": [1.1, 0.6, 0.5]})
    >>> [line.get_label() for line in figure.axes[0].get_lines()]
    ['training', 'validation']
    """
    curves, epochs = _read(history)
    check_name("title", title)
    if path is not None and (not isinstance(path, (str, os.PathLike)) or not str(path)):
        raise invalid("path", show(path), "the name of a file, or None", "pass for example 'run.png'", TypeError)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ImportError("plot_history needs matplotlib; run `pip install fastnn[plot]`") from error

    names = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    names.sort(key=lambda name: name != "loss")  # the loss first, the others in their order
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1 + 4 * columns, 0.4 + 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    if title is not None:
        figure.suptitle(title)
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for key, style in ((name, TRAINING), ("val_" + name, VALIDATION)):
            if key in curves:
                x = _epochs_of(key, len(curves[key]), epochs)
                axes.plot(x, curves[key], marker="o" if len(x) <= 30 else None, markersize=3, **style)
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    if path is not None:
        ending, known = os.path.splitext(path)[1].lstrip(".").lower(), figure.canvas.get_supported_filetypes()
        if ending and ending not in known:
            raise unknown("ending of path", ending, known)
        figure.savefig(path, dpi=150)
    return figure


def _read(history: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the curves and the epochs, counted from 1, of a History or a mapping."""
    logs = getattr(history, "history", history)
    if not isinstance(logs, Mapping):
        fix = "pass what fit() returned, or a dict of lists"
        raise invalid("history", show(history), "a History or a mapping", fix, error=TypeError)
    curves = {}
    for name, values in logs.items():
        if not isinstance(name, str):
            raise invalid("history", f"the name {show(name)}", "strings as names", "rename this entry", TypeError)
        try:
            curves[name] = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            curves[name] = np.empty((0, 0))
        if curves[name].ndim != 1:
            raise invalid(f"history[{name!r}]", show(values), "one number per epoch", "leave this entry out")
    length = max(map(len, curves.values()), default=0)
    if length == 0:
        raise invalid("history", "no values", "at least one epoch", "train the model first")
    epochs: Sequence[int] = getattr(history, "epoch", range(length))
    if len(epochs) < length:
        fix = "pass the dict alone to count the epochs from 1"
        raise invalid("history.epoch", f"{len(epochs)} epochs", f"{length}, one per value", fix)
    return curves, np.asarray(epochs) + 1


def _epochs_of(name: str, count: int, epochs: np.ndarray) -> np.ndarray:
    """Return the epochs of a curve of `count` values: those that the smallest fitting step divides."""
    for step in range(1, int(epochs[-1]) // max(count, 1) + 1):
        chosen = epochs[epochs % step == 0] if step > 1 else epochs
        if len(chosen) == count:
            return chosen
    fix = "give the curve a value for every epoch, np.nan where there is none"
    raise invalid(f"history[{name!r}]", f"{count} values", f"one for each of {len(epochs)} epochs", fix)
