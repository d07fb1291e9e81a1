"""Monte Carlo dropout: the spread of the networks that dropout trains."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import config, tree
from ..errors import check_flag, check_integer, invalid, show
from ..models import Model
from ..models.arguments import whole
from ..models.data import contiguous
from ..models.programs import SAMPLE, input_areas, output_areas
from ..ops.table import OPS

CHUNK_NUMBERS = 1 << 20  # of the outputs that one call of C makes: some megabytes, and some milliseconds of work
FIRST_ITERATION = 1 << 31  # of the masks' keys: beyond those of training, whose masks would be the same


def mc_dropout(
    model: Model, x: Any, samples: int = 100, seed: int | None = None, return_samples: bool = False
) -> tuple[Any, ...]:
    """Mean and standard deviation of the outputs over networks with dropped units.

    Each sample is a pass through the model in which `Dropout`, `AlphaDropout` and `GaussianDropout` draw as in
    training; everything else is as in `predict` (`BatchNormalization` takes its moving moments, `GaussianNoise` adds
    nothing). Gal and Ghahramani (2016), "Dropout as a Bayesian approximation": mean and standard deviation are those
    of an approximate posterior, without the noise of the targets themselves. All passes run in C, and have the
    same bits for any number of threads.

    Parameters
    ----------
    model : Model
        With a layer that drops. A layer that was called with ``training=False`` drops nothing.
    x : array_like of shape (n, ...), or a list or dict of them
        As for `predict`, but no stream.
    samples : int, default 100
        Passes for each row. More of them begin with the same ones.
    seed : int, optional
        Key of the masks, from 0 to ``2**32 - 1``; default: the seed in force (`fastnn.set_random_seed`). The masks of a
        row are a function of seed, layer, row and number of the pass.
    return_samples : bool, default False

    Returns
    -------
    mean, std : ndarray of shape (n, ...), or a list or dict of them
        As the outputs of the model are. The standard deviation is that of the samples (divisor: `samples`).
    outputs : ndarray of shape (samples, n, ...), or a list or dict of them
        With `return_samples`.

    Raises
    ------
    ValueError, TypeError
        No layer of the model drops, or an argument does not fit; nothing has changed.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> from fastnn import ensembles, layers
    >>> model = fastnn.Sequential([layers.Dropout(0.5, input_shape=(1,)), layers.Dense(1, kernel_initializer="ones")])
    >>> mean, std = ensembles.mc_dropout(model, [[3.0]], samples=10_000, seed=1)
    >>> bool(abs(mean[0, 0] - 3) < 0.1), bool(abs(std[0, 0] - 3) < 0.1)  # of 0 and 6, each as often
    (True, True)
    """
    if not isinstance(model, Model):
        raise invalid("model", show(model), "a model", "pass a Sequential or a Model", TypeError)
    samples, return_samples = whole("samples", samples, 1), check_flag("return_samples", return_samples)
    if seed is None:
        seed = config.seed()
    else:
        expected, fix = "an integer from 0 to 2**32 - 1", "pass such an integer or leave it out"
        seed = check_integer("seed", seed, 0, expected, fix, 2**32 - 1)
    with model._undone_on_error():
        arrays = dict(zip(input_areas(model), model._features(x), strict=True))
        arrays = {name: contiguous(array, config.floatx()) for name, array in arrays.items()}
        executor = model._executor(SAMPLE, samples, None)
        if not any(OPS[step.op].random for step in executor.program.steps):
            expected = "one with a layer that drops units (Dropout, AlphaDropout, GaussianDropout) at a rate above 0"
            raise invalid("model", f"{model.name!r}, whose predictions have no spread", expected, "add such a layer")
        parts = [reduced(made, return_samples) for made in passes(model, executor, arrays, samples, seed)]
        model._print_timings(SAMPLE)
    found = []
    for of_output in zip(*parts, strict=True):
        found.append([np.concatenate(pieces) for pieces in zip(*of_output, strict=True)])
        if return_samples:
            found[-1][2] = np.ascontiguousarray(found[-1][2].swapaxes(0, 1))
    return tuple(tree.shape_pack(model.output_shape, list(leaves)) for leaves in zip(*found, strict=True))


def passes(
    model: Model, executor: Any, arrays: dict[str, np.ndarray], samples: int, seed: int
) -> Iterator[list[np.ndarray]]:
    """The outputs of shape (rows, samples, ...) for some rows at a time.

    A batch is all passes of one row, its number the iteration: so masks depend on nothing but row and pass.
    """
    rows, shapes = len(next(iter(arrays.values()))), tree.shape_leaves(model.output_shape)
    numbers = samples * max(int(np.prod(shape[1:])) for shape in shapes)
    at_once = max(1, CHUNK_NUMBERS // max(numbers, 1))
    for low in range(0, rows, at_once):
        count = min(at_once, rows - low)
        made = [np.empty((count * samples, *shape[1:]), config.floatx()) for shape in shapes]
        executor.run(
            {**arrays, **dict(zip(output_areas(model), made, strict=True))}
            | {"order": np.repeat(np.arange(low, low + count), samples)},
            np.arange(count) * samples,
            np.full(count, samples),
            seed=seed,
            iteration=np.array([FIRST_ITERATION + low]),
        )
        yield [array.reshape(count, samples, *array.shape[1:]) for array in made]


def reduced(outputs: list[np.ndarray], keep: bool) -> list[list[np.ndarray]]:
    """Mean, standard deviation and, if they are kept, samples of each output; added up from the first to the last."""
    found = []
    for array in outputs:
        samples = array.astype(np.float64)
        mean = in_order(samples) / samples.shape[1]
        deviations = samples - mean[:, np.newaxis]
        std = np.sqrt(in_order(deviations * deviations) / samples.shape[1])
        found.append([mean.astype(array.dtype), std.astype(array.dtype), *([array] if keep else [])])
    return found


def in_order(samples: np.ndarray) -> np.ndarray:
    """Sums over axis 1 that do not depend on how many rows there are."""
    total: np.ndarray = np.add.accumulate(samples, axis=1)[:, -1]
    return total
