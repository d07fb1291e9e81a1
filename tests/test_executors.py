"""A training step in C, operation by operation, against the references in float64.

Each step of a plan runs alone in C. Its inputs are what earlier steps left in memory, so its output
may differ from the reference in float64 *on the same inputs* by no more than the tolerance of its
row: nothing accumulates, and no bound has to be guessed for a whole network. The plan in one call, on
several threads, must then give the same bits as its steps one by one, and so must the plan in sweeps. All of it
happens in memory that holds NaN wherever nothing was written, between pages that must not be touched.
"""

import numpy as np
import pytest
from harness import ISAS, Guarded, reference, same_bits
from nets import THREADS, class_patterns

import fastnn
from fastnn import _native, execute, optimizers, sweeps, variable
from fastnn.debug import expected
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.layers import (
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    LayerNormalization,
    Normalization,
    Rescaling,
    Reshape,
)
from fastnn.losses import CategoricalCrossentropy
from fastnn.memory import Memory
from fastnn.models.programs import TRAIN, compile_program
from fastnn.ops.table import OPS
from fastnn.program import ARENA, LOCAL, STEP

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
        "sparse_categorical_crossentropy",
        optimizers.Adam(amsgrad=True),
        X,
        LABELS,
        WEIGHTS,
    ),
    "images": lambda: (
        [
            Reshape((4, 6)),
            Rescaling(1 / 255, -0.5),
            dense(5, "gelu"),
            Flatten(),
            dense(18, "silu"),
            Dropout(0.5),
            dense(6, bias_regularizer="l1"),
        ],
        CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        "adam",
        np.uint8(255 * X),
        ONE_HOT,
        None,
    ),
    "probabilities": lambda: (
        [dense(19, "elu", kernel_regularizer="l1_l2"), dense(16, "selu"), dense(6, "sigmoid")],
        "binary_crossentropy",
        optimizers.RMSprop(momentum=0.5, centered=True),
        X,
        ONE_HOT,
        WEIGHTS,
    ),
    "regression": lambda: (
        [dense(20, "leaky_relu"), dense(15, "softplus"), Activation("cos"), dense(6, "hard_tanh", use_bias=False)],
        "mse",
        optimizers.SGD(momentum=0.9, nesterov=True),
        X,
        ONE_HOT,
        WEIGHTS,
    ),
    "wide": lambda: (  # several blocks of k in all three products, rows of weights far apart
        [dense(70, "relu"), dense(1030, "tanh"), dense(6, "softmax")],
        "sparse_categorical_crossentropy",
        "sgd",
        class_patterns(SAMPLES, width=300)[0],
        LABELS,
        None,
    ),
    "normalized": lambda: (
        [
            Normalization(mean=0.5, variance=0.25),
            dense(33),
            BatchNormalization(momentum=0.9),
            Activation("relu"),
            dense(24),
            LayerNormalization(beta_initializer="random_normal"),
            Reshape((4, 6)),
            BatchNormalization(gamma_regularizer="l2", center=False),
            dense(5, "tanh"),
            LayerNormalization(scale=False),
            BatchNormalization(trainable=False),
            Flatten(),
            dense(6, "softmax"),
        ],
        "sparse_categorical_crossentropy",
        "adam",
        X,
        LABELS,
        WEIGHTS,
    ),
    "odd ones": lambda: (
        [Activation("exponential"), dense(9, "abs"), dense(6, "softmax"), Activation("linear")],
        "mae",
        "sgd",
        X,
        ONE_HOT,
        None,
    ),
}


class Training:
    """The training program of a case on one batch; all its memory lies between guard pages.

    `program` is planned step by step, so that one can look at the memory between two steps, `swept` as a fit runs it.
    """

    def __init__(self, case, isa, at_end, monkeypatch):
        self.at_end = at_end

        def guarded(shape, dtype):
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            return Guarded(size, at_end).memory.view(dtype).reshape(shape)

        for module in (variable, execute):
            monkeypatch.setattr(module, "aligned_empty", guarded)
        monkeypatch.setattr(execute, "allocate_areas", lambda program, threads: self.own)
        monkeypatch.setenv("FASTNN_ISA", isa)
        monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")
        fastnn.set_random_seed(2)
        layers, loss, optimizer, x, y, weights = CASES[case]()
        model = fastnn.Sequential([fastnn.Input(x.shape[1:]), *layers])
        model.compile(optimizer, loss, metrics=["mae" if y is ONE_HOT else "accuracy"])
        arrays = model._data(model._samples(x, y, weights))
        planned = model._executor(TRAIN, PLANNED, arrays)
        self.program, self.swept, self.variables = planned.stepwise(), planned.program, planned.variables

        areas = self.program.areas
        self.results = {a.name: np.zeros((1, *a.shape), a.dtype) for a in areas if a.kind == STEP}
        rate = self.results.pop("learning rate") + np.float32(0.01)
        arrays |= {"order": np.arange(SAMPLES)[::-1], "learning rate": rate} | self.results
        self.data = {name: guarded(array.shape, array.dtype) for name, array in arrays.items()}
        for name, array in arrays.items():
            self.data[name][...] = array
        for slot in self.variables[len(model.variables) :]:
            slot.value[...] += 0.01  # as if some steps had been taken
        self.initial = [v.numpy() for v in self.variables]

    def reset(self, program=None, threads=1):
        """Variables as at the beginning; arena, local memory and where results go hold NaN.

        Returns the bytes from the local memory of a thread to that of the next.
        """
        program = program or self.program
        arena = Guarded(program.arena_bytes, self.at_end)
        local = Guarded(program.local_bytes, self.at_end, threads)
        kinds = {ARENA: arena, LOCAL: local}
        self.own = {i: kinds[area.kind].memory for i, area in enumerate(program.areas) if area.kind in kinds}
        for memory in (arena.memory, *local.pieces, *(self.data[name] for name in self.results)):
            memory.view(np.uint8)[...] = 0xFF
        for v, value in zip(self.variables, self.initial, strict=True):
            v.assign(value)
        return local.stride

    def outcome(self):
        """Variables and results."""
        return [v.numpy() for v in self.variables] + [self.data[name].copy() for name in self.results]

    def view(self, number):
        """The memory of a buffer, on this batch."""
        return Memory(self.program, self.variables, self.data, self.own).view(number, 0, 0, SAMPLES)

    def run(self, executor, threads=1):
        """Run an executor on the batch; returns the size of the team."""
        one = np.zeros(1, np.int64)
        run = executor.run(self.data, one, one + SAMPLES, seed=SEED, iteration=one + ITERATION, threads=threads)
        assert (run.batches, run.skipped) == (1, 0)
        return run.team

    def native(self, program):
        """An executor in C."""
        return NativeExecutor(program, self.variables, stepwise=lambda: pytest.fail("everything here is finite"))

    def alone(self, step):
        """One of the steps as a program in C."""
        program = self.program.copy()
        ((sweep, _),) = (pair for pair in program.grouped() if pair[1][0] == step)
        program.steps, program.sweeps = [step], [sweep]
        return self.native(program)


def check_step(training, step):
    """Run a step in C and compare its outputs with the reference on the same inputs."""
    row = OPS[step.op]
    ins = [None if i is None else training.view(i).copy() for i in step.ins]
    training.run(training.alone(step))
    if row.kind == "check":
        assert reference(row, ins, {})[0]
        return
    assert not step.epilogue or step.epilogue[0] in RISING
    wanted, allowed = expected(row, step, ins, SEED, ITERATION)
    for i, want, bound in zip(step.outs, wanted, allowed, strict=True):
        error = np.abs(training.view(i).astype(np.float64) - want)
        assert (error <= bound).all(), (step.label, step.op, step.epilogue, float(np.max(error - bound)))


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_every_step_is_within_its_tolerance_and_the_whole_is_its_steps(case, isa, at_end, monkeypatch):
    training = Training(case, isa, at_end, monkeypatch)
    training.reset()
    for step in training.program.steps:
        check_step(training, step)
    one_by_one = training.outcome()
    assert all(np.isfinite(array).all() for array in one_by_one)
    for threads in THREADS:
        training.reset()
        assert training.run(training.native(training.program), threads) == threads
        assert all(map(same_bits, training.outcome(), one_by_one))


@pytest.mark.parametrize(("at_end", "block"), [(False, None), (True, 2)])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("case", CASES)
def test_sweeps_give_the_bits_of_the_steps(case, isa, at_end, block, monkeypatch):
    """With blocks as a fit has them, and with some that cut the rows of each thread."""
    if block:
        for size in ("BLOCK_BYTES", "BATCH_BLOCK", "WEIGHT_BLOCK"):
            monkeypatch.setattr(sweeps, size, block)
    training = Training(case, isa, at_end, monkeypatch)
    swept = training.swept
    assert {(None,), ()} < {sweep.shape for sweep in swept.sweeps} and swept.local_bytes
    assert any(sweep.update and sweep.shape for sweep in swept.sweeps)
    training.reset()
    training.run(training.native(training.program))
    stepwise = training.outcome()
    for threads in THREADS:
        stride = training.reset(swept, threads)
        executor = training.native(swept)
        executor.areas["per_thread"][[area.kind == LOCAL for area in swept.areas]] = stride
        assert training.run(executor, threads) == threads
        assert all(map(same_bits, training.outcome(), stepwise))


@pytest.mark.parametrize("case", CASES)
def test_the_numpy_executor_computes_the_same_program(case, monkeypatch):
    """Every intermediate result in C is about as far from the oracle in float64 as NumPy in float32 is.

    Both round each operation once, in different orders of summation; a few times that distance, and one
    rounding of the result itself, leave no room for a wrong step.
    """
    training = Training(case, ISAS[0], False, monkeypatch)
    traces = {"float32": [], "float64": []}
    for dtype, trace in traces.items():
        training.reset()
        oracle = NumpyExecutor(training.program, training.variables, dtype)
        oracle.trace = lambda step, outs, trace=trace: trace.append((step, [np.array(out) for out in outs]))
        training.run(oracle)
    training.reset()
    traced = iter(zip(*traces.values(), strict=True))
    for step in training.program.steps:
        training.run(training.alone(step))
        if step.outs:
            (_, near), (same, exact) = next(traced)
            assert same is step
            for i, a, b in zip(step.outs, near, exact, strict=True):
                distance, own = np.linalg.norm(a - b), np.finfo(np.float32).eps * np.linalg.norm(b)
                assert np.linalg.norm(training.view(i) - b) <= 4 * distance + own, (step.label, step.op)
    assert next(traced, None) is None


def test_a_run_refuses_sweeps_that_are_not_those_of_the_steps(monkeypatch):
    """Before C, which trusts them."""
    model = fastnn.Sequential([Dense(2, activation="softmax", input_shape=(3,)), Dense(2)])
    executor = compile_program(model, "predict", 4)
    data, one, calls, run = {"x": np.ones((4, 3), "f4"), "y": np.zeros((4, 2), "f4")}, np.zeros(1, np.int64), [], None
    with monkeypatch.context() as patch:
        run = _native.execute
        patch.setattr(_native, "execute", lambda *args, **options: calls.append(args) or run(*args))
        executor.run(data, one, one + 4)
    ((isa, most_rows, _, _, *rest),) = calls
    steps, whole = executor.steps, executor.sweeps
    assert sum(whole["count"]) == len(steps) == 3

    def refused(sweeps, steps=steps):
        with pytest.raises(ValueError, match="sweeps"):
            run(isa, most_rows, steps.view(np.uint8), np.concatenate(sweeps).view(np.uint8), *rest)

    def sweep(first, count):
        changed = whole[:1].copy()
        changed["first"], changed["count"] = first, count
        return changed

    assert run(isa, most_rows, steps.view(np.uint8), np.concatenate([sweep(0, 1), sweep(1, 2)]).view(np.uint8), *rest)
    for pairs in ([(1, 2)], [(0, 2)], [(0, 4)], [(0, 1), (2, 1)], [(0, 2), (1, 2)], [(1, 2), (0, 1)], [(-1, 4)]):
        refused([sweep(*pair) for pair in pairs])
    for pairs in ([(0, 3), (3, -1)], [(0, 4), (4, -1)], [(0, -1), (-1, 4)]):  # that add up, but for one below zero
        refused([sweep(*pair) for pair in pairs])
    refused([whole], steps[:-1])
    refused([whole], np.concatenate([steps, steps[:1]]))


def test_a_run_refuses_what_its_plan_is_not_for():
    """The last check before C: types, lengths and rows of what is bound."""
    model = fastnn.Sequential([Dense(2, input_shape=(3,))])
    executor = compile_program(model, "predict", 4)
    one = np.zeros(1, np.int64)

    def run(dtype="float32", rows=4, first=0, count=4):
        return executor.run({"x": np.zeros((rows, 3), dtype), "y": np.zeros((rows, 2), "f4")}, one + first, one + count)

    assert run().batches == 1
    for wrong in ({"dtype": "float64"}, {"rows": 3}, {"first": 1}):
        with pytest.raises(TypeError, match="the program needs float32"):
            run(**wrong)
    for wrong in ({"rows": 5, "count": 5}, {"first": -1}, {"count": -1}):
        with pytest.raises(ValueError, match="the plan is for 4"):
            run(**wrong)
