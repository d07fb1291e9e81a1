"""The table that ``model.summary()`` prints."""

import textwrap
from collections.abc import Sequence
from typing import Any

from ..errors import check_integer

Row = tuple[str, str, Sequence[Any] | None, int | None]

HEADER = "Layer (type)", "Output Shape", "Param #"
ENDS = 0.45, 0.80, 1.0  # where Keras' columns end, as parts of the line


def summary_text(
    name: str,
    rows: Sequence[Row],
    trainable: int,
    non_trainable: int,
    line_length: int | None = None,
    optimizer: int = 0,
    itemsize: int = 4,
) -> str:
    """Return Keras 3's summary of a model.

    Parameters
    ----------
    name : str
        Name of the model.
    rows : sequence of (str, str, tuple or None, int or None)
        Name, class name, output shape and number of parameters of each layer. A shape of None is shown
        as ``?``; without parameters such a layer counts as unbuilt.
    trainable, non_trainable : int
        Numbers of parameters in all layers, each variable counted once.
    line_length : int, default 80
        Width of the table, at least 40. Longer text continues on the next line of its cell.
    optimizer : int, default 0
        Number of parameters that the optimizer keeps; 0 leaves its line out.
    itemsize : int, default 4
        Bytes of a parameter.

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
    ends = [int(part * length) for part in ENDS]
    # the four frame lines take 1 + 2 + 1 of the columns' shares
    widths = [ends[0] - 1, ends[1] - ends[0] - 2, ends[2] - ends[1] - 1]

    lines = [f'Model: "{name}"', _rule("┏━┳┓", widths), *_cells("┃", HEADER, widths), _rule("┡━╇┩", widths)]
    for i, (layer, kind, shape, count) in enumerate(rows):
        if i:
            lines.append(_rule("├─┼┤", widths))
        number = "0 (unbuilt)" if shape is None and not count else f"{count or 0:,}"
        lines += _cells("│", [f"{layer} ({kind})", _shape_text(shape), number], widths)
    lines.append(_rule("└─┴┘", widths))

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


def _cells(bar: str, texts: Sequence[str], widths: list[int]) -> list[str]:
    """The lines of one row: texts wrapped, at spaces where possible; the last column at the right."""
    columns = [
        textwrap.wrap(text, width - 2, break_on_hyphens=False) or [""]
        for text, width in zip(texts, widths, strict=True)
    ]
    lines = []
    for i in range(max(map(len, columns))):
        parts = [column[i] if i < len(column) else "" for column in columns]
        padded = [f" {part:<{width - 2}} " for part, width in zip(parts[:-1], widths[:-1], strict=True)]
        lines.append(bar + bar.join([*padded, f" {parts[-1]:>{widths[-1] - 2}} "]) + bar)
    return lines


def _shape_text(shape: Any) -> str:
    """``(None, 200)``; for several outputs the shapes in a pair of parentheses."""
    if shape is None:
        return "?"
    return "(" + ", ".join(_shape_text(n) if isinstance(n, (tuple, list)) else str(n) for n in shape) + ")"


def _memory(size: float) -> str:
    """Bytes in the largest binary unit that keeps the number at least 1."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"
