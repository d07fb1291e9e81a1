"""Pictures drawn with matplotlib (``pip install fastnn[plot]``)."""

from fastnn.plotting.history import plot_history

__all__ = ["plot_history"]
