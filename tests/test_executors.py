"""A training step in C, operation by operation, against the references in float64.

Each step of a plan runs alone in C. Its inputs are what earlier steps left in memory, so its output
may differ from the reference in float64 *on the same inputs* by no more than the tolerance of its
row: nothing accumulates, and no bound has to be guessed for a whole network. The plan in one call, on
several threads, must then give the same bits as its steps one by one. All of it happens in memory
that holds NaN wherever nothing was written, between pages that must not be touched.
"""

import numpy as np
import pytest
from harness import ISAS, Guarded, bounds, reference, same_bits
from nets import THREADS, class_patterns

import fastnn
from fastnn import execute, optimizers, variable
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.layers import Activation, Dense, Dropout, Flatten, Rescaling, Reshape
from fastnn.losses import CategoricalCrossentropy
from fastnn.models.programs import TRAIN
from fastnn.ops.table import OPS, concrete
from fastnn.program import ARENA, ROWS, STEP, VARIABLE

PLANNED, SAMPLES, SEED, ITERATION = 16, 13, 5, 3  # a short batch in a plan for a larger one
X, LABELS = class_patterns(SAMPLES, width=24, classes=6)
ONE_HOT = np.eye(6)[LABELS]
WEIGHTS = np.linspace(0, 2, SAMPLES)

# What is fused behind a step here never falls, so an interval of inputs maps to the interval of their images.
RISING = {"relu", "leaky_relu", "elu", "selu", "exponential", "sigmoid", "tanh", "hard_tanh", "step", "affine"}


def dense(units, activation=None, **kwargs):
    return Dense(units, activation=activation, bias_initializer="random_normal", **kwargs)


# Layers, loss, optimizer, inputs, targets, sample weights.
CASES = {
    "classifier": lambda: (
        [dense(33, "relu", kernel_regularizer="l2"), Dropout(0.3), dense(17, "tanh"), dense(6, "softmax")],
        "sparse_categorical_crossentropy", optimizers.Adam(0.01, amsgrad=True), X, LABELS, WEIGHTS,
    ),
    "images": lambda: (
        [Reshape((4, 6)), Rescaling(1 / 255, -0.5), dense(5, "gelu"), Flatten(), dense(18, "silu"), Dropout(0.5),
         dense(6, bias_regularizer="l1")],
        CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), "adam", (255 * X).astype(np.uint8), ONE_HOT,
        None,
    ),
    "probabilities": lambda: (
        [dense(19, "elu", kernel_regularizer="l1_l2"), dense(16, "selu"), dense(6, "sigmoid")],
        "binary_crossentropy", optimizers.RMSprop(0.01, momentum=0.5, centered=True), X, ONE_HOT, WEIGHTS,
    ),
    "regression": lambda: (
        [dense(20, "leaky_relu"), dense(15, "softplus"), Activation("cos"), dense(6, "hard_tanh", use_bias=False)],
        "mse", optimizers.SGD(0.1, momentum=0.9, nesterov=True), X, ONE_HOT, WEIGHTS,
    ),
    "odd ones": lambda: (
        [Activation("exponential"), dense(9, "abs"), dense(6, "softmax"), Activation("linear")],
        "mae", optimizers.SGD(0.1), X, ONE_HOT, None,
    ),
}


class Training:
    """The training program of a case on one batch, in guarded memory."""

    def __init__(self, case, isa, at_end, monkeypatch):
        self.guards = []

        def guarded(shape, dtype):
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            self.guards.append(Guarded(size, at_end))
            return self.guards[-1].memory.view(dtype).reshape(shape)

        for module in (variable, execute):
            monkeypatch.setattr(module, "aligned_empty", guarded)
        monkeypatch.setattr(execute, "allocate_areas", lambda program: self.areas)
        monkeypatch.setenv("FASTNN_ISA", isa)
        monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")
        fastnn.set_random_seed(2)
        layers, loss, optimizer, x, y, weights = CASES[case]()
        model = fastnn.Sequential([fastnn.Input(x.shape[1:]), *layers])
        model.compile(optimizer, loss, metrics=["mae"] if y is ONE_HOT else ["accuracy"])
        prepared = model._data(x, y, weights, None)
        self.program = model._executor(TRAIN, PLANNED, prepared).program
        self.variables = model._executor(TRAIN, PLANNED, prepared).variables
        rate = model.optimizer.scalars(ITERATION, 0.01)
        given = prepared | {"order": np.arange(SAMPLES)[::-1], "learning rate": np.full((1, 1), rate, np.float32)}
        given |= {a.name: np.zeros((1, *a.shape), a.dtype) for a in self.program.areas if a.kind == STEP} | given
        self.data = {name: guarded(array.shape, array.dtype) for name, array in given.items()}
        for name, array in given.items():
            self.data[name][...] = array
        self.areas = {
            i: guarded((self.program.arena_bytes,), np.uint8)
            for i, area in enumerate(self.program.areas) if area.kind == ARENA
        }
        for slot in self.variables[len(model.variables):]:
            slot.value[...] = abs(slot.value) + 0.01  # as if some steps had been taken
        self.initial = [v.numpy() for v in self.variables]

    def reset(self):
        """Everything as before the step: NaN in the arena and where results go."""
        for memory in (*self.areas.values(), *(self.data[n] for n in self.outputs())):
            memory.view(np.uint8)[...] = 0xFF
        for v, value in zip(self.variables, self.initial, strict=True):
            v.assign(value)

    def outputs(self):
        return [a.name for a in self.program.areas if a.kind == STEP and a.name != "learning rate"]

    def results(self):
        return [v.numpy() for v in self.variables] + [self.data[name].copy() for name in self.outputs()]

    def view(self, number):
        """The memory of a buffer."""
        buffer = self.program.buffers[number]
        area, shape = self.program.areas[buffer.area], concrete(buffer.shape, SAMPLES)
        if area.kind == ARENA:
            size = buffer.nbytes(SAMPLES)
            memory = self.areas[buffer.area][buffer.offset : buffer.offset + size].view(buffer.dtype)
        elif area.kind == VARIABLE:
            kinds = [a.kind for a in self.program.areas[: buffer.area]]
            memory = self.variables[kinds.count(VARIABLE)].value
        else:
            memory = self.data[area.name]
        return memory.reshape(shape)

    def run(self, executor, threads=1):
        """Run an executor on the one batch."""
        one = np.zeros(1, np.int64)
        run = executor.run(self.data, one, one + SAMPLES, seed=SEED, iteration=one + ITERATION, threads=threads)
        assert (run.batches, run.skipped) == (1, 0)
        return run

    def native(self, steps=None):
        """The program in C, or a part of it."""
        program = self.program.copy()
        program.steps = steps or program.steps
        return NativeExecutor(program, self.variables)


def check_step(training, step, threads):
    """Run one step in C; compare its outputs with the reference on the same inputs."""
    row = OPS[step.op]
    ins = [None if i is None else training.view(i).copy() for i in step.ins]
    training.run(training.native([step]), threads)
    wanted = reference(row, ins, step.attrs, SEED, ITERATION)
    if row.name == "check_finite":
        assert wanted[0]
        return
    allowed = bounds(row, ins, step.attrs, wanted)
    if step.epilogue:
        wanted, allowed = through_epilogue(*step.epilogue, wanted[0], allowed[0])
    for i, want, bound in zip(step.outs, wanted, allowed, strict=True):
        error = np.abs(training.view(i).astype(np.float64) - want)
        assert (error <= bound).all(), (step.label, step.op, step.epilogue, float(np.max(error - bound)))


def through_epilogue(name, attrs, value, error):
    """Value and bound behind a rising function: the ends of the interval, and its own tolerance there."""
    assert name in RISING
    row = OPS[name]
    middle, *ends = (row.reference(value + shift, **attrs) for shift in (0, -error, error))
    own = [bounds(row, [value + shift], attrs, [end])[0] for shift, end in zip((-error, error), ends, strict=True)]
    return [middle], [np.maximum(*own) + np.maximum(middle - ends[0], ends[1] - middle)]


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_within_its_tolerance_and_the_whole_is_its_steps(case, isa, at_end, monkeypatch):
    training = Training(case, isa, at_end, monkeypatch)
    training.reset()
    for step in training.program.steps:
        check_step(training, step, threads=2)
    one_by_one = training.results()
    assert all(np.isfinite(result).all() for result in one_by_one)
    for threads in THREADS:
        training.reset()
        assert training.run(training.native(), threads).team == threads
        assert all(map(same_bits, training.results(), one_by_one))


@pytest.mark.parametrize("case", CASES)
def test_the_numpy_executor_runs_the_same_program(case, monkeypatch):
    training = Training(case, ISAS[0], False, monkeypatch)
    found = {"float32": [], "float64": []}
    for dtype, outputs in found.items():
        training.reset()
        executor = NumpyExecutor(training.program, training.variables, dtype)
        executor.trace = lambda step, outs, outputs=outputs: outputs.append([np.array(o) for o in outs])
        training.run(executor)
    training.reset()
    for step, near, exact in zip([s for s in training.program.steps if s.op != "check_finite"], *found.values(), strict=True):
        training.run(training.native([step]))
        for i, a, b in zip(step.outs, near, exact, strict=True):
            c = training.view(i)
            print(step.op, np.linalg.norm(c-b), np.linalg.norm(a-b), np.linalg.norm(b)*6e-8)
