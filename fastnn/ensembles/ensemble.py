"""Ensemble: models of one architecture that are trained side by side and predict together."""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import numpy as np

from .. import config, layers, tree
from ..callbacks import History, ProgbarLogger
from ..callbacks.base import check_verbose
from ..errors import check_flag, check_integer, invalid, is_one_of, show, unknown
from ..execute import Job, run_side_by_side
from ..layers import base
from ..models import Model, data
from ..models.arguments import check_batch_size, whole
from ..models.programs import EVALUATE, PREDICT, TRAIN, input_areas, output_areas
from ..models.sources import DEFAULT_BATCH_SIZE, ArraySource, is_stream, plan_rows
from .epochs import Part, SideBySide, evaluate, train
from .members import executors, make_members, member_seeds
from .sampling import CHUNK_NUMBERS, reduced

MOST_MEMBERS = 4096


class Ensemble:
    """Models of one architecture with different first weights, trained side by side and averaged.

    All members are trained by the same calls of C, each on one thread, several at a time: for networks too small for
    several threads that is faster than one after the other. Each member has the same bits as a model that is made and
    trained alone after ``fastnn.set_random_seed(seed)`` with its entry of `seeds`, for any number of threads.

    Parameters
    ----------
    make : callable
        ``make()`` returns a compiled model, each time a new one of the same architecture, loss and kind of optimizer;
        learning rates and initializers may differ. Of a `Sequential` of fastnn's own layers one plan is made for all
        members; other models are recorded once for each.
    members : int, default 16
        At most 4096.
    seed : int, optional
        From 0 to ``2**32 - 1``: what the seeds of the members come from. Default: the seed in force
        (`fastnn.set_random_seed`), and another one for each ensemble that is made after it. More members begin with
        the same ones.

    Attributes
    ----------
    members : list of Model
        Ordinary models, which may be used alone.
    seeds : list of int
        The seed of each.
    history : History or None
        What the last `fit` returned.

    Raises
    ------
    ValueError, TypeError
        An argument is wrong, a model is not compiled, or two of them have a layer or an optimizer in common.

    References
    ----------
    Hansen and Salamon, "Neural network ensembles", IEEE Transactions on Pattern Analysis and Machine Intelligence 12
    (1990); Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> from fastnn import ensembles, layers
    >>> def make():
    ...     model = fastnn.Sequential([layers.Dense(8, "tanh", input_shape=(1,)), layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> x = np.linspace(-1, 1, 100)[:, np.newaxis]
    >>> ensemble = ensembles.Ensemble(make, members=4, seed=1)
    >>> history = ensemble.fit(x, x**2, epochs=2, verbose=0)
    >>> history.history["loss"][-1].shape
    (4,)
    >>> mean, std = ensemble.predict(x, return_std=True)
    >>> mean.shape, std.shape
    ((100, 1), (100, 1))
    """

    def __init__(self, make: Callable[[], Model], members: int = 16, seed: int | None = None):
        fix = "pass a number such as 16"
        count = check_integer("members", members, 1, f"an integer from 1 to {MOST_MEMBERS}", fix, MOST_MEMBERS)
        if seed is not None:
            expected, fix = "an integer from 0 to 2**32 - 1", "pass such an integer or leave it out"
            seed = check_integer("seed", seed, 0, expected, fix, 2**32 - 1)
        with base.undone_on_error():
            self.seeds = member_seeds(count, seed)
            self._members = make_members(make, self.seeds)
        self.history: History | None = None

    @property
    def members(self) -> list[Model]:
        """The models."""
        return [member.model for member in self._members]

    def __len__(self) -> int:
        return len(self._members)

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int | str | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        *,
        on_nonfinite: str | None = None,
    ) -> History:
        """Train all members for a number of epochs.

        Parameters
        ----------
        x, y : array_like, or lists or dicts of them
            As for `Model.fit`, but no stream. They are converted once, for all members.
        batch_size, epochs, shuffle, class_weight, sample_weight, initial_epoch
            As for `Model.fit`. Each member has an order of its own.
        verbose : {"auto", 0, 1, 2}
            As for `Model.fit`; shows means over the members.
        validation_data : tuple ``(x, y)`` or ``(x, y, sample_weight)``, optional
            On which each member is evaluated after each epoch.
        on_nonfinite : {"raise", "skip", "ignore"}, default `fastnn.config.on_nonfinite()`
            As for `Model.fit`. With "raise" a member whose loss or gradient is not finite keeps the weights of its
            last finite step; the others are trained to the end before the error is raised.

        Returns
        -------
        History
            ``history[name][epoch]`` is an array of shape (members,). Each member has its own as ``model.history``.

        Raises
        ------
        ValueError, TypeError
            Something does not fit, or the models differ in more than their weights; nothing was changed.
        NonFiniteError
            See `on_nonfinite`; its ``member`` is the number of the first one.
        RuntimeError
            A member is being trained by another thread.
        """
        size, policy = checked_size("x", x, batch_size), config.on_nonfinite() if on_nonfinite is None else on_nonfinite
        epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        if not is_one_of(policy, config.POLICIES):
            raise unknown("on_nonfinite", policy, config.POLICIES)
        shuffle, models = check_flag("shuffle", shuffle), self.members
        first = models[0]
        with self._together(training=True), closing(ProgbarLogger(verbose)) as shown:
            source = self._source((x, y, sample_weight), size, class_weight=class_weight)
            rows = self._rows(source.samples)
            samples = source.samples if rows is None else len(rows[0])
            size = size or samples
            side = self._side(TRAIN, min(size, plan_rows(samples)), source.arrays, policy)
            tested = None
            if validation_data is not None:
                tested = self._validation(validation_data, size)
                tests = self._side(EVALUATE, tested.rows, tested.arrays)
                tests.failed = side.failed  # whoever is not trained any more has no scores
            first._warn_of_targets(source)
            columns = data.column_names(x) if len(first.input_names) == 1 else None
            self.history, own = History(), [History() for _ in models]
            for model, history in zip(models, own, strict=True):
                history.set_model(model)
                model.stop_training, model.feature_names = False, columns or model.feature_names
                model.reset_metrics()
            settings = {"samples": samples, "batch_size": size, "steps": -(-samples // size), "mode": "fit"}
            shown.set_params({**settings, "epochs": epochs, "verbose": verbose})
            one_by_one, numbers = bool(shown._level()) or tested is not None, range(initial_epoch, epochs)
            for part, logs in train(side, samples, size, numbers, shuffle, rows, one_by_one):
                if part.first == 0:
                    shown.on_epoch_begin(part.epoch)
                shown.progress(part.first + part.batches, means(logs))
                if not part.last:
                    continue
                if tested is not None:
                    scores = evaluate(tests, tested.samples, tested.batch_size)
                    logs = logs | {f"val_{name}": values for name, values in scores.items()}
                shown.on_epoch_end(part.epoch, means(logs))
                self._record(part, logs, own, side.failed)
            for k, model in enumerate(models):
                if k not in side.failed:
                    model.optimizer.finalize_variable_values(model.trainable_variables)
                model._print_timings(TRAIN)
            if side.failed:
                raise side.failed[min(side.failed)]
            self._fitted(x, y, sample_weight, rows)
        return self.history

    def predict(self, x: Any, return_std: bool = False) -> Any:
        """Mean of the members' outputs, and their spread.

        All members predict in the same calls of C. The bits are the same for any number of threads and of rows.

        Parameters
        ----------
        x : array_like of shape (n, ...), or a list or dict of them
            As for `Model.predict`, but no stream.
        return_std : bool, default False

        Returns
        -------
        mean : ndarray of shape (n, ...), or a list or dict of them
            As the outputs of a member are; of a softmax, the mean of the probabilities.
        std : as `mean`
            With `return_std`: the standard deviation over the members (divisor: their number). It is what they disagree
            by, and says nothing of noise in the targets.

        Raises
        ------
        ValueError, TypeError
            An argument does not fit.
        """
        return_std = check_flag("return_std", return_std)
        with self._together():
            parts = [reduced(made, False) for made in self._predictions(x)]
        of_outputs = [
            [np.concatenate(pieces) for pieces in zip(*found, strict=True)] for found in zip(*parts, strict=True)
        ]
        shape = self.members[0].output_shape
        mean, std = (tree.shape_pack(shape, list(leaves)) for leaves in zip(*of_outputs, strict=True))
        return (mean, std) if return_std else mean

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int | str | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics of the mean of the members' outputs; those of a member alone are in its own `evaluate`.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight, return_dict
            As for `Model.evaluate`, but no stream.

        Returns
        -------
        float, list of float, or dict
            As `Model.evaluate`. Penalties of weights and activities are not in the loss.

        Raises
        ------
        ValueError, TypeError
            An argument does not fit.
        """
        checked_size("x", x, batch_size)
        return_dict, verbose = check_flag("return_dict", return_dict), check_verbose(verbose)
        with self._together():
            self._build(x)
            samples = self.members[0]._samples(x, y, sample_weight)
            mean = tree.flatten(self.predict(x))
            return self._judged(mean, samples.y, samples.weights, batch_size, verbose, return_dict)

    # For fit, and for `Bagging`

    def _rows(self, samples: int) -> list[np.ndarray] | None:
        """The rows that each member is trained on, as many for each; None for all."""
        return None

    def _fitted(self, x: Any, y: Any, sample_weight: Any, rows: list[np.ndarray] | None) -> None:
        """Called when all members are trained."""

    @contextmanager
    def _together(self, training: bool = False) -> Iterator[None]:
        """An error inside leaves no trace in any member that was not trained since; one training at a time."""
        with ExitStack() as stack:
            for model in self.members:
                stack.enter_context(model._exclusively() if training else model._undone_on_error())
            yield

    def _build(self, x: Any) -> None:
        """Build the members that are not, each with its own seed."""
        for member in self._members:
            if not member.model.built:
                with member.seeded():
                    member.model._features(x)

    def _source(
        self,
        given: tuple[Any, Any, Any],
        batch_size: int | None,
        arguments: tuple[str, ...] = ("x", "y", "sample_weight"),
        class_weight: Any = None,
    ) -> ArraySource:
        """The data of all members, which then know what they take from the shapes of targets."""
        self._build(given[0])
        first, *others = self.members
        samples = first._samples(*given, arguments)
        source = first._arrays(samples, batch_size, class_weight, arguments[1])
        for model in others:
            model._resolve(samples.y)
        return source

    def _validation(self, given: Any, batch_size: int) -> ArraySource:
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            expected = "(x, y) or (x, y, sample_weight)"
            raise invalid("validation_data", type(given).__name__, expected, "pass a tuple", TypeError)
        names = tuple(f"validation_data[{i}]" for i in range(3))
        refuse_stream(names[0], given[0])
        return self._source((*given, None)[:3], batch_size, names)

    def _side(self, mode: str, rows: int, arrays: dict[str, np.ndarray], on_nonfinite: str = "raise") -> SideBySide:
        """The members' programs of a mode, and the arrays that they go through."""
        programs = executors(self._members, mode, rows, arrays, on_nonfinite != "ignore")
        return SideBySide(self._members, programs, mode, arrays, on_nonfinite)

    def _record(self, part: Part, logs: dict[str, np.ndarray], own: list[History], failed: Any) -> None:
        """Take the logs of some epochs into the history of the ensemble and those of the members."""
        assert self.history is not None
        for i in range(part.epochs):
            self.history.on_epoch_end(part.epoch + i, {name: values[:, i] for name, values in logs.items()})
        for k, history in enumerate(own):
            if k not in failed:
                history.epoch += range(part.epoch, part.epoch + part.epochs)
                for name, values in logs.items():
                    history.history.setdefault(name, []).extend(values[k].tolist())

    def _predictions(self, x: Any) -> Iterator[list[np.ndarray]]:
        """The outputs of shape (rows, members, ...) for some rows at a time."""
        refuse_stream("x", x)
        self._build(x)
        first, count = self.members[0], len(self._members)
        inputs = dict(zip(input_areas(first), first._features(x), strict=True))
        inputs = {name: data.contiguous(array, config.floatx()) for name, array in inputs.items()}
        programs = executors(self._members, PREDICT, DEFAULT_BATCH_SIZE, None)
        samples, shapes = len(next(iter(inputs.values()))), tree.shape_leaves(first.output_shape)
        at_once = max(1, CHUNK_NUMBERS // (count * max(int(np.prod(shape[1:])) for shape in shapes)))
        for low in range(0, samples, at_once):
            rows = min(at_once, samples - low)
            made = [np.empty((count, rows, *shape[1:]), config.floatx()) for shape in shapes]
            starts = np.arange(0, rows, DEFAULT_BATCH_SIZE)
            counts = np.minimum(DEFAULT_BATCH_SIZE, rows - starts)
            jobs = []
            for k, program in enumerate(programs):
                arrays = {name: array[low : low + rows] for name, array in inputs.items()}
                arrays |= dict(zip(output_areas(first), [array[k] for array in made], strict=True))
                jobs.append(Job(program, arrays, starts, counts, 0, None))
            run_side_by_side(jobs)
            yield [array.swapaxes(0, 1) for array in made]

    def _judged(
        self, outputs: list[Any], y: list[Any], weights: list[Any], batch_size: Any, verbose: Any, return_dict: bool
    ) -> Any:
        """Losses and metrics of some outputs, all flat."""
        x, y_true, sample_weight = (packed(parts) for parts in (outputs, y, weights))
        return self._judge().evaluate(x, y_true, batch_size, verbose, sample_weight, return_dict=return_dict)

    def _judge(self) -> Model:
        """A model that returns what it is given, compiled with losses and metrics as the members are."""
        first, names = self.members[0], dict(base._names)
        compiled, shapes = first._compiled, tree.shape_leaves(first.output_shape)
        assert compiled is not None
        owners = first.output_names if len(first.output_names) > 1 else [first.layers[-1].name]
        inputs = [layers.Input(s[1:], name=f"mean of {owner}") for owner, s in zip(owners, shapes, strict=True)]
        made = [layers.Activation("linear", name=owner)(x) for owner, x in zip(owners, inputs, strict=True)]
        judge = Model(packed(inputs), packed(made), name=f"mean of {first.name}")
        metrics = copy.deepcopy((compiled.metrics, compiled.weighted_metrics))
        judge.compile("sgd", compiled.loss, compiled.loss_weights, *metrics)
        base._names.clear()
        base._names.update(names)
        return judge


def packed(parts: list[Any]) -> Any:
    """A part for each output in a list, or that of the only one; None if there is none."""
    return None if all(part is None for part in parts) else parts if len(parts) > 1 else parts[0]


def refuse_stream(argument: str, x: Any) -> None:
    """Refuse data that come batch by batch."""
    if is_stream(x):
        expected = "arrays, for each member takes the rows in an order of its own"
        raise invalid(argument, show(x), expected, "collect the batches in arrays", TypeError)


def checked_size(argument: str, x: Any, batch_size: Any) -> int | None:
    """The size of batches, None for all rows at once; no stream."""
    refuse_stream(argument, x)
    return check_batch_size("batch_size", batch_size, x)


def means(logs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Logs of the last epoch, averaged over the members that have them."""
    found = {}
    for name, values in logs.items():
        last = values[:, -1]
        whole = np.isfinite(last.reshape(len(last), -1)).all(axis=1)
        found[name] = last[whole].mean(axis=0) if whole.any() else last.mean(axis=0)
    return found
