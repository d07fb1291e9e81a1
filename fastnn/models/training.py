"""compile, fit, evaluate, predict."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from .. import config, losses, optimizers, tree
from ..callbacks import CallbackList, History, ProgbarLogger
from ..errors import check_flag, check_integer, check_number, invalid, is_one_of, not_provided, show, unknown
from ..execute import NativeExecutor, NumpyExecutor, OneBatch, current_isa, switches
from ..layers.base import Layer, Structure
from ..metrics import MeanMetric, Metric
from ..program import STEP, Program
from . import data
from .data import Samples
from .health import Health, examine
from .loop import Exclusive, diagnose
from .objective import Compiled, Objective, by_output
from .programs import (
    EVALUATE,
    GATHER,
    PENALTY,
    PREDICT,
    PREDICTIONS,
    TRAIN,
    compile_program,
    input_areas,
    loss_values,
    output_areas,
)
from .sources import DEFAULT_BATCH_SIZE, ArraySource, Chunk, StreamSource, is_stream, plan_rows, unpacked

Executor = NativeExecutor | NumpyExecutor
Source = ArraySource | StreamSource


class Trainer(Layer):
    """Training and prediction; `Model` inherits it."""

    layers: Any
    input_names: Any
    output_names: Any

    def __init__(self, name: str | None = None, trainable: bool = True):
        super().__init__(name=name, trainable=trainable)
        self.optimizer: Any = None
        self.loss: Any = None
        self.stop_training, self.run_eagerly, self.steps_per_execution = False, False, 1
        self._adds_losses = False  # whether layers add to the loss, known once there is a program for predictions
        self.history: History | None = None
        self.feature_names: list[str] | None = None  # columns of the table that was trained on
        self._compiled: Compiled | None = None
        self._objective: Objective | None = None
        self._executors: dict[Any, Executor] = {}
        self._one_batch: dict[int, tuple[Any, OneBatch]] = {}  # by the rows of their plan
        self._training = threading.RLock()  # a callback of fit may evaluate
        self.reset_metrics()

    # compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Parameters
        ----------
        optimizer : str, type or Optimizer, default "rmsprop"
        loss : str, type, callable or Loss; or a list or dict of them
            A callable ``f(y_true, y_pred)`` made with `fastnn.ops` returns one value per sample, or one for the
            batch, which then cannot be weighted. A model with several outputs takes one for all of them, or one for
            each, in a list or by their names in a dict; None leaves an output without.
        loss_weights : float, or a list or dict of float, optional
            Factors of the losses in their sum, which is trained; default: 1.
        metrics : list of str, type, callable or Metric, optional
            Reported unweighted. For several outputs a list or a dict of such lists.
        weighted_metrics : list, optional
            Reported with the sample weights.
        run_eagerly : bool, default False
            Compute with NumPy, batch by batch, the layers' ``call()`` anew for each: slow, to look into a model with
            prints or a debugger.
        steps_per_execution : int, default 1
            The hooks of callbacks for batches are called once per so many batches. Without such hooks many batches run
            at once in any case.
        jit_compile, auto_scale_loss
            How Keras executes; only its defaults are accepted.

        Examples
        --------
        >>> import fastnn
        >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(2,))])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        """
        run_eagerly = check_flag("run_eagerly", run_eagerly)
        steps_per_execution = whole("steps_per_execution", steps_per_execution, 1)
        not_provided("auto", jit_compile=jit_compile)
        not_provided(True, auto_scale_loss=auto_scale_loss)
        made = Compiled(optimizers.get(optimizer), loss, loss_weights, metrics, weighted_metrics)
        if self.built:
            made.check(self.output_names)
        self._compiled = made
        self.optimizer, self.loss = made.optimizer, made.loss
        self.run_eagerly, self.steps_per_execution = run_eagerly, steps_per_execution
        self._changed()

    def _changed(self) -> None:
        """Forget what was made from layers, loss and metrics as they were."""
        self._objective = None
        self._executors.clear()
        self._one_batch.clear()

    def _resolve(self, y: list[Any]) -> Objective:
        """The objective, with "accuracy" resolved by the shapes of the targets at first use."""
        if self._objective is None:
            assert self._compiled is not None
            targets = [None if array is None else (None, *np.shape(array)[1:]) for array in y]
            shapes = tree.shape_leaves(self.output_shape)
            self._objective = self._compiled.objective(self.output_names, shapes, targets)
            self.reset_metrics()
        return self._objective

    # fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | str | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        *,
        on_nonfinite: str | None = None,
    ) -> History:
        """Train for a number of epochs.

        Parameters
        ----------
        x : array_like of shape (samples, ...), a list or dict of them, or a stream of batches
            Any layout and numeric dtype; uint8 stays as it is and is converted batch by batch. A table with named
            columns is an array; later ones must have the same columns. A list is for the inputs of a model in their
            order, a dict (or a table) for them by their names. A stream is a generator,
            a `fastnn.utils.PyDataset`, or anything else that gives ``(x, y)`` or ``(x, y, sample_weight)``, such as
            a ``DataLoader``; targets and weights are then in it.
        y : array_like, or a list or dict of them
            Targets.
        batch_size : int or "full", default 32
            "full" takes all samples in each step, which then goes down the gradient of the whole data set. Streams
            have batches already.
        epochs : int, default 1
            Number of the last epoch; training begins at `initial_epoch`.
        verbose : {"auto", 0, 1, 2}
            0 prints nothing, 1 a progress bar, 2 a line per epoch; "auto" is 1 on a terminal, else 2.
        callbacks : list of Callback, optional
        validation_split : float, default 0
            Part of the data, taken from the end, that is not trained on but evaluated.
        validation_data : tuple ``(x, y)`` or ``(x, y, sample_weight)``, or a stream, optional
        shuffle : bool, default True
            The order of an epoch is a function of the seed and the epoch's number. Of streams, only the batches of a
            `PyDataset` can be shuffled.
        class_weight : dict from class to weight, optional
            A class that is not in it has weight 1. Multiplied with `sample_weight`.
        sample_weight : array_like of shape (samples,), or a list or dict of them, optional
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches of an epoch; the next one goes on where one ends. Default: all there are.
        validation_steps : int, optional
            Batches of a validation; default: all there are.
        validation_batch_size : int, optional
            Default: `batch_size`.
        validation_freq : int or collection of int, default 1
            Validate after every so many epochs, or after those with these numbers, counted from 1.
        on_nonfinite : {"raise", "skip", "ignore"}, default `fastnn.config.on_nonfinite()`, which is "raise"
            When loss or gradient are not finite: stop with `NonFiniteError` before any weight
            changes, leave out that step, or go on as Keras does.

        Returns
        -------
        History
            Also kept as ``model.history``.

        Raises
        ------
        ValueError, TypeError
            Something does not fit; nothing was changed.
        NonFiniteError
            See `on_nonfinite`.
        RuntimeError
            The model is not compiled, or is being trained by another thread.
        """
        self._require_compiled()
        batch_size = check_batch_size("batch_size", batch_size, x)
        steps = check_steps("steps_per_epoch", steps_per_epoch)
        validation_steps = check_steps("validation_steps", validation_steps)
        if validation_batch_size is not None:
            validation_batch_size = whole("validation_batch_size", validation_batch_size, 1)
        epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        on_nonfinite = config.on_nonfinite() if on_nonfinite is None else on_nonfinite
        if not is_one_of(on_nonfinite, config.POLICIES):
            raise unknown("on_nonfinite", on_nonfinite, config.POLICIES)
        shuffle, validates = check_flag("shuffle", shuffle), frequency(validation_freq)
        validation_split = check_split(validation_split)
        if validation_split and is_stream(x):
            raise invalid("validation_split", show(validation_split), "0 for a stream", "pass validation_data")
        if validation_data is not None and not (
            is_stream(validation_data)
            or (isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3))
        ):
            raise invalid(
                "validation_data",
                type(validation_data).__name__,
                "(x, y), (x, y, sample_weight) or a stream of such batches",
                "pass a tuple",
                TypeError,
            )
        with self._exclusively(), closing(ProgbarLogger(verbose)) as shown:
            source: Source
            validation: Samples | None = None
            if validation_split and validation_data is None:
                samples, validation = split(validation_split, self._samples(x, y, sample_weight))
                source = self._arrays(samples, batch_size, class_weight, shuffle=shuffle, steps=steps)
            else:
                source = self._source(
                    (x, y, sample_weight), batch_size, class_weight=class_weight, shuffle=shuffle, steps=steps
                )
            self._executor(TRAIN, source.rows, source.arrays, on_nonfinite != "ignore")
            if len(self.input_names) == 1:
                self.feature_names = data.column_names(x) or self.feature_names
            tested: Source | None = None
            if validation is not None:
                tested = self._arrays(validation, validation_batch_size or batch_size, steps=validation_steps)
            elif validation_data is not None:
                given = (validation_data, None, None) if is_stream(validation_data) else (*validation_data, None)[:3]
                arguments = tuple(f"validation_data[{i}]" for i in range(3))
                size = check_batch_size("validation_batch_size", validation_batch_size or batch_size, None)
                tested = self._source(given, size, arguments, steps=validation_steps)
            if tested is not None:
                self._executor(EVALUATE, tested.rows, tested.arrays)
            history = History()
            called = CallbackList(
                [*as_list(callbacks), history, shown],
                self,
                epochs=epochs,
                steps=source.batches,
                samples=source.samples,
                batch_size=source.batch_size,
                verbose=verbose,
                mode="fit",
            )
            self.stop_training, self.history = False, history
            called.on_train_begin()
            logs: dict[str, float] = {}
            for epoch in range(initial_epoch, epochs):
                called.on_epoch_begin(epoch)
                logs = {}
                for done, logs in self._run(source, epoch, called, TRAIN, on_nonfinite):
                    called.progress(done, logs)
                    if self.stop_training:
                        break
                if not logs:  # the stream has ended
                    break
                if tested is not None and validates(epoch + 1):
                    scores = self._evaluate(tested, called)
                    logs = logs | {f"val_{name}": value for name, value in scores.items()}
                called.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            called.on_train_end(logs)
            self._print_timings(TRAIN)
        return history

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch.

        Returns
        -------
        float, list of float, or dict
            The loss of this batch, followed by its metrics; the loss alone without metrics.
        """
        return self._on_batch(TRAIN, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch; returns as `train_on_batch`."""
        return self._on_batch(EVALUATE, x, y, sample_weight, None, return_dict)

    def _on_batch(self, mode: str, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool) -> Any:
        self._require_compiled()
        return_dict = check_flag("return_dict", return_dict)
        with self._exclusively():
            samples = self._samples(x, y, sample_weight)
            source = self._arrays(samples, len(samples), class_weight)
            source.rows = plan_rows(len(samples))
            policy = config.on_nonfinite() if mode == TRAIN else "raise"
            *_, (_, logs) = self._run(source, 0, None, mode, policy)
            self._print_timings(mode)
        return logs if return_dict else self._flat(logs)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight, callbacks
            As in `fit`.
        steps : int, optional
            Batches to evaluate; default: all there are.
        return_dict : bool, default False
            Return a dict instead of a list.

        Returns
        -------
        float, list of float, or dict
            The loss alone when there are no metrics, else loss and metrics.
        """
        steps, return_dict = check_steps("steps", steps), check_flag("return_dict", return_dict)
        batch_size = check_batch_size("batch_size", batch_size, x)
        self._require_compiled()
        with self._exclusively(), closing(ProgbarLogger(verbose)) as shown:
            source = self._source((x, y, sample_weight), batch_size, steps=steps)
            called = CallbackList(
                [shown, *as_list(callbacks)],
                self,
                steps=source.batches,
                samples=source.samples,
                batch_size=source.batch_size,
                verbose=verbose,
                mode="evaluate",
            )
            logs = self._evaluate(source, called)
        return logs if return_dict else self._flat(logs)

    def _evaluate(self, source: Source, called: CallbackList) -> dict[str, float]:
        source.reset()
        called.on_test_begin()
        logs: dict[str, float] = {}
        for done, logs in self._run(source, 0, called, EVALUATE):
            called.progress(done, logs)
        called.on_test_end(logs)
        self._print_timings(EVALUATE)
        return logs

    # predict

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for data.

        Parameters
        ----------
        x : array_like of shape (samples, ...), a list or dict of them, or a stream of batches
            See `fit`.
        batch_size : int, default 32
            Has no influence on the result, which is the same to the last bit for any batch size.
        verbose, callbacks
            As in `fit`; "auto" shows nothing.
        steps : int, optional
            Batches to predict; default: all there are.

        Returns
        -------
        ndarray of shape (samples, ...), or a list or dict of them
            As the outputs of the model are.
        """
        steps, batch_size = check_steps("steps", steps), check_batch_size("batch_size", batch_size, x)
        with closing(ProgbarLogger(0 if is_one_of(verbose, ("auto",)) else verbose)) as shown, self._undone_on_error():
            source = self._inputs_source(x, batch_size, steps)
            called = CallbackList(
                [shown, *as_list(callbacks)],
                self,
                steps=source.batches,
                samples=source.samples,
                batch_size=source.batch_size,
                verbose=verbose,
                mode="predict",
            )
            executor = self._executor(PREDICT, source.rows, None)
            shapes, inputs, outputs = tree.shape_leaves(self.output_shape), input_areas(self), output_areas(self)
            results: list[list[np.ndarray]] = []
            called.on_predict_begin()
            batch_hooks = called.overrides(("on_predict_batch_begin", "on_predict_batch_end"))
            for chunk in source.epoch(0, self._at_once(batch_hooks)):
                if batch_hooks:
                    called.on_predict_batch_begin(chunk.batch)
                if chunk.rows > executor.program.rows or self.run_eagerly:
                    executor = self._executor(PREDICT, plan_rows(chunk.rows), None)
                low, high = chunk.span
                x = {name: data.contiguous(chunk.arrays[name][low:high], config.floatx()) for name in inputs}
                made = [np.empty((high - low, *shape[1:]), config.floatx()) for shape in shapes]
                executor.run(x | dict(zip(outputs, made, strict=True)), chunk.starts, chunk.counts)
                results.append(made)
                if batch_hooks:
                    called.on_predict_batch_end(chunk.last, {"outputs": tree.shape_pack(self.output_shape, made)})
                called.progress(chunk.batch + len(chunk.counts), {})
            called.on_predict_end()
            self._print_timings(PREDICT)
            joined = [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*results, strict=True)]
            return tree.shape_pack(self.output_shape, joined)

    def _inputs_source(self, x: Any, batch_size: int | None, steps: int | None) -> Source:
        """Where the inputs of predictions come from."""

        def prepare(batch: Any) -> tuple[dict[str, np.ndarray], int]:
            inputs = self._features(unpacked(batch)[0])
            return dict(zip(input_areas(self), inputs, strict=True)), len(inputs[0])

        if is_stream(x):
            return StreamSource(x, prepare, steps=steps)
        inputs = self._features(x)
        arrays, samples = dict(zip(input_areas(self), inputs, strict=True)), len(inputs[0])
        return ArraySource(arrays, samples, batch_size or samples, steps=steps)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch."""
        prepared = None
        if type(x) is np.ndarray and x.ndim > 0:
            prepared = self._one_batch.get(plan_rows(len(x)))
        if prepared and prepared[0] == self._preparation():
            y = prepared[1](x)
            if y is not None:
                return y
        inputs = self._features(x)
        rows = plan_rows(len(inputs[0]))
        result = self.predict(self._packed(inputs), batch_size=rows, verbose=0)
        prepared, preparation = self._one_batch.get(rows), self._preparation()
        if prepared is None or prepared[0] != preparation:
            executor = self._executor(PREDICT, rows, None)
            if isinstance(executor, NativeExecutor) and OneBatch.fits(executor):
                self._one_batch[rows] = preparation, OneBatch(executor)
        return result

    def _preparation(self) -> tuple[Any, ...]:
        """What a prepared program depends on."""
        return self.layers.copy(), Structure.changes, config.floatx(), switches()

    # Looking at it

    def health(self, x: Any, y: Any = None, sample_weight: Any = None, *, threshold: float = 0.01) -> Health:
        """Which units are dead or saturated on data, how large activations are, and gradients if there are targets.

        Nothing of the model changes.

        Parameters
        ----------
        x : array_like of shape (samples, ...)
            At least two samples.
        y, sample_weight : array_like, optional
            As in `fit`; with targets a compiled model also gets the norms of its gradients.
        threshold : float, default 0.01
            A unit is saturated where its derivative is below this part of the activation's largest one.

        Returns
        -------
        Health
            Prints as a table; see `fastnn.models.health.Health` for what it holds and what its words mean.

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As in `fit`; or there is only one sample.

        Examples
        --------
        >>> import numpy as np
        >>> import fastnn
        >>> model = fastnn.Sequential([fastnn.layers.Dense(3, activation="relu", input_shape=(1,), name="hidden")])
        >>> model.set_weights([np.array([[1.0, 1.0, 1.0]]), np.array([0.0, -9.0, 9.0])])
        >>> health = model.health([-2.0, -1.0, 1.0, 2.0])
        >>> health.layers["hidden"].dead, health.layers["hidden"].active
        ([1], 0.5)
        """
        return examine(self, x, y, sample_weight, threshold)

    def describe(self, mode: str = TRAIN, batch_size: int = DEFAULT_BATCH_SIZE) -> str:
        """The plan of a training, evaluation or prediction step as text.

        Parameters
        ----------
        mode : {"train", "evaluate", "predict"}
        batch_size : int, default 32

        Returns
        -------
        str
            See `fastnn.program.Program.describe`.
        """
        if not is_one_of(mode, (TRAIN, EVALUATE, PREDICT)):
            raise unknown("mode", mode, (TRAIN, EVALUATE, PREDICT))
        if not self.built:
            raise self.unbuilt("describe()")
        objective = None
        if mode != PREDICT:
            self._require_compiled()
            objective = self._objective or self._resolve([np.empty((0, *s[1:])) for s in self._target_shapes()])
        executor = compile_program(self, mode, whole("batch_size", batch_size, 1), None, objective)
        return executor.program.describe()

    def _target_shapes(self) -> list[Any]:
        """The shapes that targets have where nothing but the losses says so."""
        shapes, names = tree.shape_leaves(self.output_shape), self.output_names
        assert self._compiled is not None
        losses_of = by_output("loss", self._compiled.loss, names, spread=True)
        return [
            shape[:-1] if loss is not None and loss.target == losses.LABELS else shape
            for loss, shape in zip(losses_of, shapes, strict=True)
        ]

    def reset_metrics(self) -> None:
        """Begin the running values of loss and metrics anew."""
        self._loss_total, self._loss_rows = 0.0, 0
        self._loss_parts: dict[str, float] = {}
        for metric in self._metrics():
            metric.reset_state()

    def _metrics(self) -> list[Metric]:
        return self._objective.metrics if self._objective else []

    def _require_compiled(self) -> None:
        if self._compiled is None:
            raise invalid(
                f"model {self.name!r}",
                "no compile()",
                "a compiled model",
                "call model.compile(optimizer, loss) first",
                RuntimeError,
            )

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """One call at a time, and none that fails before its first training step leaves a trace."""
        with Exclusive(self._training), self._undone_on_error(training=True):
            yield

    def _features(self, x: Any, argument: str = "x") -> list[np.ndarray]:
        """Inputs checked against the model, which is built if these are its first data."""
        if not self.built:
            first = tree.map_structure(lambda part: data.features(argument, part, None), data.structure(x))
            self.build(tree.shapes_of(first))
        names, shapes = self.input_names, tree.shape_leaves(self.input_shape)
        columns = data.column_names(x) if len(names) == 1 else None
        if columns is not None and self.feature_names not in (None, columns):
            fix = "select the columns by these names, in this order"
            raise invalid(argument, f"a table with columns {show(columns)}", f"{show(self.feature_names)}", fix)
        found = []
        for name, part, shape in zip(names, self._parts_of(argument, x, "input"), shapes, strict=True):
            label = f"layer {self.layers[0].name!r}" if len(names) == 1 else f"input {name!r}"
            found.append(data.features(f"{label}, {argument}", part, shape))
        data.equal_lengths(**{f"{argument} of {name!r}": a for name, a in zip(names, found, strict=True)})
        return found

    def _parts_of(self, argument: str, value: Any, noun: str) -> list[Any]:
        """What belongs to each input or output."""
        names, shapes = getattr(self, f"{noun}_names"), getattr(self, f"{noun}_shape")
        return data.parts(argument, value, names, noun, shapes)

    def _packed(self, inputs: list[Any]) -> Any:
        """Flat inputs in the structure in which the model takes them."""
        return tree.shape_pack(self.input_shape, inputs)

    def _samples(
        self, x: Any, y: Any, sample_weight: Any, arguments: tuple[str, ...] = ("x", "y", "sample_weight")
    ) -> Samples:
        """Inputs, targets and weights as arrays of equal length."""
        inputs, names = self._features(x, arguments[0]), self.output_names
        several = len(names) > 1
        targets = [
            None if several and part is None else data.numbers(labelled(arguments[1], name, several), part)
            for name, part in zip(names, self._parts_of(arguments[1], y, "output"), strict=True)
        ]
        weights: list[Any]
        if sample_weight is None:
            weights = [None] * len(names)
        elif isinstance(sample_weight, (list, tuple, dict) if several else dict):
            weights = self._parts_of(arguments[2], sample_weight, "output")
        else:
            weights = [sample_weight] * len(names)  # the same for every output
        weights = [
            None if part is None else data.numbers(labelled(arguments[2], name, several), part)
            for name, part in zip(names, weights, strict=True)
        ]
        for name, target, weight in zip(names, targets, weights, strict=True):
            labels = [arguments[0], *(labelled(argument, name, several) for argument in arguments[1:])]
            data.equal_lengths(**dict(zip(labels, (inputs[0], target, weight), strict=True)))
        return Samples(inputs, targets, weights)

    @contextmanager
    def _undone_on_error(self, training: bool = False) -> Iterator[None]:
        """An error inside leaves no layer built and no program made that was not there, unless steps were taken since.

        `training` undoes what only training and evaluation change, too.
        """
        optimizer, compiled = self.optimizer, self._compiled
        steps = optimizer and optimizer.iterations
        names = (
            "built",
            "build_shape",
            *(("_objective", "history", "stop_training", "feature_names") if training else ()),
        )
        kept = [(self, name, getattr(self, name)) for name in names]
        if training:
            kept.append((optimizer, "_slots", dict(optimizer._slots)))
        unbuilt, programs = [layer for layer in self.layers if not layer.built], set(self._executors)
        try:
            yield
        except BaseException:
            if self._compiled is compiled and steps == (optimizer and optimizer.iterations):
                for owner, name, value in kept:
                    setattr(owner, name, value)
                for layer in unbuilt:
                    layer.unbuild()
                for key in set(self._executors) - programs:
                    self._executors.pop(key, None)
            raise

    def _source(
        self,
        given: tuple[Any, Any, Any],
        batch_size: int | None,
        arguments: tuple[str, ...] = ("x", "y", "sample_weight"),
        class_weight: Any = None,
        **options: Any,
    ) -> Source:
        """Where batches of inputs, targets and weights come from, in the form in which programs read them."""
        x, *rest = given
        if not is_stream(x):
            samples = self._samples(*given, arguments)
            return self._arrays(samples, batch_size, class_weight, argument=arguments[1], **options)
        for argument, value in zip(arguments[1:], rest, strict=True):
            if value is not None:
                raise invalid(argument, show(value), "None, for the stream gives it", f"leave {argument} out")

        def prepare(batch: Any) -> tuple[dict[str, np.ndarray], int]:
            samples = self._samples(*unpacked(batch), arguments)
            return self._data(samples, class_weight, arguments[1]), len(samples)

        return StreamSource(x, prepare, **options)

    def _arrays(
        self, samples: Samples, batch_size: int | None, class_weight: Any = None, argument: str = "y", **options: Any
    ) -> ArraySource:
        """Batches of some samples; all at once without a batch size."""
        arrays = self._data(samples, class_weight, argument)
        return ArraySource(arrays, len(samples), batch_size or len(samples), **options)

    def _print_timings(self, mode: str) -> None:
        """What the programs of a mode took, if they are timed."""
        for key, executor in self._executors.items():
            if key[0] == mode:
                executor.print_timings()

    def _data(self, samples: Samples, class_weight: Any = None, argument: str = "y") -> dict[str, np.ndarray]:
        """The arrays that a training or evaluation program reads, by name."""
        objective, dtype = self._resolve(samples.y), config.floatx()
        names, shapes, several = self.output_names, tree.shape_leaves(self.output_shape), len(objective.goals) > 1
        if class_weight is not None and several:
            expected, fix = "a model with one output", "pass sample_weight instead"
            raise invalid("class_weight", f"weights for {len(names)} outputs", expected, fix)
        arrays = {name: data.stored(array, dtype) for name, array in zip(input_areas(self), samples.x, strict=True)}
        for i, (goal, name, shape) in enumerate(zip(objective.goals, names, shapes, strict=True)):
            target, label = samples.y[i], labelled(argument, name, several)
            if target is None and goal.kinds:
                raise invalid(label, "None", "targets, for there is a loss or a metric", "pass an array", TypeError)
            owner = name if several else self.layers[-1].name
            for kind in sorted(goal.kinds):
                arrays[f"{goal.area('y')} {kind}"] = data.targets(label, target, shape, kind, dtype, owner)
            weights = data.weights(samples.weights[i], class_weight, target, len(samples), dtype)
            if weights is not None:
                arrays[goal.area("weights")] = weights
        return arrays

    def _executor(self, mode: str, rows: int, prepared: dict[str, np.ndarray] | None, checked: bool = True) -> Executor:
        """The program of a mode, made once for each combination of what it depends on."""
        config.explicit_threads()  # a wrong FASTNN_NUM_THREADS is refused now, not in the middle of a run
        x_dtypes = None if prepared is None else tuple(str(prepared[name].dtype) for name in input_areas(self))
        weighted = tuple(name for name in prepared or () if name.startswith("weights"))
        trainable = () if mode == PREDICT else (*map(id, self.trainable_variables), *self._trainable_flags())
        variables = tuple(id(v) for v in self.variables)
        key = (
            mode,
            rows,
            x_dtypes,
            weighted,
            checked,
            trainable,
            variables,
            config.floatx(),
            current_isa(),
            config.force_threads(),
            config.debug(),
        )
        made: dict[Any, Executor] = {} if self.run_eagerly else self._executors
        if key not in made:
            given = rows, x_dtypes, self._objective, weighted, checked, self.run_eagerly
            made[key] = compile_program(self, mode, *given)
        return made[key]

    def _run(
        self,
        source: Source,
        epoch: int,
        called: CallbackList | None,
        mode: str,
        on_nonfinite: str = "raise",
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Run one epoch; after each chunk yields the number of batches done and the running logs."""
        if not self.run_eagerly:
            self._executor(mode, source.rows, source.arrays, on_nonfinite != "ignore")  # an error changes nothing
        self.reset_metrics()
        hook = "train" if mode == TRAIN else "test"
        batch_hooks = called is not None and called.overrides((f"on_{hook}_batch_begin", f"on_{hook}_batch_end"))
        optimizer, objective = self.optimizer, self._objective
        assert objective is not None
        rows, arrays, kind = 0, None, ""
        for chunk, turn in turns(source.epoch(epoch, self._at_once(batch_hooks)), mode, optimizer):
            if batch_hooks:
                getattr(called, f"on_{hook}_batch_begin")(chunk.batch)
            if source.rows > rows or chunk.arrays is not arrays or turn != kind or self.run_eagerly:
                rows, arrays, kind = source.rows, chunk.arrays, turn
                executor = self._executor(turn, rows, arrays, on_nonfinite != "ignore")
                made = [a for a in executor.program.areas if a.kind == STEP and a.name != "learning rate"]
            counts = chunk.counts
            bound = {area.name: np.zeros((len(counts), *area.shape), area.dtype) for area in made}
            for goal, shape in zip(objective.goals, tree.shape_leaves(self.output_shape), strict=True):
                if goal.in_python:
                    low, high = chunk.span
                    bound[goal.area(PREDICTIONS)] = np.empty((high - low, *shape[1:]), config.floatx())
            iteration = None
            if mode == TRAIN:
                iteration = optimizer._iterations
            if turn == TRAIN:
                bound["learning rate"] = optimizer.step_numbers(len(counts)).astype(config.floatx())
            run = executor.run(
                {**chunk.arrays, **bound, "order": chunk.order},
                chunk.starts,
                counts,
                seed=config.seed(),
                iteration=iteration,
                on_nonfinite="skip" if on_nonfinite == "skip" else "raise",
            )
            self._update_in_python(chunk, bound, run.batches)
            done = {name: a[: run.batches] for name, a in bound.items()}
            self._accumulate(executor.program, done, counts[: run.batches])
            if run.batches < len(counts):
                raise diagnose(executor, optimizer, chunk.arrays, chunk.order, chunk.starts, counts, run.batches)
            logs = self._logs()
            if batch_hooks:
                getattr(called, f"on_{hook}_batch_end")(chunk.last, logs)
            yield chunk.batch + len(counts), logs

    def _at_once(self, batch_hooks: bool) -> int | None:
        """Batches that run at once; None for as many as take some time together."""
        return 1 if self.run_eagerly else self.steps_per_execution if batch_hooks else None

    def _update_in_python(self, chunk: Chunk, bound: dict[str, np.ndarray], batches: int) -> None:
        """Give the metrics in Python the batches that were run."""
        assert self._objective is not None
        for goal in self._objective.goals:
            for metric, weighted in goal.in_python:
                weights = chunk.arrays.get(goal.area("weights")) if weighted else None
                for start, rows in zip(chunk.starts[:batches], chunk.counts, strict=False):
                    batch = chunk.order[start : start + rows]
                    y_true = chunk.arrays[f"{goal.area('y')} {metric.target}"][batch]
                    y_pred = bound[goal.area(PREDICTIONS)][start : start + rows]
                    metric.update_state(y_true, y_pred, *(() if weights is None else (weights[batch],)))

    def _accumulate(self, program: Program, outputs: dict[str, np.ndarray], counts: np.ndarray) -> None:
        """Take the sums of a chunk of batches into losses and metrics, batch by batch."""
        objective = self._objective
        assert objective is not None
        values = np.zeros(len(counts))
        for goal, value in loss_values(objective, program, outputs, counts):
            if len(objective.losses) > 1:
                self._loss_parts[goal.name] = in_order(self._loss_parts.get(goal.name, 0.0), value * counts)
            values += value if goal.weight == 1 else value * goal.weight
        for name, penalty in outputs.items():
            if name.startswith(PENALTY):
                values += penalty
        self._loss_total = in_order(self._loss_total, values * counts)
        self._loss_rows += int(counts.sum())
        for goal in objective.goals:
            for metric in goal.all_metrics:
                if isinstance(metric, MeanMetric):
                    metric.add(outputs[f"metric {goal.log(metric)}"])

    def _logs(self) -> dict[str, float]:
        assert self._objective is not None
        rows = max(self._loss_rows, 1)
        values = {goal.log(m): float(m.result()) for goal in self._objective.goals for m in goal.all_metrics}
        for goal in self._objective.losses:
            if goal.name in self._loss_parts:
                values[goal.loss_log] = self._loss_parts[goal.name] / rows
        values["loss"] = self._loss_total / rows
        return dict(sorted(values.items()))

    def _flat(self, logs: dict[str, float]) -> Any:
        """Logs as a list in Keras' order: loss, losses of outputs, metrics; the loss alone if there is nothing else."""
        assert self._objective is not None
        goals = self._objective.goals
        names = ["loss", *(goal.loss_log for goal in self._objective.losses if goal.loss_log in logs)]
        if len(goals) == 1:
            names += [goals[0].log(m) for m in goals[0].all_metrics]
        names += [name for name in sorted(logs) if name not in names]
        values = [logs[name] for name in names]
        return values if len(values) > 1 else values[0]


def turns(chunks: Iterator[Chunk], mode: str, optimizer: Any) -> Iterator[tuple[Chunk, str]]:
    """The chunks with the kinds of their steps, cut where an optimizer that gathers gradients changes the variables."""
    for chunk in chunks:
        done, batches = 0, len(chunk.counts)
        if mode != TRAIN or not optimizer.gradient_accumulation_steps:
            yield chunk, mode
            continue
        while done < batches:
            count = min(optimizer.steps_to_gather, batches - done)
            yield chunk.part(done, count or 1), GATHER if count else TRAIN
            done += count or 1


def labelled(argument: str, name: str, several: bool) -> str:
    """An argument, with the output that it is for where there are several."""
    return f"{argument} of {name!r}" if several else argument


def in_order(total: float, values: np.ndarray) -> float:
    """A sum from the first to the last."""
    return float(np.add.accumulate(np.concatenate([[total], values]))[-1])


def check_batch_size(argument: str, value: Any, x: Any) -> int | None:
    """The size of batches; None for all samples at once, and for a stream, which has its own."""
    if is_stream(x):
        if value is not None:
            fix = "make batches of that size in the stream"
            raise invalid(argument, show(value), "None for a stream, which has batches already", fix)
        return None
    if is_one_of(value, ("full",)):
        return None
    return whole(argument, DEFAULT_BATCH_SIZE if value is None else value, 1)


def check_steps(argument: str, value: Any) -> int | None:
    """A number of batches, or None for all there are; -1 is None, too."""
    return None if value is None or is_one_of(value, (-1,)) else whole(argument, value, 1)


def frequency(value: Any) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(value, (list, tuple, set, frozenset, range)):
        epochs = {whole("validation_freq", epoch, 1) for epoch in value}
        return lambda epoch: epoch in epochs
    every = whole("validation_freq", value, 1)
    return lambda epoch: epoch % every == 0


def check_split(part: Any) -> float:
    """The part of the data that is for validation, from 0 to below 1."""
    expected = "a number from 0 to below 1"
    return check_number("validation_split", part, 0, expected, "pass for example 0.1", math.nextafter(1, 0))


def split(part: float, samples: Samples) -> tuple[Samples, Samples]:
    """Training and validation data: the last part of the rows is for validation, as in Keras."""
    at = int(len(samples) * (1 - part))
    if at == 0 or at == len(samples):
        raise invalid(
            "validation_split",
            f"{part} of {len(samples)} samples, which leaves one side empty",
            "at least one sample on each side",
            "pass more samples or validation_data",
        )
    return samples.part(0, at), samples.part(at, len(samples))


def whole(argument: str, value: Any, least: int) -> int:
    """An integer of at least `least`."""
    expected = f"an integer from {least} to below 2**31"
    return check_integer(argument, value, least, expected, "pass such an integer", 2**31 - 1)


def as_list(value: Any) -> list[Any]:
    """None as an empty list, a single object as a list of one."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
