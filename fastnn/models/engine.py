"""The engine of models: from data to programs, and their runs batch by batch."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import config, tree
from ..callbacks import CallbackList, History
from ..errors import invalid, show
from ..execute import NativeExecutor, NumpyExecutor, OneBatch, current_isa
from ..layers.base import Layer
from ..metrics import MeanMetricWrapper, Metric
from ..metrics.base import number
from ..optimizers.optimizer import STEP_INPUTS
from ..program import STEP, Program
from . import data
from .data import Samples
from .descent import Descent
from .loop import Exclusive, diagnose
from .objective import Compiled, Objective
from .programs import (
    GATHER,
    PREDICT,
    PREDICTIONS,
    SAMPLE,
    TRAIN,
    compile_program,
    input_areas,
    loss_values,
    total_loss,
)
from .sources import ArraySource, Chunk, StreamSource, is_stream, unpacked

Executor = NativeExecutor | NumpyExecutor | Descent
Source = ArraySource | StreamSource


class Engine(Layer):
    """What `Trainer` calls: it keeps the objective and the programs, brings data into their form, and runs epochs."""

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

    # What it computes

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

    def reset_metrics(self) -> None:
        """Begin the running values of loss and metrics anew."""
        self._loss_total, self._loss_rows = 0.0, 0
        self._loss_parts: dict[str, float] = {}
        for metric in self._metrics():
            metric.reset_state()

    def _running(self) -> dict[str, Any]:
        """The running values of loss and metrics."""
        found = [type(metric).state(metric) for metric in self._metrics()]  # a variable of one may be called state
        return {"total": self._loss_total, "rows": self._loss_rows, "parts": self._loss_parts, "metrics": found}

    def _go_on(self, running: dict[str, Any]) -> None:
        """Go on with the running values that `_running` gave."""
        self._loss_total, self._loss_rows = running["total"], running["rows"]
        self._loss_parts = running["parts"]
        for metric, state in zip(self._metrics(), running["metrics"], strict=True):
            type(metric).restore(metric, state)

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

    @contextmanager
    def _undone_on_error(self, training: bool = False) -> Iterator[None]:
        """An error inside leaves no layer built and no program made that was not there, unless steps were taken since.

        `training` undoes what only training and evaluation change, too.
        """
        optimizer, compiled = self.optimizer, self._compiled
        swapped = getattr(optimizer, "swapped", False)
        steps = optimizer and optimizer.iterations
        names = (
            "built",
            "build_shape",
            *(("_objective", "history", "stop_training", "feature_names") if training else ()),
        )
        kept = [(self, name, getattr(self, name)) for name in names]
        if training:
            kept += [(optimizer, name, dict(getattr(optimizer, name))) for name in ("_slots", "_beside")]
        unbuilt, programs = [layer for layer in self.layers if not layer.built], set(self._executors)
        try:
            yield
        except BaseException:
            if optimizer is not None and optimizer.swapped and not swapped:  # by SwapEMAWeights, for what has failed
                optimizer.swap_averages(self.trainable_variables)
            if self._compiled is compiled and steps == (optimizer and optimizer.iterations):
                for owner, name, value in kept:
                    setattr(owner, name, value)
                for layer in unbuilt:
                    layer.unbuild()
                for key in set(self._executors) - programs:
                    self._executors.pop(key, None)
            raise

    # Data

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
                ignored = getattr(goal.loss, "ignore_class", None)
                arrays[f"{goal.area('y')} {kind}"] = data.targets(label, target, shape, kind, dtype, owner, ignored)
            weights = data.weights(samples.weights[i], class_weight, target, len(samples), dtype)
            if weights is not None:
                arrays[goal.area("weights")] = weights
        return arrays

    # Programs

    def _executor(
        self,
        mode: str,
        rows: int,
        prepared: dict[str, np.ndarray] | None,
        checked: bool = True,
        make: Callable[[], NativeExecutor | None] | None = None,
    ) -> Executor:
        """The program of a mode, made once for each combination of what it depends on; by `make` if it can."""
        config.explicit_threads()  # a wrong FASTNN_NUM_THREADS is refused now, not in the middle of a run
        x_dtypes = None if prepared is None else tuple(str(prepared[name].dtype) for name in input_areas(self))
        weighted = tuple(name for name in prepared or () if name.startswith("weights"))
        learning = [] if mode in (PREDICT, SAMPLE) else [(id(v), v.constraints_set) for v in self.trainable_variables]
        trainable = () if mode in (PREDICT, SAMPLE) else (*learning, *self._trainable_flags())
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
            executor = (make and make()) or compile_program(self, mode, *given)
            made[key] = executor
            if mode == TRAIN and self.optimizer.searches:
                assert self._objective is not None
                made[key] = Descent(executor, self._objective, self.trainable_variables)
        return made[key]

    def _print_timings(self, mode: str) -> None:
        """What the programs of a mode took, if they are timed."""
        for key, executor in self._executors.items():
            if key[0] == mode:
                executor.print_timings()

    # Epochs

    def _run(
        self,
        source: Source,
        epoch: int,
        called: CallbackList | None,
        mode: str,
        on_nonfinite: str = "raise",
        first: int = 0,
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Run one epoch; after each chunk yields the number of batches done and the running logs.

        From a `first` batch on it goes on with the running values that there are.
        """
        if not self.run_eagerly:
            self._executor(mode, source.rows, source.arrays, on_nonfinite != "ignore")  # an error changes nothing
        if not first:
            self.reset_metrics()
        hook = "train" if mode == TRAIN else "test"
        batch_hooks = called is not None and called.overrides((f"on_{hook}_batch_begin", f"on_{hook}_batch_end"))
        optimizer, objective = self.optimizer, self._objective
        assert objective is not None
        rows, arrays, kind = 0, None, ""
        finished, logs = first, self._logs() if first else {}
        if first:
            yield first, logs
        for chunk, turn, last in turns(source.epoch(epoch, self._at_once(batch_hooks), first), mode, optimizer):
            if batch_hooks:
                getattr(called, f"on_{hook}_batch_begin")(chunk.batch)
            if source.rows > rows or chunk.arrays is not arrays or turn != kind or self.run_eagerly:
                rows, arrays, kind = source.rows, chunk.arrays, turn
                executor = self._executor(turn, rows, arrays, on_nonfinite != "ignore")
                made = [a for a in executor.program.areas if a.kind == STEP and a.name not in STEP_INPUTS]
            counts = chunk.counts
            bound = {area.name: np.zeros((len(counts), *area.shape), area.dtype) for area in made}
            for goal, shape in zip(objective.goals, tree.shape_leaves(self.output_shape), strict=True):
                if goal.in_python:
                    low, high = chunk.span
                    bound[goal.area(PREDICTIONS)] = np.empty((high - low, *shape[1:]), config.floatx())
            iteration = None
            if mode == TRAIN:
                iteration = optimizer._iterations
                inputs = optimizer.step_inputs(len(counts), turn == GATHER)
                bound |= {name: numbers.astype(config.floatx()) for name, numbers in inputs.items()}
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
            if run.ended:
                self.stop_training = True
            if run.batches < len(counts):
                raise diagnose(executor, optimizer, chunk.arrays, chunk.order, chunk.starts, counts, run.batches)
            logs = self._logs()
            if batch_hooks:
                getattr(called, f"on_{hook}_batch_end")(chunk.last, logs)
            finished = chunk.batch + len(counts)
            if last:  # within a chunk nobody could go on: a stream has made all of its batches
                yield finished, logs
        if any(metric.at_end for metric in objective.metrics) and objective is self._objective and logs:
            yield finished, self._logs(final=True)

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
        losses = loss_values(objective, program, outputs, counts)
        for goal, value in losses if len(losses) > 1 else []:
            self._loss_parts[goal.name] = in_order(self._loss_parts.get(goal.name, 0.0), value * counts)
        self._loss_total = in_order(self._loss_total, total_loss(losses, outputs) * counts)
        self._loss_rows += int(counts.sum())
        for goal in objective.goals:
            for metric in goal.all_metrics:
                if metric.in_c and isinstance(metric, MeanMetricWrapper):
                    metric.add(outputs[f"metric {goal.log(metric)}"])

    def _logs(self, final: bool = False) -> dict[str, float]:
        """The values so far; `final` ones with those of the metrics that need all predictions."""
        assert self._objective is not None
        rows = max(self._loss_rows, 1)
        values = {
            goal.log(m): number(m.result())
            for goal in self._objective.goals
            for m in goal.all_metrics
            if final or not m.at_end
        }
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


def turns(chunks: Iterator[Chunk], mode: str, optimizer: Any) -> Iterator[tuple[Chunk, str, bool]]:
    """The chunks, cut where an optimizer that gathers gradients changes the variables, with the kinds of their steps,
    and whether each part is the last one of its chunk.
    """
    for chunk in chunks:
        done, batches = 0, len(chunk.counts)
        if mode != TRAIN or not optimizer.gradient_accumulation_steps:
            yield chunk, mode, True
            continue
        while done < batches:
            count = min(optimizer.steps_to_gather, batches - done)
            part, turn = chunk.part(done, count or 1), GATHER if count else TRAIN
            done += count or 1
            yield part, turn, done == batches


def labelled(argument: str, name: str, several: bool) -> str:
    """An argument, with the output that it is for where there are several."""
    return f"{argument} of {name!r}" if several else argument


def in_order(total: float, values: np.ndarray) -> float:
    """A sum from the first to the last."""
    return float(np.add.accumulate(np.concatenate([[total], values]))[-1])
