"""The text of summaries."""

from itertools import pairwise

import pytest

from fastnn.models.summary import summary_text

SOFTMAX_REGRESSION = """\
Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                      ┃ Output Shape             ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                     │ (None, 10)               │         7,850 │
└───────────────────────────────────┴──────────────────────────┴───────────────┘
 Total params: 7,850 (30.66 KB)
 Trainable params: 7,850 (30.66 KB)
 Non-trainable params: 0 (0.00 B)"""

FIVE_LAYERS = """\
Model: "sequential_1"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                      ┃ Output Shape             ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense_1 (Dense)                   │ (None, 200)              │       157,000 │
├───────────────────────────────────┼──────────────────────────┼───────────────┤
│ dense_2 (Dense)                   │ (None, 100)              │        20,100 │
├───────────────────────────────────┼──────────────────────────┼───────────────┤
│ dense_3 (Dense)                   │ (None, 60)               │         6,060 │
├───────────────────────────────────┼──────────────────────────┼───────────────┤
│ dense_4 (Dense)                   │ (None, 30)               │         1,830 │
├───────────────────────────────────┼──────────────────────────┼───────────────┤
│ dense_5 (Dense)                   │ (None, 10)               │           310 │
└───────────────────────────────────┴──────────────────────────┴───────────────┘
 Total params: 185,300 (723.83 KB)
 Trainable params: 185,300 (723.83 KB)
 Non-trainable params: 0 (0.00 B)"""


def dense_rows(first, *units):
    rows = []
    for i, (inputs, outputs) in enumerate(pairwise(units), start=first):
        rows.append((f"dense_{i}" if i else "dense", "Dense", (None, outputs), inputs * outputs + outputs))
    return rows


def test_softmax_regression():
    assert summary_text("sequential", dense_rows(0, 784, 10), 7850, 0) == SOFTMAX_REGRESSION


def test_five_layers():
    rows = dense_rows(1, 784, 200, 100, 60, 30, 10)
    assert sum(row[3] for row in rows) == 185_300
    assert summary_text("sequential_1", rows, 185_300, 0) == FIVE_LAYERS


def table(rows, **arguments):
    return summary_text("m", rows, 0, 0, **arguments).splitlines()


def test_unbuilt_layers():
    assert table([("dense", "Dense", None, 0)])[4] == table([("dense", "Dense", None, None)])[4]
    assert table([("dense", "Dense", None, None)])[4] == (
        "│ dense (Dense)                     │ ?                        │   0 (unbuilt) │"
    )


def test_layers_without_parameters_and_shapes_of_any_rank():
    assert "(None, 28, 28, 1)        │             0 │" in table([("a", "A", (None, 28, 28, 1), 0)])[4]
    assert "│ (None)  " in table([("a", "A", (None,), 0)])[4]
    assert "│ [(None, 2), (None, 3)]   │" in table([("a", "A", [(None, 2), (None, 3)], 0)])[4]


def test_an_empty_model():
    assert [len(line) for line in table([])[1:5]] == [80] * 4
    assert table([])[5:] == [
        " Total params: 0 (0.00 B)",
        " Trainable params: 0 (0.00 B)",
        " Non-trainable params: 0 (0.00 B)",
    ]


@pytest.mark.parametrize("length", [40, 57, 80, 101, 200])
def test_long_texts_continue_on_the_next_line(length):
    name = "a_name_of_one_word_that_is_longer_than_the_column_is_wide_at_eighty_characters"
    rows = [(name, "Dense", (None, 200), 1), ("global_pooling", "GlobalAveragePooling", (None, 123456), 2)]
    lines = table(rows, line_length=length)[1:-3]
    assert {len(line) for line in lines} == {length}
    cells = [line.split("│")[1].strip() for line in lines if line.startswith("│")]
    text = "".join(cells).replace(" ", "")
    assert text == f"{name}(Dense)global_pooling(GlobalAveragePooling)"


def test_totals_and_memory():
    lines = summary_text("m", [], 3_000_000, 512, optimizer=6_000_002).splitlines()[-4:]
    assert lines == [
        " Total params: 9,000,514 (34.33 MB)",
        " Trainable params: 3,000,000 (11.44 MB)",
        " Non-trainable params: 512 (2.00 KB)",
        " Optimizer params: 6,000,002 (22.89 MB)",
    ]
    assert " Trainable params: 255 (1.99 KB)" in summary_text("m", [], 255, 0, itemsize=8)
    assert " Trainable params: 255 (1020.00 B)" in summary_text("m", [], 255, 0)
    assert " Trainable params: 256 (1.00 KB)" in summary_text("m", [], 256, 0)
    assert "(4.00 PB)" in summary_text("m", [], 2**50, 0)


@pytest.mark.parametrize(("length", "error"), [(39, ValueError), ("80", TypeError), (8.0, TypeError)])
def test_wrong_line_length(length, error):
    with pytest.raises(error, match=r"^line_length: received .*; expected .*; to fix it, "):
        summary_text("m", [], 0, 0, line_length=length)
