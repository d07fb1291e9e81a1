"""The table that ``model.summary()`` prints."""

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .. import tree
from ..errors import check_integer

Row = Sequence[Any]

HEADER = "Layer (type)", "Output Shape", "Param #"
CONNECTED, TRAINABLE = "Connected to", "Trainable"
SIDES = {"Param #": ">", TRAINABLE: "^"}  # where the text of a column stands, else at the left

# where Keras' columns end, as parts of the line
ENDS = 0.45, 0.80, 1.0
ENDS_CONNECTED = 0.3, 0.56, 0.74, 1.0


def summary_text(
    name: str,
    rows: Sequence[Row],
    trainable: int,
    non_trainable: int,
    line_length: int | None = None,
    optimizer: int = 0,
    itemsize: int = 4,
    more: Sequence[str] = (),
) -> str:
    """Return Keras 3's summary of a model.

    Parameters
    ----------
    name : str
        Name of the model.
    rows : sequence of (str, str, tuple or None, int or None, ...)
        Name, class name, output shape (or those of several outputs) and number of parameters of each layer, and the
        texts of further columns. A shape of None is shown as ``?``; without parameters such a layer counts as unbuilt.
    trainable, non_trainable : int
        Numbers of parameters in all layers, each variable counted once.
    line_length : int, default 80
        Width of the table, at least 40. Longer text continues on the next line of its cell.
    optimizer : int, default 0
        Number of parameters that the optimizer keeps; 0 leaves its line out.
    itemsize : int, default 4
        Bytes of a parameter.
    more : sequence of {"Connected to", "Trainable"}, optional
        The further columns.

    Returns
    -------
    str
        Lines without a newline at the end.

    Examples
    --------
    >>> print(summary_text("tiny", [("dense", "Dense", (None, 10), 7850)], 7850, 0, line_length=60))
    Model: "tiny"
    ┏━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┓
    ┃ Layer (type)             ┃ Output Shape      ┃   Param # ┃
    ┡━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━┩
    │ dense (Dense)            │ (None, 10)        │     7,850 │
    └──────────────────────────┴───────────────────┴───────────┘
     Total params: 7,850 (30.66 KB)
     Trainable params: 7,850 (30.66 KB)
     Non-trainable params: 0 (0.00 B)
    """
    expected, fix = "an integer of at least 40 and below 2**16", "pass the width of the table, or None for 80"
    length = check_integer("line_length", 80 if line_length is None else line_length, 40, expected, fix, 2**16 - 1)
    header = [*HEADER, *more]
    parts = [*(ENDS_CONNECTED if CONNECTED in more else ENDS)]
    if TRAINABLE in more:
        parts = [*(0.9 * part for part in parts), 1.0]
    widths = _widths([int(part * length) for part in parts])

    def rule(characters: str) -> str:
        return _rule(characters, widths)

    lines = [f'Model: "{name}"', rule("┏━┳┓"), *_cells("┃", header, header, widths), rule("┡━╇┩")]
    for i, (layer, kind, shape, count, *others) in enumerate(rows):
        if i:
            lines.append(rule("├─┼┤"))
        number = "0 (unbuilt)" if shape is None and not count else f"{count or 0:,}"
        lines += _cells("│", [f"{layer} ({kind})", _shape_text(shape), number, *others], header, widths)
    lines.append(rule("└─┴┘"))

    totals = {"Trainable": trainable, "Non-trainable": non_trainable}
    if optimizer:
        totals["Optimizer"] = optimizer
    totals = {"Total": sum(totals.values())} | totals
    lines += [f" {kind} params: {count:,} ({_memory(count * itemsize)})" for kind, count in totals.items()]
    return "\n".join(lines)


def _rule(characters: str, widths: list[int]) -> str:
    """A horizontal line: its left end, dash, crossing and right end."""
    left, dash, crossing, right = tuple(characters)
    return left + crossing.join(dash * width for width in widths) + right


def _widths(ends: list[int]) -> list[int]:
    """Widths of columns that end there, less their share of the lines of the frame and of the spaces beside texts."""
    rest, widths = 3 * len(ends) + 1, []
    for i, (begin, end) in enumerate(pairwise([0, *ends])):
        share = round(rest / (len(ends) - i))
        rest -= share
        widths.append(end - begin + 2 - share)
    return widths


def _cells(bar: str, texts: Sequence[str], header: Sequence[str], widths: list[int]) -> list[str]:
    """The lines of one row: texts wrapped, at spaces where possible."""
    columns = [
        textwrap.wrap(text, width - 2, break_on_hyphens=False) or [""]
        for text, width in zip(texts, widths, strict=True)
    ]
    lines = []
    for i in range(max(map(len, columns))):
        parts = [column[i] if i < len(column) else "" for column in columns]
        padded = [
            f" {part:{SIDES.get(name, '<')}{width - 2}} "
            for part, name, width in zip(parts, header, widths, strict=True)
        ]
        lines.append(bar + bar.join(padded) + bar)
    return lines


def _shape_text(shape: Any) -> str:
    """``(None, 200)``; for several outputs the shapes in their structure."""
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{key}: {_shape_text(part)}" for key, part in tree.children(shape)) + "}"
    if isinstance(shape, (list, tuple)) and not tree.is_shape(shape):
        left, right = "()" if isinstance(shape, tuple) else "[]"
        return left + ", ".join(map(_shape_text, shape)) + right
    return "?" if shape is None else "(" + ", ".join(map(str, shape)) + ")"


def _memory(size: float) -> str:
    """Bytes in the largest binary unit that keeps the number at least 1."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"
