"""What fastnn is to reach with two threads; compare.py and whole_process.py say whether it does."""

from typing import NamedTuple


class Target(NamedTuple):
    """Bounds, each a floor and where there is one the figure beyond it that we want.

    Attributes
    ----------
    eager, peer : tuple of float
        Times of PyTorch eager and of the fastest peer over fastnn's, at least.
    roof : tuple of float
        fastnn's time over the roof, at most; empty if nothing is demanded.
    """

    eager: tuple[float, ...]
    peer: tuple[float, ...]
    roof: tuple[float, ...] = ()


TARGETS = {
    "W1": Target((5.0,), (2.2,), (3.0,)),
    "W2a": Target((5.0, 5.5), (2.1, 2.3), (1.9, 1.6)),
    "W2b": Target((3.0, 3.3), (1.6, 1.8), (1.4, 1.25)),
    "W2c": Target((1.8, 2.1), (1.2, 1.45), (1.4, 1.2)),
    "W2s": Target((3.3,), (1.7,), (1.5,)),
    "W2d": Target((3.5,), (1.9,), (1.55,)),
    "W3a": Target((4.2, 4.8), (1.6, 1.9), (1.9, 1.6)),
    "W3b": Target((2.0,), (1.25,), (1.35,)),
    "W4": Target((20.0,), (3.8,), (2.8,)),
    "W5": Target((1.15, 1.4), (1.0, 1.15), (1.28, 1.1)),
    "W6a": Target((8.0,), (1.5,)),
    "W6b": Target((3.3,), (1.3,)),
    "W6c": Target((1.3,), (1.1,), (1.3,)),
}
WHOLE_PROCESS = Target((4.0,), (1.8,))
WHOLE_PROCESS_MB = 260


def verdict(name: str, value: float, bounds: tuple[float, ...], at_most: bool = False) -> str:
    """ "met", "met beyond", or what is missing; nothing where nothing is demanded."""
    reached = [value <= bound if at_most else value >= bound for bound in bounds]
    if not reached:
        return ""
    if reached[0]:
        return f"{name} met" + (" and beyond" if len(reached) > 1 and reached[1] else "")
    return f"{name} missed ({'at most' if at_most else 'at least'} {bounds[0]:g}x)"
