"""What ``model.health()`` gives: dead and saturated units, norms of activations and gradients."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import config, ops, tree
from ..errors import check_number, invalid
from ..execute import make_executor
from ..ops.layout import Shape
from ..program import ROWS, VARIABLE, aligned, counted
from ..record import RecordedStep, Recorder, Symbolic
from . import data
from .probes import Copying, Probe, numbered, training_data
from .programs import input_areas, predictions

AT_ONCE = 256  # samples that one batch has
GRID = np.linspace(-8, 8, 1025)  # inputs among which the steepest point of an activation is looked for


@dataclass(frozen=True)
class LayerHealth:
    """How the units of a layer behave. A unit is an index of the last axis; all other axes are its observations.

    Attributes
    ----------
    kind : str
        Class of the layer.
    units : int
    norm : float
        Mean over the samples of the Euclidean norm of the layer's outputs.
    dead : list of int
        Units whose output is the same, zero or another number, in all observations.
    saturated : list of int or None
        Units that are not dead, whose derivative is below the threshold in all observations. None for layers without
        an activation.
    active : float or None
        Part of all observations of all units in which the derivative is not below the threshold.
    """

    kind: str
    units: int
    norm: float
    dead: list[int]
    saturated: list[int] | None
    active: float | None


@dataclass(frozen=True)
class VariableHealth:
    """Euclidean norms of a variable's gradient and of its value, and their ratio (infinite for a value of zeros)."""

    shape: tuple[int, ...]
    gradient: float
    weight: float

    @property
    def ratio(self) -> float:
        return self.gradient / self.weight if self.weight else math.inf if self.gradient else 0.0


@dataclass(frozen=True, repr=False)
class Health:
    """The result of ``model.health(x, y)``. It prints as a table.

    The activation of a layer is what its elementwise operations, from the last product to its outputs, make of one
    array of their shape; or a softmax. The derivative of a unit is that of its output by its own element of that array,
    by the gradient rules of the operations, without dropout. It counts as small below `threshold` times the largest
    derivative that the activation has for inputs from -8 to 8, or times 1 where that is larger. With the default a
    sigmoid is saturated beyond 6, where it comes within 0.0025 of its bounds, and a tanh beyond 3, within 0.005. A ReLU
    is active where its input is positive; a unit that never is has the constant output 0 and is dead.

    Gradients are those of the next training step with all samples as one batch, penalties included.

    Attributes
    ----------
    model : str
    samples : int
    threshold : float
    layers : dict of str to LayerHealth
        By name, in the order in which they were computed; layers inside others come before those.
    variables : dict of str to VariableHealth
        By path, those that are trained; empty without targets.
    """

    model: str
    samples: int
    threshold: float
    layers: dict[str, LayerHealth]
    variables: dict[str, VariableHealth]

    def __repr__(self) -> str:
        table = [["layer", "units", "norm", "dead", "saturated", "active"]]
        for name, layer in self.layers.items():
            saturated = "-" if layer.saturated is None else str(len(layer.saturated))
            active = "-" if layer.active is None else f"{layer.active:.1%}"
            numbers = [str(layer.units), f"{layer.norm:.4g}", str(len(layer.dead)), saturated, active]
            table.append([f"{name} ({layer.kind})", *numbers])
        lines = [f"Health of {self.model!r} on {counted(self.samples, 'sample')}"]
        lines += aligned(table, ("units", "norm", "dead", "saturated", "active"))
        if self.variables:
            table = [["variable", "shape", "gradient", "weight", "ratio"]]
            for name, variable in self.variables.items():
                shape = "x".join(map(str, variable.shape)) or "scalar"
                norms = (variable.gradient, variable.weight, variable.ratio)
                table.append([name, shape, *(f"{norm:.3g}" for norm in norms)])
            lines += ["", *aligned(table, ("gradient", "weight", "ratio"))]
        return "\n".join(lines)


def examine(model: Any, x: Any, y: Any, sample_weight: Any, threshold: Any) -> Health:
    """See `Trainer.health`."""
    threshold = check_number("threshold", threshold, 0, "a number from 0 to 1", "pass for example 0.01", 1)
    if y is None:
        if sample_weight is not None:
            raise invalid("sample_weight", "weights without targets", "targets too", "pass y, or leave it out")
        with model._undone_on_error():
            inputs = several(model._features(x))
            layers, variables = observed(model, inputs, threshold), {}
    else:
        model._require_compiled()
        with model._exclusively():
            arrays = training_data(model, x, y, sample_weight)
            inputs = several(model._features(x))
            layers, variables = observed(model, inputs, threshold), gradient_norms(model, arrays)
    return Health(model.name, len(inputs[0]), threshold, layers, variables)


def several(inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The samples, if they are enough to see whether something changes."""
    if len(inputs[0]) < 2:
        fix = "pass several; with one, every unit looks constant"
        raise invalid("x", counted(len(inputs[0]), "sample"), "at least 2 samples", fix)
    return inputs


def gradient_norms(model: Any, arrays: dict[str, np.ndarray]) -> dict[str, VariableHealth]:
    """By the paths of the trainable variables."""
    trained = model.trainable_variables
    if not trained:
        return {}
    probe = Probe(model, arrays, config.floatx())
    probe()
    norms = [
        VariableHealth(v.shape, float(np.linalg.norm(g)), float(np.linalg.norm(v.value.astype(np.float64))))
        for v, g in zip(trained, probe.gradients(), strict=True)
    ]
    return dict(zip(numbered([v.path for v in trained]), norms, strict=True))


def observed(model: Any, inputs: list[np.ndarray], threshold: float) -> dict[str, LayerHealth]:
    """What each layer makes of the samples, from one program that gives out the outputs of all of them."""
    dtype, samples = config.floatx(), len(inputs[0])
    recorder = Copying(min(samples, AT_ONCE), dtype)
    names = input_areas(model)
    with recorder:
        shapes = tree.shape_leaves(model.input_shape)
        predictions(model, [recorder.rows_input(n, s[1:]) for n, s in zip(names, shapes, strict=True)], False)
        # The last call is the model's own. Each of several outputs of a layer is looked at by itself.
        calls = [(*call[:3], output) for call in recorder.calls[:-1] for output in tree.leaves(call[3])]
        layers = [Observer(recorder, i, threshold, *call[1:]) for i, call in enumerate(calls)]
    executor = make_executor(recorder, f"health of {model.name}")
    recorder.forget()
    outputs = [area for area in executor.program.areas if area.kind == ROWS and area.name not in names]
    one = np.zeros(1, np.int64)
    for first in range(0, samples, AT_ONCE):
        batch = [data.contiguous(x[first : first + AT_ONCE], dtype) for x in inputs]
        rows = len(batch[0])
        found = {area.name: np.empty((rows, *area.shape[1:]), area.dtype) for area in outputs}
        executor.run(dict(zip(names, batch, strict=True)) | found, one, one + rows)
        with np.errstate(all="ignore"):  # a model may give NaN
            for layer in layers:
                layer.observe(found)
    return {name: layer.result(samples) for name, layer in zip(numbered([c[0] for c in calls]), layers, strict=True)}


class Observer:
    """Has a program give out what one layer makes, and counts."""

    def __init__(self, recorder: Recorder, number: int, threshold: float, kind: str, inputs: Any, output: Symbolic):
        self.number, self.kind, self.units = number, kind, (1, *output.shape[1:])[-1]
        self.low, self.high = np.full(self.units, np.inf), np.full(self.units, -np.inf)
        self.norm, self.observations, self.active = 0.0, 0, 0
        self.steepest, self.limit = np.zeros(self.units), math.nan
        self.softmax: RecordedStep | None = None
        chain, source = activation_of(recorder, inputs, output)
        recorder.output(output, f"output {number}")
        if source is not None:
            self.limit = threshold * (min(1.0, steepest(recorder, chain, source, output)) or 1.0)
            if chain[-1].row.kind == "softmax":
                self.softmax = chain[-1]
                recorder.output(source, f"input {number}")
            else:
                slope = recorder.gradients([(output, ops.ones_like(output))], [source])[0]
                recorder.output(slope, f"slope {number}")

    def observe(self, found: dict[str, np.ndarray]) -> None:
        """Take in the outputs of one batch."""
        output = found[f"output {self.number}"]
        self.norm += float(np.linalg.norm(output.reshape(len(output), -1).astype(np.float64), axis=1).sum())
        seen = output.reshape(-1, self.units)
        self.low, self.high = np.minimum(self.low, seen.min(0)), np.maximum(self.high, seen.max(0))
        self.observations += seen.size
        if math.isnan(self.limit):
            return
        if self.softmax is None:
            slope = np.abs(found[f"slope {self.number}"])
        else:
            slope = np.abs(own_slopes(self.softmax, found[f"input {self.number}"], output))
        slope = slope.reshape(-1, self.units)
        self.steepest = np.maximum(self.steepest, slope.max(0))
        self.active += int(np.sum(~(slope < self.limit)))

    def result(self, samples: int) -> LayerHealth:
        dead = self.low == self.high
        norm, known = self.norm / samples, not math.isnan(self.limit)
        saturated = np.flatnonzero((self.low < self.high) & (self.steepest < self.limit)).tolist() if known else None
        active = self.active / self.observations if known else None
        return LayerHealth(self.kind, self.units, norm, np.flatnonzero(dead).tolist(), saturated, active)


# The activation of a layer


def activation_of(recorder: Recorder, inputs: Any, output: Symbolic) -> tuple[list[RecordedStep], Symbolic | None]:
    """The steps of a layer's activation and the array that they begin with; None if the layer has none.

    They are the elementwise steps on the way back from its outputs to a single array of their shape, or one softmax.
    """
    makers = {out.index: step for step in recorder.tape for out in step.outs}
    for symbol in tree.leaves(inputs):
        makers.pop(symbol.index, None)  # the layers before made it
    last = makers.get(output.index)
    if last is not None and last.row.kind == "softmax":
        return [last], last.ins[0]
    chain, sources, todo, known = set(), {}, [output], set()
    while todo:
        symbol = todo.pop()
        if symbol.index in known:
            continue
        known.add(symbol.index)
        step = makers.get(symbol.index)
        if step is not None and step.row.kind in ("activation", "elementwise") and step.row.grad is not None:
            chain.add(step)
            todo += [s for s in step.ins if s is not None]
        elif not is_constant(recorder, symbol):
            sources[symbol.index] = symbol
    (source, *others) = sources.values() or [None]
    if not chain or source is None or others or source.shape != output.shape:
        return [], None
    return [step for step in recorder.tape if step in chain], source


def is_constant(recorder: Recorder, symbol: Symbolic) -> bool:
    """Whether an array is a variable or a fixed array."""
    area = recorder.buffers[symbol.index].area
    return area is not None and recorder.areas[area].kind == VARIABLE


def steepest(recorder: Recorder, chain: list[RecordedStep], source: Symbolic, output: Symbolic) -> float:
    """The largest slope of an activation, found by changing the first element of a row."""
    shape: Shape = (len(GRID), *[1] * (len(source.shape) - 2), *source.shape[1:][-1:])
    z = np.zeros(shape)
    z.reshape(len(GRID), -1)[:, 0] = GRID
    variables = iter(recorder.variables)
    values: dict[int, Any] = {
        i: next(variables).value
        for i, buffer in enumerate(recorder.buffers)
        if buffer.area is not None and recorder.areas[buffer.area].kind == VARIABLE
    }
    values[source.index] = z
    with np.errstate(all="ignore"):
        for step in chain:
            made = step.row.reference(*(None if s is None else values[s.index] for s in step.ins), **step.attrs)
            values[step.outs[0].index] = made
        y = values[output.index].reshape(len(GRID), -1)[:, 0]
        slopes = np.abs(np.diff(y) / np.diff(GRID))
    return float(slopes[np.isfinite(slopes)].max(initial=0))


def own_slopes(step: RecordedStep, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The derivative of each element by its own input, where a row of outputs depends on the whole row of inputs."""
    computed = RecordedStep(step.row, [z], [y], step.attrs, step.label, False)
    slopes = np.empty_like(y)
    for unit in range(y.shape[-1]):
        towards = np.zeros_like(y)
        towards[..., unit] = 1
        slopes[..., unit] = step.row.grad(computed, towards)[0][..., unit]  # type: ignore[misc]
    return slopes
