"""compile, fit, evaluate, predict."""

import math
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from .. import config, losses, optimizers
from ..callbacks import CallbackList, History, ProgbarLogger
from ..errors import check_flag, check_integer, check_number, invalid, is_one_of, not_provided, unknown
from ..execute import NativeExecutor, NumpyExecutor, OneBatch, current_isa, permutation, switches
from ..layers.base import Layer, Structure
from ..metrics import MeanMetric, Metric
from ..metrics import get as get_metric
from ..program import STEP
from . import data
from .loop import Exclusive, chunks, diagnose
from .programs import EVALUATE, PREDICT, PREDICTIONS, TRAIN, Objective, compile_program, loss_count, penalty_name

DEFAULT_BATCH_SIZE = 32
POLICIES = ("raise", "skip", "ignore")

Executor = NativeExecutor | NumpyExecutor


class Trainer(Layer):
    """Training and prediction; `Model` inherits it."""

    layers: list[Layer]

    def __init__(self, name: str | None = None):
        super().__init__(name=name)
        self.optimizer: Any = None
        self.loss: Any = None
        self.stop_training = False
        self.history: History | None = None
        self._compiled: tuple[Any, Any, list[Any], list[Any]] | None = None
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
        loss_weights: None = None,
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
        loss : str, type, callable or Loss
            A callable ``f(y_true, y_pred)`` made with `fastnn.ops` returns one value per sample, or one for the
            batch, which then cannot be weighted.
        loss_weights : None
            Not provided yet.
        metrics : list of str, type, callable or Metric, optional
            Reported unweighted.
        weighted_metrics : list, optional
            Reported with the sample weights.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            How Keras executes; only its defaults are accepted.

        Examples
        --------
        >>> import fastnn
        >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(2,))])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        """
        not_provided(loss_weights=loss_weights)
        not_provided(False, run_eagerly=run_eagerly)
        not_provided(1, steps_per_execution=steps_per_execution)
        not_provided("auto", jit_compile=jit_compile)
        not_provided(True, auto_scale_loss=auto_scale_loss)
        made = optimizers.get(optimizer), losses.get(loss), as_list(metrics), as_list(weighted_metrics)
        for metric in made[2] + made[3]:
            get_metric(metric)  # refuses unknown names now, though "accuracy" is resolved later
        self._compiled = made
        self.optimizer, self.loss = made[0], made[1]
        self._changed()

    def _changed(self) -> None:
        """Forget what was made from layers, loss and metrics as they were."""
        self._objective = None
        self._executors.clear()
        self._one_batch.clear()

    def _resolve(self, y: Any) -> Objective:
        """The objective, with "accuracy" resolved by the shape of the targets at first use."""
        if self._objective is None:
            assert self._compiled is not None
            optimizer, loss, plain, weighted = self._compiled
            shape = np.asarray(y).shape
            resolved = [
                tuple(get_metric(m, (None, *shape[1:]), self.output_shape) for m in group)
                for group in (plain, weighted)
            ]
            names = [m.name for group in resolved for m in group]
            if len(set(names)) < len(names) or "loss" in names:
                raise invalid(
                    "metrics",
                    f"names {names}",
                    "names that differ from each other and from 'loss'",
                    "give each metric a name of its own",
                )
            self._objective = Objective(loss, resolved[0], resolved[1], optimizer)
            self.reset_metrics()
        return self._objective

    # fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: None = None,
        validation_steps: None = None,
        validation_batch_size: None = None,
        validation_freq: int = 1,
        *,
        on_nonfinite: str = "raise",
    ) -> History:
        """Train for a number of epochs.

        Parameters
        ----------
        x : array_like of shape (samples, ...)
            Any layout and numeric dtype; uint8 stays as it is and is converted batch by batch.
        y : array_like
            Targets.
        batch_size : int, default 32
        epochs : int, default 1
            Number of the last epoch; training begins at `initial_epoch`.
        verbose : {"auto", 0, 1, 2}
            0 prints nothing, 1 a progress bar, 2 a line per epoch; "auto" is 1 on a terminal, else 2.
        callbacks : list of Callback, optional
        validation_split : float, default 0
            Part of the data, taken from the end, that is not trained on but evaluated.
        validation_data : tuple ``(x, y)`` or ``(x, y, sample_weight)``, optional
        shuffle : bool, default True
            The order of an epoch is a function of the seed and the epoch's number.
        class_weight : dict from class to weight, optional
            A class that is not in it has weight 1. Multiplied with `sample_weight`.
        sample_weight : array_like of shape (samples,), optional
        initial_epoch : int, default 0
        steps_per_epoch, validation_steps, validation_batch_size, validation_freq
            Not provided yet; only the defaults are accepted.
        on_nonfinite : {"raise", "skip", "ignore"}
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
        not_provided(
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
        )
        not_provided(1, validation_freq=validation_freq)
        batch_size = whole("batch_size", DEFAULT_BATCH_SIZE if batch_size is None else batch_size, 1)
        epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        if not is_one_of(on_nonfinite, POLICIES):
            raise unknown("on_nonfinite", on_nonfinite, POLICIES)
        shuffle = check_flag("shuffle", shuffle)
        validation_split = check_split(validation_split)
        if validation_data is not None and (
            not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3)
        ):
            raise invalid(
                "validation_data",
                type(validation_data).__name__,
                "(x, y) or (x, y, sample_weight)",
                "pass a tuple",
                TypeError,
            )
        with self._exclusively(), closing(ProgbarLogger(verbose)) as shown:
            x, y, sample_weight = self._samples(x, y, sample_weight)
            if validation_split and validation_data is None:
                (x, y, sample_weight), validation_data = split(validation_split, x, y, sample_weight)
            train = self._data(x, y, sample_weight, class_weight)
            validation = None
            if validation_data is not None:
                vx, vy, vw = (*validation_data, None)[:3]
                names = tuple(f"validation_data[{i}]" for i in range(3))
                vx, vy, vw = self._samples(vx, vy, vw, names)
                validation = self._data(vx, vy, vw, None, names[1])
            samples, history = len(x), History()
            called = CallbackList(
                [*as_list(callbacks), history, shown],
                self,
                epochs=epochs,
                steps=-(-samples // batch_size),
                samples=samples,
                batch_size=batch_size,
                verbose=verbose,
                mode="fit",
            )
            executor = self._executor(TRAIN, min(batch_size, samples), train, on_nonfinite != "ignore")
            if validation is not None:
                rows = min(batch_size, plan_rows(len(validation["x"])))
                validator = self._executor(EVALUATE, rows, validation)
            self.stop_training, self.history = False, history
            called.on_train_begin()
            logs: dict[str, float] = {}
            for epoch in range(initial_epoch, epochs):
                called.on_epoch_begin(epoch)
                order = permutation(samples, config.seed(), epoch) if shuffle else np.arange(samples)
                for done, logs in self._run(executor, train, order, batch_size, called, TRAIN, on_nonfinite):
                    called.progress(done, logs)
                    if self.stop_training:
                        break
                if validation is not None:
                    scores = self._evaluate(validator, validation, batch_size, called)
                    logs = logs | {f"val_{name}": value for name, value in scores.items()}
                called.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            called.on_train_end(logs)
            executor.print_timings()
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
            x, y, sample_weight = self._samples(x, y, sample_weight)
            batch = self._data(x, y, sample_weight, class_weight)
            executor = self._executor(mode, plan_rows(len(x)), batch)
            order = np.arange(len(x))
            *_, (_, logs) = self._run(executor, batch, order, len(x), None, mode)
            executor.print_timings()
        return logs if return_dict else flat(logs, self._metrics())

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight, callbacks
            As in `fit`.
        steps : None
            Not provided yet.
        return_dict : bool, default False
            Return a dict instead of a list.

        Returns
        -------
        float, list of float, or dict
            The loss alone when there are no metrics, else loss and metrics.
        """
        not_provided(steps=steps)
        return_dict = check_flag("return_dict", return_dict)
        batch_size = whole("batch_size", DEFAULT_BATCH_SIZE if batch_size is None else batch_size, 1)
        self._require_compiled()
        with self._exclusively(), closing(ProgbarLogger(verbose)) as shown:
            x, y, sample_weight = self._samples(x, y, sample_weight)
            prepared = self._data(x, y, sample_weight, None)
            called = CallbackList(
                [shown, *as_list(callbacks)],
                self,
                steps=-(-len(x) // batch_size),
                samples=len(x),
                batch_size=batch_size,
                verbose=verbose,
                mode="evaluate",
            )
            executor = self._executor(EVALUATE, min(batch_size, plan_rows(len(x))), prepared)
            logs = self._evaluate(executor, prepared, batch_size, called)
        return logs if return_dict else flat(logs, self._metrics())

    def _evaluate(
        self, executor: Executor, prepared: dict[str, np.ndarray], batch_size: int, called: CallbackList
    ) -> dict[str, float]:
        order = np.arange(len(prepared["x"]))
        called.on_test_begin()
        logs: dict[str, float] = {}
        for done, logs in self._run(executor, prepared, order, batch_size, called, EVALUATE):
            called.progress(done, logs)
        called.on_test_end(logs)
        executor.print_timings()
        return logs

    # predict

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: None = None,
        callbacks: Any = None,
    ) -> np.ndarray:
        """Outputs for data.

        Parameters
        ----------
        x : array_like of shape (samples, ...)
        batch_size : int, default 32
            Has no influence on the result, which is the same to the last bit for any batch size.
        verbose, callbacks
            As in `fit`; "auto" shows nothing.
        steps : None
            Not provided yet.

        Returns
        -------
        ndarray of shape (samples, ...)
        """
        not_provided(steps=steps)
        batch_size = whole("batch_size", DEFAULT_BATCH_SIZE if batch_size is None else batch_size, 1)
        with closing(ProgbarLogger(0 if is_one_of(verbose, ("auto",)) else verbose)) as shown, self._undone_on_error():
            x = self._features(x)
            samples = len(x)
            called = CallbackList(
                [shown, *as_list(callbacks)],
                self,
                steps=-(-samples // batch_size),
                samples=samples,
                batch_size=batch_size,
                verbose=verbose,
                mode="predict",
            )
            executor = self._executor(PREDICT, min(batch_size, plan_rows(samples)), None)
            result = np.empty((samples, *self.output_shape[1:]), config.floatx())
            called.on_predict_begin()
            batch_hooks = called.overrides(("on_predict_batch_begin", "on_predict_batch_end"))
            for first, last, starts, counts in chunks(samples, batch_size, batch_hooks):
                if batch_hooks:
                    called.on_predict_batch_begin(first // batch_size)
                rows = data.contiguous(x[first:last], config.floatx())
                executor.run({"x": rows, "y": result[first:last]}, starts, counts)
                if batch_hooks:
                    called.on_predict_batch_end(first // batch_size, {"outputs": result[first:last]})
                called.progress(-(-last // batch_size), {})
            called.on_predict_end()
            executor.print_timings()
        return result

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Outputs for one batch."""
        prepared = None
        if type(x) is np.ndarray and x.ndim > 0:
            prepared = self._one_batch.get(plan_rows(len(x)))
        if prepared and prepared[0] == self._preparation():
            y = prepared[1](x)
            if y is not None:
                return y
        x = self._features(x)
        rows = plan_rows(len(x))
        result = self.predict(x, batch_size=rows, verbose=0)
        prepared, preparation = self._one_batch.get(rows), self._preparation()
        if prepared is None or prepared[0] != preparation:
            executor = self._executor(PREDICT, rows, None)
            if isinstance(executor, NativeExecutor) and OneBatch.fits(executor):
                self._one_batch[rows] = preparation, OneBatch(executor)
        return result

    def _preparation(self) -> tuple[Any, ...]:
        """What a prepared program depends on."""
        return self.layers.copy(), Structure.changes, config.floatx(), switches()

    # What is common

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
            labels = self.loss.target == losses.LABELS
            shape = self.output_shape[:-1] if labels else self.output_shape
            objective = self._objective or self._resolve(np.empty((0, *shape[1:])))
        executor = compile_program(
            self,
            mode,
            whole("batch_size", batch_size, 1),
            self.input_shape,
            config.floatx(),
            objective,
        )
        return executor.program.describe()

    def reset_metrics(self) -> None:
        """Begin the running values of loss and metrics anew."""
        self._loss_total, self._loss_rows = 0.0, 0
        for metric in self._metrics():
            metric.reset_state()

    def _metrics(self) -> list[Metric]:
        objective = self._objective
        return [*objective.metrics, *objective.weighted_metrics] if objective else []

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

    def _features(self, x: Any, argument: str = "x") -> np.ndarray:
        """Inputs checked against the model, which is built if this is its first data."""
        array = data.numbers(argument, x)
        if not self.built:
            self.build((None, *data.features(argument, array, None).shape[1:]))
        return data.features(f"layer {self.layers[0].name!r}, {argument}", array, self.input_shape)

    def _samples(
        self, x: Any, y: Any, sample_weight: Any, names: tuple[str, ...] = ("x", "y", "sample_weight")
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Inputs, targets and weights as arrays of equal length."""
        x, y = self._features(x, names[0]), data.numbers(names[1], y)
        weights = None if sample_weight is None else data.numbers(names[2], sample_weight)
        data.equal_lengths(**dict(zip(names, (x, y, weights), strict=True)))
        return x, y, weights

    @contextmanager
    def _undone_on_error(self, training: bool = False) -> Iterator[None]:
        """An error inside leaves no layer built and no program made that was not there, unless steps were taken since.

        `training` undoes what only training and evaluation change, too.
        """
        optimizer, compiled = self.optimizer, self._compiled
        steps = optimizer and optimizer.iterations
        names = ("built", "build_shape", *(("_objective", "history", "stop_training") if training else ()))
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

    def _data(
        self, x: np.ndarray, y: np.ndarray, sample_weight: Any, class_weight: Any, argument: str = "y"
    ) -> dict[str, np.ndarray]:
        """The arrays that a training or evaluation program reads, by name."""
        objective, prediction, dtype = self._resolve(y), self.output_shape, config.floatx()
        kinds = {objective.loss.target, *(m.target for m in self._metrics())}
        layer = self.layers[-1].name
        arrays = {f"y {kind}": data.targets(argument, y, prediction, kind, dtype, layer) for kind in sorted(kinds)}
        weights = data.weights(sample_weight, class_weight, y, len(x), dtype)
        if weights is not None:
            arrays["weights"] = weights
        return {"x": data.stored(x, dtype), **arrays}

    def _executor(self, mode: str, rows: int, prepared: dict[str, np.ndarray] | None, checked: bool = True) -> Executor:
        """The program of a mode, made once for each combination of what it depends on."""
        config.explicit_threads()  # a wrong FASTNN_NUM_THREADS is refused now, not in the middle of a run
        x_dtype = config.floatx() if prepared is None else str(prepared["x"].dtype)
        weighted = prepared is not None and "weights" in prepared
        trainable = () if mode == PREDICT else (*map(id, self.trainable_variables), *self._trainable_flags())
        variables = tuple(id(v) for v in self.variables)
        key = (
            mode,
            rows,
            x_dtype,
            weighted,
            checked,
            trainable,
            variables,
            config.floatx(),
            current_isa(),
            config.force_threads(),
            config.debug(),
        )
        executor = self._executors.get(key)
        if executor is None:
            executor = self._executors[key] = compile_program(
                self,
                mode,
                rows,
                self.input_shape,
                x_dtype,
                self._objective,
                weighted,
                checked,
            )
        return executor

    def _run(
        self,
        executor: Executor,
        prepared: dict[str, np.ndarray],
        order: np.ndarray,
        batch_size: int,
        called: CallbackList | None,
        mode: str,
        on_nonfinite: str = "raise",
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Run one epoch; after each chunk yields the number of batches done and the running logs."""
        self.reset_metrics()
        hook = "train" if mode == TRAIN else "test"
        batch_hooks = called is not None and called.overrides((f"on_{hook}_batch_begin", f"on_{hook}_batch_end"))
        optimizer = self.optimizer
        outputs = [area for area in executor.program.areas if area.kind == STEP and area.name != "learning rate"]
        order, count = np.ascontiguousarray(order, np.int64), loss_count(executor.program)
        in_python = self._objective.in_python if self._objective else []
        for first, last, starts, counts in chunks(len(order), batch_size, batch_hooks):
            if batch_hooks:
                getattr(called, f"on_{hook}_batch_begin")(first // batch_size)
            bound = {area.name: np.zeros((len(counts), *area.shape), area.dtype) for area in outputs}
            if in_python:
                bound[PREDICTIONS] = np.empty((last - first, *self.output_shape[1:]), config.floatx())
            iteration = None
            if mode == TRAIN:
                bound["learning rate"] = optimizer.step_numbers(len(counts)).astype(config.floatx())
                iteration = optimizer._iterations
            run = executor.run(
                {**prepared, **bound, "order": order[first:]},
                starts,
                counts,
                seed=config.seed(),
                iteration=iteration,
                on_nonfinite="skip" if on_nonfinite == "skip" else "raise",
            )
            for metric, weighted in in_python:
                for start, rows in zip(starts[: run.batches], counts, strict=False):
                    batch = order[first + start : first + start + rows]
                    weights = (prepared["weights"][batch],) if weighted and "weights" in prepared else ()
                    y_pred = bound[PREDICTIONS][start : start + rows]
                    metric.update_state(prepared[f"y {metric.target}"][batch], y_pred, *weights)
            self._accumulate({name: a[: run.batches] for name, a in bound.items()}, counts[: run.batches], *count)
            if run.batches < len(counts):
                raise diagnose(executor, optimizer, prepared, order[first:], starts, counts, run.batches)
            logs = self._logs()
            if batch_hooks:
                getattr(called, f"on_{hook}_batch_end")(first // batch_size, logs)
            yield first // batch_size + len(counts), logs

    def _accumulate(self, outputs: dict[str, np.ndarray], counts: np.ndarray, values: int, per_row: bool) -> None:
        """Take the sums of a chunk of batches into loss and metrics, batch by batch."""
        objective = self._objective
        assert objective is not None
        penalties = np.zeros(len(counts))
        i = 0
        while penalty_name(i) in outputs:
            penalties += outputs[penalty_name(i)]
            i += 1
        for total, penalty, rows in zip(
            outputs["loss"][:, 0].tolist(), penalties.tolist(), counts.tolist(), strict=True
        ):
            value = total if objective.loss.reduction == "sum" else total / (rows * values if per_row else values)
            self._loss_total += (value + penalty) * rows
            self._loss_rows += rows
        for metric in self._metrics():
            if isinstance(metric, MeanMetric):
                metric.add(outputs[f"metric {metric.name}"])

    def _logs(self) -> dict[str, float]:
        values = {m.name: float(m.result()) for m in self._metrics()}
        values["loss"] = self._loss_total / max(self._loss_rows, 1)
        return dict(sorted(values.items()))


def plan_rows(samples: int) -> int:
    """Rows to plan for, so that calls with many different lengths share a few programs."""
    return max(DEFAULT_BATCH_SIZE, 1 << (samples - 1).bit_length())


def check_split(part: Any) -> float:
    """The part of the data that is for validation, from 0 to below 1."""
    expected = "a number from 0 to below 1"
    return check_number("validation_split", part, 0, expected, "pass for example 0.1", math.nextafter(1, 0))


def split(part: float, x: np.ndarray, y: np.ndarray, sample_weight: Any) -> tuple[Any, Any]:
    """Training and validation data: the last part of the rows is for validation, as in Keras."""
    at = int(len(x) * (1 - part))
    if at == 0 or at == len(x):
        raise invalid(
            "validation_split",
            f"{part} of {len(x)} samples, which leaves one side empty",
            "at least one sample on each side",
            "pass more samples or validation_data",
        )
    weights = None if sample_weight is None else np.asarray(sample_weight)
    first, second = (x[:at], y[:at]), (x[at:], y[at:])
    return (*first, None if weights is None else weights[:at]), (*second, *(() if weights is None else (weights[at:],)))


def whole(argument: str, value: Any, least: int) -> int:
    """An integer of at least `least`."""
    expected = f"an integer from {least} to below 2**31"
    return check_integer(argument, value, least, expected, "pass such an integer", 2**31 - 1)


def as_list(value: Any) -> list[Any]:
    """None as an empty list, a single object as a list of one."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def flat(logs: dict[str, float], named: list[Metric]) -> Any:
    """The loss, followed by the metrics in the order of compile; the loss alone without metrics."""
    values = [logs["loss"], *(logs[m.name] for m in named)]
    return values if named else values[0]
