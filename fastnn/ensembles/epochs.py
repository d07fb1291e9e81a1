"""Epochs of all members of an ensemble at once: their chunks of batches, each one call of C, and their logs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import config, tree
from ..errors import NonFiniteError
from ..execute import Job, permutations, run_side_by_side
from ..metrics import Mean, MeanMetricWrapper, Metric
from ..models.loop import CHUNK_SECONDS, Pace, diagnose
from ..models.programs import PREDICTIONS, TRAIN, loss_values, total_loss
from ..models.sources import Chunk
from ..optimizers.optimizer import STEP_INPUTS
from ..program import STEP, Program
from ..sweeps import step_cost
from .members import Executor, Member, alike

MOST_ROWS = 1 << 22  # of the orders of all members in one chunk: 32 megabytes
COST_PER_SECOND = 5e9  # at least, in the unit of `fastnn.sweeps`: only for how long the first chunk is


@dataclass
class Part:
    """Batches that all members run in one call of C: those of whole epochs, or some of one.

    Attributes
    ----------
    epoch, epochs : int
        Number of the first epoch, and how many they are.
    first, batches : int
        Number of the first batch in its epoch, and how many they are in each epoch.
    last : bool
        Whether the epoch ends with it.
    """

    epoch: int
    epochs: int
    first: int
    batches: int
    last: bool


def parts(epochs: range, batches: int, most_epochs: int, pace: Pace) -> Iterator[Part]:
    """Cut epochs of so many batches into parts that take some time each, at most so many epochs at once."""
    epoch = epochs.start
    while epoch < epochs.stop:
        whole = min(pace.batches // batches, most_epochs, epochs.stop - epoch)
        if whole > 1:
            yield Part(epoch, whole, 0, batches, True)
            epoch += whole
            continue
        first = 0
        while first < batches:
            size = min(pace.batches, batches - first)
            yield Part(epoch, 1, first, size, first + size == batches)
            first += size
        epoch += 1


@dataclass
class Logs:
    """Running values of losses and metrics of all members, summed up as each would do it alone.

    Attributes
    ----------
    objective : Objective
    members : int
    totals : dict of str to ndarray of shape (members, epochs)
        Sums of the epochs that are not at their end, in float64.
    """

    objective: Any
    members: int
    totals: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, program: Program, outputs: dict[str, np.ndarray], counts: np.ndarray, epochs: int) -> dict[str, Any]:
        """Take in outputs of shape (members, batches, ...), from batch to batch; gives logs of shape (members, epochs).

        `counts` has the rows of each batch, epoch after epoch.
        """
        flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in outputs.items()}
        rows = np.tile(counts, self.members)
        values = loss_values(self.objective, program, flat, rows)
        found = {goal.loss_log: value * rows for goal, value in (values if len(values) > 1 else [])}
        found["loss"] = total_loss(values, flat) * rows
        losses, metrics = list(found), {g.log(m): m for g in self.objective.goals for m in g.all_metrics}
        for name in metrics:
            found[f"sum {name}"], found[f"weight {name}"] = flat[f"metric {name}"].astype(np.float64).T
        found["rows"] = rows.astype(np.float64)
        for name, sums in found.items():
            before = self.totals.get(name, np.zeros((self.members, epochs)))
            in_order = np.concatenate([before[..., np.newaxis], sums.reshape(self.members, epochs, -1)], axis=-1)
            self.totals[name] = np.add.accumulate(in_order, axis=-1)[..., -1]
        logs = {name: self.totals[name] / np.maximum(self.totals["rows"], 1) for name in losses}
        for name, metric in metrics.items():
            total, weight = self.totals[f"sum {name}"], self.totals[f"weight {name}"]
            mean = np.divide(total, weight, out=np.zeros_like(total), where=weight != 0)
            logs[name] = mean.astype(metric.dtype).astype(np.float64)
        return dict(sorted(logs.items()))


def sums_of_batches(metric: Metric) -> bool:
    """Whether a metric is the mean of what C sums up for each batch."""
    own = type(metric)
    return issubclass(own, MeanMetricWrapper) and metric.in_c and own.result is Mean.result and own.add is Mean.add


class SideBySide:
    """Members that go through the same arrays, each in an order of its own.

    Parameters
    ----------
    members : list of Member
    programs : list of NativeExecutor or NumpyExecutor
        One for each.
    mode : {"train", "evaluate"}
    arrays : dict of str to ndarray
        What the programs read, by name.
    on_nonfinite : {"raise", "skip", "ignore"}

    Attributes
    ----------
    failed : dict of int to NonFiniteError
        The members, by their place in the list, that are not trained any more.
    """

    def __init__(
        self, members: list[Member], programs: list[Executor], mode: str, arrays: Any, on_nonfinite: str = "raise"
    ):
        self.members, self.programs, self.mode, self.arrays = members, programs, mode, arrays
        self.policy = "skip" if on_nonfinite == "skip" else "raise"
        self.program = programs[0].program
        self.outputs = [a for a in self.program.areas if a.kind == STEP and a.name not in STEP_INPUTS]
        objective = members[0].model._objective
        assert objective is not None
        self.objective, self.logs = objective, Logs(objective, len(members))
        self.in_c = all(map(sums_of_batches, objective.metrics))
        optimizers = [member.model.optimizer for member in members]
        self.steps_alike = [alike(optimizers[0], optimizer) for optimizer in optimizers]
        self.failed: dict[int, NonFiniteError] = {}

    def first_pace(self) -> Pace:
        """How many batches the first chunk has, by what the operations of a batch should take at most."""
        cost = sum(step_cost(self.program, step) for step in self.program.steps)
        return Pace(max(1, int(CHUNK_SECONDS * COST_PER_SECOND / (cost * len(self.members)))))

    def run(self, part: Part, orders: Any, starts: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Run the batches of a part, which `orders`, an array for each member, `starts` and `counts` say.

        Returns
        -------
        dict of str to ndarray of shape (members, epochs)
            The logs of each epoch so far; NaN for a member that failed.
        """
        count, batches = len(self.members), len(counts)
        bound = {area.name: np.zeros((count, batches, *area.shape), area.dtype) for area in self.outputs}
        own = [{name: array[k] for name, array in bound.items()} for k in range(count)]
        if part.first == 0:
            self.logs.totals.clear()
            for member in () if self.in_c else self.members:
                member.model.reset_metrics()
        steps: dict[Any, dict[str, np.ndarray]] = {}
        jobs, at_work = [], [k for k in range(count) if k not in self.failed]
        for k in at_work:
            model, iteration = self.members[k].model, None
            if not self.in_c:
                rows = int(starts[-1] + counts[-1])
                for goal, shape in zip(self.objective.goals, tree.shape_leaves(model.output_shape), strict=True):
                    if goal.in_python:
                        own[k][goal.area(PREDICTIONS)] = np.empty((rows, *shape[1:]), config.floatx())
            if self.mode == TRAIN:
                iteration = model.optimizer._iterations
                own[k] |= self._step_inputs(k, batches, steps)
            data = {**self.arrays, **own[k], "order": orders[k]}
            jobs.append(Job(self.programs[k], data, starts, counts, self.members[k].seed, iteration, self.policy))
        runs = run_side_by_side(jobs) if jobs else []
        for k, job, run in zip(at_work, jobs, runs, strict=True):
            if not self.in_c:
                self._take_in(k, own[k], Chunk(self.arrays, orders[k], starts, counts, part.first), run.batches)
            if run.batches < batches:
                self.failed[k] = self._failure(k, job, run.batches)
        if not self.in_c:
            return self._logs_of_models()
        logs = self.logs.add(self.program, bound, counts, part.epochs)
        for values in logs.values():
            values[list(self.failed)] = np.nan
        return logs

    def _step_inputs(self, k: int, batches: int, known: dict[Any, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """What the optimizer of a member gives for its next steps, which other optimizers like it may have computed."""
        optimizer = self.members[k].model.optimizer
        rate = optimizer._learning_rate
        key = int(optimizer._iterations[0]), k if callable(rate) or not self.steps_alike[k] else rate
        if key not in known:
            inputs = optimizer.step_inputs(batches)
            known[key] = {name: numbers.astype(config.floatx()) for name, numbers in inputs.items()}
        return known[key]

    def _failure(self, k: int, job: Job, batch: int) -> NonFiniteError:
        member = self.members[k]
        given = job.executor, member.model.optimizer, self.arrays, job.data["order"], job.first_rows, job.row_counts
        with member.seeded():
            error = diagnose(*given, batch)
        return NonFiniteError(f"member {member.number}, {error}", error.step, error.layer, member.number)

    def _take_in(self, k: int, outputs: dict[str, np.ndarray], chunk: Chunk, batches: int) -> None:
        """Have a model take in what its metrics in Python ask for, and what C has summed up."""
        model = self.members[k].model
        model._update_in_python(chunk, outputs, batches)
        done = {name: array[:batches] for name, array in outputs.items()}
        model._accumulate(self.program, done, chunk.counts[:batches])

    def _logs_of_models(self) -> dict[str, np.ndarray]:
        found = [member.model._logs(final=True) for member in self.members]
        logs = {}
        for name in found[0]:
            logs[name] = np.array([values[name] for values in found])[:, np.newaxis]
            logs[name][list(self.failed)] = np.nan
        return logs


def train(
    side: SideBySide,
    samples: int,
    batch_size: int,
    epochs: range,
    shuffle: bool = True,
    rows: list[np.ndarray] | None = None,
    one_by_one: bool = False,
) -> Iterator[tuple[Part, dict[str, np.ndarray]]]:
    """Train for some epochs; gives each part that is done, with the logs of its epochs.

    Parameters
    ----------
    side : SideBySide
    samples, batch_size : int
        Of each member, and its batches.
    epochs : range
    shuffle : bool, default True
        Whether each epoch of each member has an order of its own, as `fit` has with the seed of the member.
    rows : list of ndarray of int64, shape (samples,), optional
        The rows that each member has, which may be there twice.
    one_by_one : bool, default False
        Whether each epoch is a part.
    """
    count, batches = len(side.members), -(-samples // batch_size)
    pace, starts = side.first_pace(), np.arange(batches, dtype=np.int64) * batch_size
    counts = np.minimum(batch_size, samples - starts)
    seeds = np.array([member.seed for member in side.members], np.uint64)
    most = 1 if one_by_one or not side.in_c else max(1, MOST_ROWS // (count * samples))
    in_order = np.arange(samples, dtype=np.int64)
    for part in parts(epochs, batches, most, pace):
        began = time.perf_counter()
        if part.first == 0:
            numbers = np.arange(part.epoch, part.epoch + part.epochs)
            if shuffle:
                orders = permutations(samples, np.repeat(seeds, part.epochs), np.tile(numbers, count))
                orders = orders.reshape(count, -1)
            else:
                orders = np.broadcast_to(np.tile(in_order, part.epochs), (count, part.epochs * samples))
            if rows is not None:
                orders = np.stack([own[order] for own, order in zip(rows, orders, strict=True)])
        here = slice(part.first, part.first + part.batches)
        begins = (np.arange(part.epochs)[:, np.newaxis] * samples + (starts[here] - starts[part.first])).reshape(-1)
        given = orders[:, part.first * batch_size :], begins, np.tile(counts[here], part.epochs)
        logs = side.run(part, *given)
        pace.note(part.epochs * part.batches, time.perf_counter() - began)
        yield part, logs
        if len(side.failed) == count:
            return


def evaluate(side: SideBySide, samples: int, batch_size: int) -> dict[str, np.ndarray]:
    """Losses and metrics of the members, of shape (members, 1)."""
    logs: dict[str, np.ndarray] = {}
    for _, so_far in train(side, samples, batch_size, range(1), shuffle=False, one_by_one=True):
        logs = so_far
    return logs
