"""`FASTNN_DEBUG`: plans, times of steps, and the check that names the first step that is wrong.

The check is proved by planting errors: wrong kernels, numbers, sizes and places, which it has to find at the step
where they are, while healthy trainings pass and give the bits that they have without it.
"""

import re
import time

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, class_patterns, force, plan_lines, small_net, state
from test_executors import CASES

import fastnn
from fastnn import _native, execute, layers, ops
from fastnn.errors import NonFiniteError
from fastnn.metrics import Metric
from fastnn.optimizers import Optimizer

PARTS = re.compile(r".+: received .+; expected .+; to fix it, .+\.", re.S)
X, Y = class_patterns(19, width=20, classes=5)  # batches of 8, 8 and 3


def fit(model, x=X, y=Y, **kwargs):
    return model.fit(x, y, batch_size=8, verbose=0, **kwargs)


# The switch


@pytest.mark.parametrize("value", ["4", "-1", "yes", "1.0", "3 2"])
def test_other_values_are_refused_before_anything_changes(value, monkeypatch):
    trained, unbuilt = small_net(), fastnn.Sequential([layers.Dense(5, activation="softmax")])
    unbuilt.compile("sgd", "sparse_categorical_crossentropy")
    fit(trained)
    before = state(trained)
    monkeypatch.setenv("FASTNN_DEBUG", value)
    calls = [
        lambda: fit(trained),
        lambda: trained.evaluate(X, Y, verbose=0),
        lambda: trained.predict(X),
        lambda: trained.train_on_batch(X, Y),
        lambda: fit(unbuilt),
        lambda: fastnn.value_and_grad(ops.exp, [0])(X),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=r"environment variable FASTNN_DEBUG: received .*; expected 0, 1, 2 or 3"
        ) as e:
            call()
        assert PARTS.fullmatch(str(e.value))
    assert state(trained) == before and not unbuilt.built and unbuilt.history is None


@pytest.mark.parametrize("value", ["", "0", " 0 "])
def test_nothing_is_printed_without_it(value, monkeypatch, capfd):
    monkeypatch.setenv("FASTNN_DEBUG", value)
    model = small_net()
    fit(model)
    model.predict(X)
    assert capfd.readouterr() == ("", "")


def test_the_switch_is_read_at_each_call(monkeypatch, capfd):
    model = small_net()
    fit(model)
    monkeypatch.setenv("FASTNN_DEBUG", "1")
    fit(model)
    assert capfd.readouterr().err.startswith("fastnn train ")
    monkeypatch.delenv("FASTNN_DEBUG")
    fit(model)
    assert capfd.readouterr().err == ""


# Level 1


def test_plans_are_printed_once_for_each_program(monkeypatch, capfd):
    monkeypatch.setenv("FASTNN_DEBUG", "1")
    model = small_net()
    fit(model, validation_data=(X, Y), epochs=2)
    model.evaluate(X, Y, batch_size=8, verbose=0)
    model.predict(X, batch_size=8)
    out, err = capfd.readouterr()
    monkeypatch.delenv("FASTNN_DEBUG")
    assert out == "" and err == "".join(
        f"fastnn {mode} {model.name}: {model.describe(mode, batch_size=8)}\n"
        for mode in ("train", "evaluate", "predict")
    )
    monkeypatch.setenv("FASTNN_DEBUG", "1")
    fit(model)
    assert capfd.readouterr().err == ""
    fastnn.value_and_grad(ops.square, [0])(X)
    err = capfd.readouterr().err
    assert err.startswith("fastnn square: 4 steps, ") and "  square  " in err


# Level 2

HEAD = re.compile(
    r"fastnn (\d+) batch(?:es)?, ([\d.]+) us each, ([\d.]+) of it in steps on ([\d.]+) threads?; "
    r"one thread can do (\d+) GFLOP/s, (\d+) GB/s"
)
LINE = re.compile(r" *([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+)%  (\S+) *(\S*)")


def tables(err):
    """Of each printed table the figures of its head, and the lines: us, %, GFLOP/s, GB/s, limit, step, layer."""
    found = []
    for line in err.splitlines():
        begin, step = HEAD.fullmatch(line), LINE.fullmatch(line)
        if begin:
            found.append((tuple(map(float, begin.groups())), []))
        elif step and found:
            found[-1][1].append((*map(float, step.groups()[:5]), step[6], step[7]))
    return found


@pytest.mark.parametrize("threads", THREADS[:2])
def test_times_and_rates_of_steps(threads, monkeypatch, capfd):
    """One table for each call; a product of 64 x 300 by 300 x 256 tells its operations and bytes."""
    monkeypatch.setenv("FASTNN_DEBUG", "2")
    monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")
    x, y = class_patterns(160, width=300)  # batches of 64, 64 and 32
    model = fastnn.Sequential(
        [layers.Dense(256, activation="relu", input_shape=(300,), name="wide"), layers.Dense(10, name="narrow")]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    y = np.eye(10, dtype=np.float32)[y]
    with fastnn.threads(threads):
        began = time.perf_counter()
        model.fit(x, y, batch_size=64, epochs=4, verbose=0, validation_split=0.0)
        seconds = time.perf_counter() - began
    (((batches, each, in_steps, team, peak, bandwidth), lines),) = tables(capfd.readouterr().err)
    assert (batches, team) == (12, threads)
    assert 0 < in_steps <= each + 0.2 and each * batches <= seconds * 1e6 + 1 and peak > 0 and bandwidth > 0
    monkeypatch.delenv("FASTNN_DEBUG")
    plan = plan_lines(model.describe(batch_size=64))
    assert [line[5] for line in lines] == [line["operation"] for line in plan]
    assert abs(sum(line[0] for line in lines) - in_steps) < 0.01 * len(lines) + 0.1
    assert abs(sum(line[1] for line in lines) - 100) < 0.05 * len(lines) + 0.1
    rows = 160 / 3  # on average
    us, _, gflops, gbytes, share, *_ = next(line for line in lines if line[5:] == ("dense+relu", "wide"))
    flops, moved = 2 * rows * 300 * 256, 4 * (rows * (300 + 256) + 300 * 256 + 256)
    for rate, amount in ((gflops, flops), (gbytes, moved)):
        least, most = (amount / max(time * threads, 1e-9) / 1000 for time in (us + 0.005, us - 0.005))
        assert least - 0.051 <= rate <= most + 0.051
    limits = [100 * max((gflops + e) / (peak - 10 * e), (gbytes + e) / (bandwidth - 10 * e)) for e in (-0.05, 0.05)]
    assert limits[0] - 0.6 <= share <= limits[1] + 0.6

    monkeypatch.setenv("FASTNN_DEBUG", "2")
    model.fit(x, y, batch_size=64, epochs=2, verbose=0, validation_data=(x, y))
    model.evaluate(x, y, verbose=0, batch_size=64)
    model.predict(x, batch_size=64)
    assert [head[0] for head, _ in tables(capfd.readouterr().err)] == [3, 3, 6, 3, 3]
    model.train_on_batch(x, y)
    model.test_on_batch(x, y)
    model(x)
    fastnn.value_and_grad(ops.square, [0])(x)
    assert [head[0] for head, _ in tables(capfd.readouterr().err)] == [1, 1, 1, 1]


@pytest.mark.parametrize("isa", ISAS)
def test_limits_are_measured_within_the_memory_that_is_given(isa):
    whole = np.full(64 + 128 + 64, np.inf, np.float32)
    memory = whole[64:-64]
    memory[:] = 0
    assert all(np.isfinite(rate) and rate > 0 for rate in _native.limits(isa, memory))
    assert np.isfinite(memory).all() and np.isinf(whole[:64]).all() and np.isinf(whole[-64:]).all()
    for wrong in (0, 1, 63, 127):
        with pytest.raises(ValueError, match="64"):
            _native.limits(isa, memory[:wrong])


def bump(x):
    return x + 1.0


class Bump(layers.Layer):
    """A step in Python."""

    def call(self, x):
        return ops.python(bump, x, gradient=lambda dy, x: dy)


def test_steps_in_python_are_timed_too(monkeypatch, capfd):
    monkeypatch.setenv("FASTNN_DEBUG", "2")
    model = fastnn.Sequential([layers.Dense(4, input_shape=(20,)), Bump(name="bump"), layers.Dense(3)])
    model.predict(X, batch_size=8)
    ((head, lines),) = tables(capfd.readouterr().err)
    assert head[0] == 3 and [line[5] for line in lines] == ["dense", "python", "dense"]
    assert all(line[0] > 0 for line in lines)


# Level 3: what is healthy


class Turning(Optimizer):
    """Made of many steps, with slots that show memory in other ways."""

    slot_names = ("before", "mean")

    def update(self, w, g, slots, scalars):
        mean = slots["mean"][::-1] * 0.5 + ops.tanh(g)
        return w - scalars * mean, w, mean


class Largest(Metric):
    """In Python."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def reset_state(self):
        self.value = 0.0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value = max(self.value, float(np.max(y_pred)))

    def result(self):
        return self.value


def own():
    return (
        [layers.Dense(9, "tanh"), Bump(), layers.Dropout(0.2), layers.Dense(6)],
        "mse",
        Turning(0.01),
        *CASES["regression"]()[3:],
    )


@pytest.mark.parametrize("case", [*CASES, "own"])
def test_healthy_trainings_pass_with_the_same_bits(case, monkeypatch, capfd):
    def run(level):
        monkeypatch.setenv("FASTNN_DEBUG", level)
        fastnn.set_random_seed(4)
        made, loss, optimizer, x, y, weights = (CASES | {"own": own})[case]()
        model = fastnn.Sequential([fastnn.Input(x.shape[1:]), *made])
        model.compile(optimizer, loss, metrics=[Largest("labels" if y.ndim == 1 else "values")])
        history = model.fit(x, y, batch_size=5, epochs=2, sample_weight=weights, verbose=0, validation_data=(x, y))
        return state(model), history.history, model.evaluate(x, y, verbose=0), model.predict(x).tobytes()

    assert run("3") == run("0")


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_and_several_threads_pass(isa, monkeypatch):
    force(monkeypatch, isa, THREADS[:2][-1])
    monkeypatch.setenv("FASTNN_DEBUG", "3")
    model = small_net()
    fit(model)
    X.flags.writeable = False
    try:
        model.predict(X)  # nothing is put back where nothing changed
    finally:
        X.flags.writeable = True
    value, (slope,) = fastnn.value_and_grad(lambda x: ops.sum(ops.square(x[:, ::-1])), [0])(X)
    np.testing.assert_allclose(value, np.sum(X.astype(float) ** 2), rtol=1e-5)
    np.testing.assert_array_equal(slope, 2 * X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("policy", ["raise", "skip", "ignore"])
def test_data_that_are_not_finite_are_no_fault_of_a_step(policy, value, monkeypatch):
    x = X.copy()
    x[9, 3] = value

    def run(level):
        monkeypatch.setenv("FASTNN_DEBUG", level)
        model = small_net("sgd")
        try:
            fit(model, x, on_nonfinite=policy, shuffle=False)
            return state(model)
        except NonFiniteError as error:
            return state(model), error.step

    assert run("3") == run("0")


# Level 3: what is not


def deep():
    fastnn.set_random_seed(3)
    model = fastnn.Sequential(
        [
            layers.Dense(9, activation="relu", input_shape=(20,), name="first"),
            layers.Activation("relu", name="again"),
            Mixed(name="mixed"),
            layers.Dropout(0.25, name="drop", seed=3),
            layers.Dense(5, activation="softmax", name="last"),
        ]
    )
    model.compile(fastnn.optimizers.SGD(momentum=0.9), "sparse_categorical_crossentropy")
    return model


class Mixed(layers.Layer):
    """One of many operations."""

    def call(self, x):
        larger = ops.where(x < x, 0.5, ops.maximum(x, x * x[:, ::-1]))
        return ops.concatenate([larger, x]) * ops.max(x, axis=1, keepdims=True) + ops.exp(1 - ops.sum(x, axis=0))[0]


def planted(monkeypatch, op, change, model=None):
    """Change what C receives for the first step of an operation; the error of a fit, and the steps of its plan."""
    lower, steps = execute.lower, []

    def wrong(program, sweep, step, lowered, isa):
        lower(program, sweep, step, lowered, isa)
        steps.append(step)
        if step.op == op and [s.op for s in steps].count(op) == 1:
            change(lowered)

    model = model or deep()
    before = state(model)
    with monkeypatch.context() as patch:
        patch.setattr(execute, "lower", wrong)
        patch.setenv("FASTNN_DEBUG", "3")
        with pytest.raises((RuntimeError, NonFiniteError)) as caught:
            fit(model)
    assert PARTS.fullmatch(str(caught.value)) and (op in ("sgd", "momentum") or state(model) == before)
    return str(caught.value), [step.op for step in steps]


def other(name):
    """Another kernel that takes the same arguments."""

    def change(lowered):
        lowered["kernel"] = _native.find(execute.current_isa(), name)

    return change


def numbers(field, index, value):
    def change(lowered):
        lowered[field][index] = value(lowered[field][index])

    return change


def epilogue(lowered):
    lowered["epilogue"] = _native.find(execute.current_isa(), "tanh")


def moved(k, floats):
    def change(lowered):
        lowered["args"]["offset"][k] += 4 * floats

    return change


PLANTED = {  # operation: what is wrong with it, name of the layer
    "relu as tanh": ("relu", other("tanh"), "again"),
    "tanh behind a product": ("dense", epilogue, "first"),
    "less as less_equal": ("less", other("less_equal"), "mixed"),
    "multiply as add": ("multiply", other("add"), "mixed"),
    "maximum as minimum": ("maximum", other("minimum"), "mixed"),
    "where as larger_grad": ("where", other("larger_grad"), "mixed"),
    "max as min": ("max", other("min"), "mixed"),
    "sum as max": ("sum", other("max"), "mixed"),
    "exponential as expm1": ("exponential", other("expm1"), "mixed"),
    "relu_grad as tanh_grad": ("relu_grad", other("tanh_grad"), "again"),
    "a factor wrong by a tenth of a per mille": ("affine", numbers("attrs", 0, lambda scale: scale * 1.0001), "mixed"),
    "another mask": ("dropout", numbers("attrs", 1, lambda stream: stream + 1), "drop"),
    "another momentum": ("sgd", numbers("attrs", 0, lambda momentum: 0.8), "first"),
    "another stride": ("concatenate", numbers("dims", 2, lambda stride: stride - 1), "mixed"),
    "no rows": ("dense_grad_kernel", numbers("dims", 0, lambda rows: 0), "last"),
    "an input elsewhere": ("dense", moved(0, 5), "first"),
    "an output elsewhere": ("relu", moved(1, 16), "again"),
    "elements too many": ("dense_grad_bias", other("softmax"), "last"),
    "an update too long": ("sgd", numbers("dims", 0, lambda n: n + 16), "first"),
    "elements too many, but right": ("relu", numbers("dims", 4, lambda n: n + 8), "again"),
    "elements too few": ("relu", numbers("dims", 4, lambda n: n - 1), "again"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_named(name, monkeypatch):
    op, change, layer = PLANTED[name]
    message, steps = planted(monkeypatch, op, change)
    assert re.match(rf"step {steps.index(op)}, {op}(\+relu)? of layer '{layer}': ", message), message
    assert ("elements too many" not in name or "bytes changed in 'arena'" in message) and (
        "too long" not in name or "bytes changed outside 'first/kernel'" in message
    )


def test_the_first_of_several_is_named(monkeypatch):
    lower = execute.lower

    def wrong(program, sweep, step, lowered, isa):
        lower(program, sweep, step, lowered, isa)
        if step.op in ("multiply", "maximum"):
            other("add")(lowered)

    model = deep()
    monkeypatch.setenv("FASTNN_DEBUG", "3")  # whose plan is another one
    lines = plan_lines(model.describe(batch_size=8))
    number = next(i for i, line in enumerate(lines) if line["operation"] in ("multiply", "maximum"))
    monkeypatch.setattr(execute, "lower", wrong)
    with pytest.raises(RuntimeError, match=f"^step {number}, multiply of layer 'mixed': "):
        fit(model)


def with_plan(monkeypatch, change):
    """The error of a fit whose plan was changed."""
    plan = execute.plan

    def wrong(*args):
        program = plan(*args)
        change(program)
        return program

    model = deep()
    before = state(model)
    with monkeypatch.context() as patch:
        patch.setattr(execute, "plan", wrong)
        patch.setenv("FASTNN_DEBUG", "3")
        with pytest.raises(RuntimeError, match="expected inputs as they were written") as caught:
            fit(model)
    assert PARTS.fullmatch(str(caught.value)) and state(model) == before
    return str(caught.value)


def test_a_buffer_that_another_one_overwrites_is_found_by_whoever_reads_it(monkeypatch):
    def change(program):
        """What the first relu gives lies where its gradient will find something else."""
        first = next(s for s in program.steps if s.op == "relu").outs[0]
        late = next(s for s in program.steps if s.op == "relu_grad").ins[0]
        program.buffers[first].offset = program.buffers[late].offset

    assert re.match(
        r"step \d+, \w+ of layer '(again|mixed)': received an input, %\d+, in memory", with_plan(monkeypatch, change)
    )


def test_a_missing_step_is_missed_by_whoever_reads_its_result(monkeypatch):
    missing = "maximum"

    def change(program):
        program.steps = [step for step in program.steps if step.op != missing]

    assert re.match(r"step \d+, where of layer 'mixed': ", with_plan(monkeypatch, change))


def huge(x):
    return np.where(x > x.mean(), np.inf, x)


class Huge(layers.Layer):
    def call(self, x):
        return ops.python(huge, x, gradient=lambda dy, x: dy)


@pytest.mark.parametrize(
    ("layer", "op"),
    [(layers.Activation("exponential", name="huge"), "exponential"), (Huge(name="huge"), "python")],
    ids=str,
)
def test_infinity_out_of_finite_numbers_names_its_step(layer, op, monkeypatch):
    monkeypatch.setenv("FASTNN_DEBUG", "3")
    model = fastnn.Sequential([fastnn.Input((20,)), layers.Rescaling(1000.0), layer, layers.Dense(5)])
    model.compile("sgd", "mse")
    before = state(model)
    with pytest.raises(NonFiniteError, match=rf"step \d, {op} of layer 'huge': received NaN or infinity") as caught:
        fit(model, X + 1, np.eye(5)[Y])
    assert PARTS.fullmatch(str(caught.value)) and (caught.value.step, caught.value.layer) == (0, "huge")
    assert state(model) == before
