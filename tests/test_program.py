"""Plans: the text of a small one, what each pass of the planner does, and what no plan may do.

The plans of random programs are checked by other means than the planner uses: memory by noting for each
byte whose it is, barriers pair by pair, and values against a plan that does nothing clever.
"""

import itertools
import math

import numpy as np
import pytest
from harness import same_bits

import fastnn
from fastnn import ops
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.layers import Dense, Dropout
from fastnn.ops.table import OPS
from fastnn.optimizers import SGD, Optimizer
from fastnn.plan import place_views, plan, resolve_views
from fastnn.program import ALIGNMENT, ARENA, ROWS, STEP, Area
from fastnn.record import Recorder
from fastnn.variable import Variable

GOLDEN = """\
25 steps, 1 segment in C, 9 sweeps, 3 phases, 2 barriers; on 8 rows 2,332 FLOPs, 3,796 bytes; arena 704 bytes, local 98,304 bytes
phase  sweep  rows        threads  operation                                         layer   FLOPs  bytes  arrays
    1  1      batch by 8  shared   gather                                                        0    320  x[Bx4], order[B] -> @0[Bx4]
       |                           dense+relu                                        hidden    192    284  @0[Bx4], hidden/kernel[4x3], hidden/bias[3] -> local@0[Bx3]
       |                           dropout                                           drop      384    192  local@0[Bx3] -> @128[Bx3]  rate=0.5 stream=7
       |                           dense                                             output     96    192  @128[Bx3], output/kernel[3x2], output/bias[2] -> local@18432[Bx2]
       |                           gather_int32                                                  0    128  y labels[B], order[B] -> local@43008[B]
       |                           sparse_categorical_crossentropy_from_logits                 480    192  local@18432[Bx2], local@43008[B] -> @448[B], local@30720[Bx2]
       |                           argmax_equals                                                32    128  local@30720[Bx2], local@43008[B] -> @512[B]
       |                           mean_seed                                                     8     64  @448[B], - -> local@18432[B]  mean=1
       |                           sparse_categorical_crossentropy_from_logits_grad             32    192  local@18432[B], local@30720[Bx2], local@43008[B] -> @384[Bx2]
       |                           dense_grad_input                                  output     96    184  @384[Bx2], output/kernel[3x2] -> local@18432[Bx3]
       |                           dropout                                           drop      384    192  local@18432[Bx3] -> local@36864[Bx3]  rate=0.5 stream=7
       |                           relu_grad                                         hidden     48    288  local@36864[Bx3], local@0[Bx3] -> @256[Bx3]
       |                           check_finite                                                 16     32  @448[B]
       |                           check_product                                     hidden     56    224  @0[Bx4], @256[Bx3]
       |                           check_product                                     output     40    160  @128[Bx3], @384[Bx2]
    2  2      -           1        weighted_sum                                                 24     48  @448[B], - -> loss[2]
       3      -           1        weighted_sum                                                 24     48  @512[B], - -> metric accuracy[2]
       4U     3 by 3      shared   dense_grad_kernel                                 output     96    184  @128[Bx3], @384[Bx2] -> local@0[3x2]
       |                           sgd                                               output     24     76  output/kernel[3x2]*, local@0[3x2], -, learning rate[1]  momentum=0.0 nesterov=0
       5U     -           shared   dense_grad_bias                                   output     16     72  @384[Bx2] -> @640[2]
       6U     4 by 4      shared   dense_grad_kernel                                 hidden    192    272  @0[Bx4], @256[Bx3] -> local@0[4x3]
       |                           sgd                                               hidden     48    148  hidden/kernel[4x3]*, local@0[4x3], -, learning rate[1]  momentum=0.0 nesterov=0
       7U     -           shared   dense_grad_bias                                   hidden     24    108  @256[Bx3] -> @576[3]
    3  8U     3 by 3      shared   sgd                                               hidden     12     40  hidden/bias[3]*, @576[3], -, learning rate[1]  momentum=0.0 nesterov=0
       9U     2 by 2      shared   sgd                                               output      8     28  output/bias[2]*, @640[2], -, learning rate[1]  momentum=0.0 nesterov=0"""  # noqa: E501


def test_the_plan_of_a_two_layer_net(monkeypatch):
    """The text shows in a review what a change of planner, layers or optimizers does to a plan."""
    monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")
    model = fastnn.Sequential(
        [
            Dense(3, activation="relu", input_shape=(4,), name="hidden"),
            Dropout(0.5, seed=7, name="drop"),
            Dense(2, activation="softmax", name="output"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.describe(batch_size=8) == GOLDEN


# The passes, one by one


@pytest.fixture
def recorder():
    return Recorder(rows=10)


def planned(recorder, **options):
    program = plan(recorder.program(), **options)
    return program, [step.op for step in program.steps]


def test_a_plan_leaves_the_recording_as_it_was(recorder):
    x = recorder.rows_input("x", (4,))
    recorder.output(ops.relu(ops.dense(x, Variable(np.ones((4, 4))), None)), "y")
    before = repr(recorder.program())
    assert repr(plan(recorder.program())) != before == repr(recorder.program())


def test_dead_steps_are_dropped(recorder):
    x = recorder.rows_input("x", (4,))
    recorder.output(ops.tanh(x), "y")
    ops.softmax(ops.exp(x))
    ops.check_finite(x)
    assert planned(recorder)[1] == ["tanh", "check_finite"]


def test_softmax_is_taken_from_its_cross_entropy(recorder):
    z, t = recorder.rows_input("z", (4,)), recorder.rows_input("t", (4,))
    p = ops.softmax(z)
    loss, _ = ops.categorical_crossentropy_from_logits(z, t)
    for name, symbol in (("loss", loss), ("hits", ops.argmax_agrees(p, t))):
        recorder.output(symbol, name)
    program, names = planned(recorder)
    assert names == ["categorical_crossentropy_from_logits", "argmax_agrees"]
    assert program.steps[1].ins[0] == program.steps[0].outs[1]


def test_a_softmax_that_is_asked_for_stays(recorder):
    z, t = recorder.rows_input("z", (4,)), recorder.rows_input("t", (4,))
    recorder.output(ops.softmax(z), "p")
    recorder.output(ops.categorical_crossentropy_from_logits(z, t)[0], "loss")
    assert planned(recorder)[1] == ["softmax", "categorical_crossentropy_from_logits"]


def dense(x, outputs=4):
    return ops.dense(x, Variable(np.ones((x.shape[-1], outputs))), None)


def test_a_function_of_elements_is_fused_behind_the_product(recorder):
    recorder.output(ops.tanh(dense(ops.relu(dense(recorder.rows_input("x", (4,)))))), "y")
    program, names = planned(recorder)
    assert names == ["dense", "dense"] and [step.epilogue[0] for step in program.steps] == ["relu", "tanh"]


def test_only_one_function_is_fused_and_only_if_nothing_else_reads_its_input(recorder):
    z = dense(recorder.rows_input("x", (4,)))
    recorder.output(ops.tanh(ops.relu(z)), "one")
    recorder.output(ops.relu(dense(z)), "two")
    program, names = planned(recorder)
    assert names == ["dense", "relu", "tanh", "dense"]
    assert [bool(step.epilogue) for step in program.steps] == [False, False, False, True]


def test_what_is_bound_is_not_fused_away(recorder):
    z = dense(recorder.rows_input("x", (4,)))
    recorder.output(z, "z")
    recorder.output(ops.relu(z), "y")
    assert planned(recorder)[1] == ["dense", "relu"]


def test_reshapes_cost_no_step_unless_their_result_is_bound(recorder):
    x = recorder.rows_input("x", (4,))
    inner = ops.softmax(ops.reshape(x, (-1, 2, 2)))
    recorder.output(ops.softmax(ops.reshape(inner, (-1, 4))), "y")
    recorder.output(ops.reshape(inner, (-1, 4)), "same")
    assert planned(recorder)[1] == ["softmax", "softmax", "copy"]


# Views, biases and assignments; x has shape (batch, 3, 4), w (4, 5)

VIEWED = {  # function of (x, w, b), steps that it takes
    "turned": (lambda x, w, b: ops.exp(ops.transpose(x, (0, 2, 1))), ["exponential"]),
    "cut": (lambda x, w, b: x[:, ::-2] * x[:, 1, None, ::-1], ["multiply"]),
    "broadcast": (lambda x, w, b: x - ops.mean(x, axis=-1, keepdims=True), ["sum", "subtract"]),
    "expanded": (lambda x, w, b: ops.where(x[:, :, None] > x[:, None], 1.0, w[0, 0]), ["greater", "where"]),
    "summed": (lambda x, w, b: ops.sum(ops.transpose(x, (0, 2, 1))[:, ::2], axis=1), ["sum"]),
    "reshaped cut": (lambda x, w, b: ops.tanh(ops.reshape(x[:, :2], (-1, 8))), ["tanh"]),
    "reshaped turn": (lambda x, w, b: ops.tanh(ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, 12))), ["copy", "tanh"]),
    "softmax of a cut": (lambda x, w, b: ops.softmax(x[:, :, 1:]), ["copy", "softmax"]),
    "one copy for two": (
        lambda x, w, b: ops.softmax(x[:, 1:]) + ops.mean_squared_error(x[:, 1:], x[:, :2])[:, :, None],
        ["copy", "softmax", "copy", "copy", "mean_squared_error", "add"],
    ),
    "bound": (lambda x, w, b: x[:, ::-1], ["copy"]),
    "joined cuts": (lambda x, w, b: ops.concatenate([x[:, :2], x[:, 1:]], axis=1), ["concatenate"]),
    "joined columns": (lambda x, w, b: ops.concatenate([x[:, 0, :1], x[:, 1, 2:]]), ["concatenate"]),
    "joined turns": (lambda x, w, b: ops.concatenate([x[:, ::-1], x], axis=1), ["copy", "concatenate"]),
    "product": (lambda x, w, b: x[:, :, ::-1] @ w, ["dense"]),
    "turned factor": (lambda x, w, b: x[:, 1, :] @ ops.transpose(w[:2]), ["dense"]),
    "mirrored factor": (lambda x, w, b: x @ w[:, ::-1], ["copy", "dense"]),
    "stacks": (lambda x, w, b: ops.transpose(x, (0, 2, 1)) @ x, ["matmul"]),
    "attention": (
        lambda x, w, b: ops.softmax((x @ w[:, :3]) @ ops.transpose(x @ w[:, 2:], (0, 2, 1)) / 2) @ x,
        ["dense", "dense", "matmul+divide_by", "softmax", "matmul"],
    ),
    "stack and vector": (lambda x, w, b: ops.exp(x @ (x[:, 0, :, None] * b[0])), ["multiply", "matmul+exponential"]),
    "layer": (lambda x, w, b: ops.relu(x @ w + b), ["dense+relu"]),
    "bias first": (lambda x, w, b: b + x @ w, ["dense"]),
    "late bias": (lambda x, w, b: x @ w + ops.exp(b), ["exponential", "dense"]),
    "bias of a batch": (lambda x, w, b: x[:, 0] @ w + x[:, 0, :1], ["dense", "add"]),
    "bias of size 1": (lambda x, w, b: x @ w + b[:1], ["dense", "add"]),
    "number": (lambda x, w, b: x @ w + 1, ["dense+affine"]),
    "two biases": (lambda x, w, b: ops.dense(x, w, b) + b, ["dense", "add"]),
    "bias of a stack": (lambda x, w, b: x @ ops.transpose(x, (0, 2, 1)) + b[:3], ["matmul", "add"]),
    "product used twice": (lambda x, w, b: (x @ w + b) * (x @ w), ["dense", "dense", "multiply"]),
    "read before": (lambda x, w, b: (lambda y: (y + b) * y)(x @ w), ["dense", "add", "multiply"]),
    "added to itself": (lambda x, w, b: (lambda y: y + y)(x[:, 0] @ w), ["dense", "add"]),
}


@pytest.mark.parametrize("name", VIEWED)
def test_steps_and_copies(name, recorder):
    function, wanted = VIEWED[name]
    w, b = Variable(np.ones((4, 5) if name != "turned factor" else (4, 4))), Variable(np.ones(5))
    with recorder:
        recorder.output(function(recorder.rows_input("x", (3, 4)), w, b), "y")
    program, _ = planned(recorder)
    assert [step.op + (f"+{step.epilogue[0]}" if step.epilogue else "") for step in program.steps] == wanted


def test_a_bound_product_is_no_part_of_a_layer(recorder):
    y = dense(recorder.rows_input("x", (4,)))
    recorder.output(y, "y")
    recorder.output(y + Variable(np.ones(4)), "z")
    assert planned(recorder)[1] == ["dense", "add"]


def test_gradients_of_a_product_with_turned_weights_copy_nothing_but_the_gradient_that_is_turned(recorder):
    w = Variable(np.ones((5, 4)))
    with recorder:
        x = recorder.rows_input("x", (4,))
        y = x @ ops.transpose(w)
        gradients = recorder.gradients([(y, ops.ones_like(y))], [x, recorder.variable(w)])
        for i, g in enumerate((y, *gradients)):
            recorder.output(g, f"y{i}", STEP if i == 2 else ROWS)
    assert sorted(planned(recorder)[1]) == ["copy", "dense", "dense_grad_input", "dense_grad_kernel", "fill"]


def test_the_gradient_of_what_was_broadcast_is_one_sum(recorder):
    b = Variable(np.ones(4))
    with recorder:
        y = recorder.rows_input("x", (3, 4)) * b
        recorder.output(
            recorder.gradients([(y, recorder.rows_input("dy", (3, 4)))], [recorder.variable(b)])[0], "db", STEP
        )
    assert planned(recorder)[1] == ["multiply", "sum"]


ASSIGNED = {  # what is done with variables v (3, 3) and u (3, 3), and x, an input of shape (1, 3, 3): steps
    "elements": (lambda v, u, x: ops.assign(v, v * u), ["multiply"]),
    "a view of another": (lambda v, u, x: ops.assign(v, v * ops.transpose(u)), ["multiply"]),
    "read afterwards": (lambda v, u, x: (lambda y: (ops.assign(v, y), ops.assign(u, y + u)))(v * 2), ["affine", "add"]),
    "a number for all": (lambda v, u, x: ops.assign(v, ops.exp(u[0, 0])), ["exponential", "assign"]),
    "a sum": (lambda v, u, x: ops.assign(v, ops.sum(x, axis=0)), ["sum", "assign"]),
    "a view": (lambda v, u, x: ops.assign(v, u[::-1]), ["assign"]),
    "its own view": (lambda v, u, x: ops.assign(v, ops.transpose(v)), ["copy", "assign"]),
    "itself turned": (lambda v, u, x: ops.assign(v, v + ops.transpose(v)), ["add", "assign"]),
    "read between": (
        lambda v, u, x: (lambda y: (ops.assign(u, v + 1), ops.assign(v, y)))(v * 2),
        ["affine", "affine", "assign"],
    ),
    "written between": (
        lambda v, u, x: (lambda y: (ops.assign(v, u), ops.assign(u, v * 3), ops.assign(v, y)))(u * 2),
        ["affine", "assign", "affine", "assign"],
    ),
    "written afterwards": (
        lambda v, u, x: (lambda y: (ops.assign(v, y), ops.assign(v, v * 2), ops.assign(u, y + v)))(u * 2),
        ["affine", "assign", "affine", "add"],
    ),
    "view read between": (
        lambda v, u, x: (lambda t, y: (ops.assign(u, t + 0.5), ops.assign(v, y)))(ops.transpose(v), v * 2),
        ["affine", "affine", "assign"],
    ),
    "view read afterwards": (
        lambda v, u, x: (lambda t: (ops.assign(v, v * 2), ops.assign(u, t + 1)))(ops.transpose(v)),
        ["copy", "affine", "affine"],
    ),
    "view of a view read afterwards": (
        lambda v, u, x: (lambda t: (ops.assign(v, v * 2), ops.assign(u, t[::-1] + 1)))(ops.transpose(v)),
        ["copy", "affine", "affine"],
    ),
    "layer": (lambda v, u, x: ops.assign(u, u @ v + v[0] * 2), ["affine", "dense", "assign"]),
    "factor changed before the bias": (
        lambda v, u, x: (lambda y: (ops.assign(v, v * 2), ops.assign(u, y + np.arange(3))))(u @ v),
        ["dense", "affine", "add"],
    ),
}


@pytest.mark.parametrize("name", ASSIGNED)
def test_results_are_written_where_they_are_assigned(name, recorder, monkeypatch):
    """Only where nobody can tell; the values are those of arrays that are assigned one after the other."""
    function, wanted = ASSIGNED[name]
    start = [np.arange(9.0).reshape(3, 3), np.arange(9.0, 0, -1).reshape(3, 3) ** 2]
    rows = np.arange(9, dtype=np.float32).reshape(1, 3, 3)

    v, u = (Variable(a) for a in start)
    with monkeypatch.context() as patch:  # at once: the values of variables that change are copied first
        patch.setattr(Variable, "__array__", lambda self, dtype=None, copy=None: self.value.copy())
        patch.setattr(ops, "assign", lambda variable, value: variable.assign(np.broadcast_to(value, (3, 3))))
        function(v, u, rows)
    expected = [v.numpy(), u.numpy()]
    v, u = (Variable(a) for a in start)
    with recorder:
        function(v, u, recorder.rows_input("x", (3, 3)))
    program, names = planned(recorder)
    assert names == wanted
    for executor in (NativeExecutor(program, recorder.variables), NumpyExecutor(program, recorder.variables)):
        v.assign(start[0])
        u.assign(start[1])
        one = np.zeros(1, np.int64)
        executor.run({"x": rows}, one, one + 1)
        np.testing.assert_allclose([v.numpy(), u.numpy()], expected, rtol=1e-6)


def test_memory_is_used_again(recorder):
    y = recorder.rows_input("x", (16,))
    for _ in range(9):
        y = ops.softmax(y)
    recorder.output(y, "y")
    assert planned(recorder)[0].arena_bytes == 2 * 10 * 16 * 4  # eight results between nine steps, two alive


@pytest.mark.parametrize("rows", [2**59, 2**60, 2**61, 2**62, 2**64])
def test_arrays_beyond_any_memory_are_refused(rows):
    """Also where the product of the sizes is 0 or small modulo 2^64."""
    recorder = Recorder(rows)
    recorder.output(ops.softmax(ops.relu(recorder.rows_input("x", (8,)))), "y")
    with pytest.raises(ValueError, match="fewer than 2\\*\\*63 bytes"):
        plan(recorder.program())


def test_cheap_steps_are_done_by_one_thread_without_barriers():
    for rows, threads in ((10, 1), (10_000, 2)):
        recorder = Recorder(rows)
        recorder.output(ops.softmax(dense(recorder.rows_input("x", (16,)), 16)), "y")
        program, _ = planned(recorder)
        assert [step.serial for step in program.steps] == 2 * [threads == 1]
        assert [step.barrier for step in program.steps] == [False, threads > 1]
    assert not any(step.serial for step in planned(recorder, force_threads=True)[0].steps)


def test_threads_meet_before_memory_that_a_view_shows_is_used_again(recorder):
    """The view begins at the end of what it shows, and the next step writes at the beginning."""
    with recorder:
        v = recorder.variable(Variable(np.ones((8, 16))))
        recorder.output(ops.tanh(ops.exp(v)[::-1, ::-1]), "y", STEP)
        recorder.output(ops.softmax(ops.exp(v[0])), "z", STEP)
    program, names = planned(recorder, force_threads=True)
    first, second = (program.buffers[program.steps[i].outs[0]] for i in (0, 2))
    assert names == ["exponential", "tanh", "exponential", "softmax"] and first.offset == second.offset
    assert [step.barrier for step in program.steps] == [False, True, True, True]


# Random programs

OUTPUTS = ("y0", "y1", "y2")
UNARY = [
    ops.relu,
    ops.tanh,
    ops.gelu,
    ops.softmax,
    ops.cosine,
    lambda x: x * 0.5 - 0.25,
    lambda x: ops.dropout(x, rate=0.3, stream=x.index),
    lambda x: ops.reshape(x, (-1, math.prod(x.shape[1:]))),
    lambda x: ops.reshape(x, (-1, 2, x.shape[-1] // 2) if x.ndim == 2 and x.shape[-1] % 2 == 0 else (-1, *x.shape[1:])),
    # views
    lambda x: x[..., ::-1],
    lambda x: x[..., :: min(2, x.shape[-1])],
    lambda x: x[:, -1] if x.ndim == 3 else x[:, 1:, None] if x.shape[1] > 1 else x,
    lambda x: ops.transpose(x, (0, *range(x.ndim - 1, 0, -1))),
    lambda x: ops.broadcast_like(x[..., -1:], x),
    # reductions, broadcasting, products and joins of views
    lambda x: x - ops.mean(x, axis=-1, keepdims=True),
    lambda x: x * ops.max(x[..., ::-1], axis=-1, keepdims=True) if x.ndim == 2 else ops.sum(x[:, ::-1], axis=1),
    lambda x: x - ops.mean(x[..., ::-1], axis=0),
    lambda x: ops.tanh(ops.transpose(x, (0, 2, 1)) @ x) if x.ndim == 3 else x * x[:, :1],
    lambda x: ops.concatenate([x[..., :4], x, x[..., ::-1]])[..., :18],
    lambda x: ops.where(x > x[..., ::-1], x, 0.5),
]


class Turning(Optimizer):
    """Keeps the weights of before, and a mean of gradients that lie the other way round each time."""

    slot_names = ("before", "mean")

    def update(self, w, g, slots, scalars):
        mean = slots["mean"][::-1] * 0.5 + ops.tanh(g)
        return w - scalars * mean, w, mean


def test_an_optimizer_of_many_steps_computes_at_once_what_it_records():
    """The formulas with NumPy; a slot gets the old value of the variable, another is read through a view."""
    rng = np.random.default_rng(0)
    start, steps = rng.standard_normal((4, 3)), rng.standard_normal((5, 1, 4, 3)).astype(np.float32)
    w, before, mean = start, 0 * start, 0 * start
    recorded, at_once = Variable(start), Variable(start)
    optimizers = Turning(0.1), Turning(0.1)
    recorder = Recorder(rows=1)
    optimizers[0].record(recorder, [(ops.sum(recorder.rows_input("g", (4, 3)), axis=0), recorded)])
    executor = NativeExecutor(plan(recorder.program()), recorder.variables)
    one = np.zeros(1, np.int64)
    for g in steps:
        executor.run({"g": g, "learning rate": np.full((1, 1), 0.1, np.float32)}, one, one + 1)
        optimizers[1].apply_gradients([(g[0], at_once)])
        mean = mean[::-1] * 0.5 + np.tanh(g[0])
        w, before = w - 0.1 * mean, w
        for optimizer, v in zip(optimizers, (recorded, at_once), strict=True):
            for found, wanted in zip((v, *optimizer.slots(v).values()), (w, before, mean), strict=True):
                np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def random_recording(seed):
    """Operations on results drawn at random, three outputs, gradients of the last and of losses, updates by a
    kernel or by an optimizer made of many steps."""
    rng = np.random.default_rng(seed)
    recorder, variables, losses = Recorder(rows=int(rng.integers(2, 30))), [], []
    known = [recorder.rows_input("x", (8,)), recorder.rows_input("t", (8,))]

    def pick(choices):
        return choices[rng.integers(len(choices))]

    def weight(*shape):
        variables.append(Variable(rng.standard_normal(shape) / shape[0], name=f"w{len(variables)}"))
        return variables[-1]

    for _ in range(25):
        x, kind, width = pick(known), rng.integers(10), pick([4, 8, 18])
        like = pick([y for y in known if y.shape == x.shape])
        if kind < 3:
            known.append(ops.dense(x, weight(x.shape[-1], width), pick([None, weight(width)])))
        elif kind < 5:
            known.append(x + like if kind == 3 else x * like)
        elif kind == 5:  # twins
            known.append(ops.softmax(x))
            losses.append(ops.categorical_crossentropy_from_logits(x, like)[0])
        else:
            known.append(pick(UNARY)(x))
    seeds = [(y, ops.fill(y, value=1.0)) for y in (known[-1], *losses)]
    gradients = recorder.gradients(seeds, [recorder.variable(v) for v in variables])
    for name in OUTPUTS:
        recorder.output(pick(known), name)
    optimizer = Turning(0.1) if seed % 2 else SGD(momentum=0.9)
    optimizer.record(recorder, list(zip(gradients, variables, strict=True)))
    return recorder


def touched(program, numbers):
    """The memory of buffers: (number of the root, area, first byte, end)."""
    for i in numbers:
        if i is not None:
            b = program.buffers[i]
            root = i if b.root is None else b.root
            b = program.buffers[root]
            yield root, b.area, b.offset, b.offset + b.nbytes(program.rows)


def overlap(a, b):
    return a[1] == b[1] and a[2] < b[3] and b[2] < a[3]


def check_memory(program):
    """Whoever reads a buffer of the arena finds all of its bytes as they were last written for it."""
    owner, arena = np.full(program.arena_bytes, -1), len(program.areas) - 1
    assert program.areas[arena].kind == ARENA
    for step in program.steps:
        ins, outs = ([t for t in touched(program, numbers) if t[1] == arena] for numbers in (step.ins, step.outs))
        for root, _, low, high in ins:
            assert low % ALIGNMENT == 0 and (owner[low:high] == root).all(), step
        for out in outs:
            root, _, low, high = out
            assert high <= program.arena_bytes and not any(overlap(out, read) for read in ins), step
            owner[low:high] = root


def check_barriers(program):
    """Between two barriers no thread writes what another one reads or writes."""
    phase = []
    for step in program.steps:
        reads, writes = list(touched(program, step.ins)), list(touched(program, step.outs))
        phase = [] if step.barrier else phase
        for serial, other_reads, other_writes in phase:
            pairs = [*itertools.product(reads + writes, other_writes), *itertools.product(writes, other_reads)]
            assert (serial and step.serial) or not any(overlap(*pair) for pair in pairs), step
        phase.append((step.serial, reads, writes))


def naive(recorded):
    """A plan without any cleverness: every buffer has memory of its own, every step a barrier."""
    program = recorded.copy()
    resolve_views(program)
    program.areas = [*program.areas, Area(ARENA, "arena", (), "uint8")]
    for buffer in program.buffers:
        if buffer.area is None and buffer.root is None:
            buffer.area, buffer.offset = len(program.areas) - 1, program.arena_bytes
            program.arena_bytes += -(-buffer.nbytes(program.rows) // ALIGNMENT) * ALIGNMENT
    place_views(program)
    for step in program.steps:
        step.barrier, step.serial = True, OPS[step.op].serial
    return program


def results(program, recorder, rows):
    """Outputs and variables after two batches in C, on three threads, from the same beginning."""
    rng = np.random.default_rng(1)
    data = {"x": rng.standard_normal((2 * rows, 8)).astype(np.float32)}
    data |= {"t": rng.uniform(0, 1, (2 * rows, 8)).astype(np.float32)}
    data |= {"learning rate": np.full((2, 1), 0.1, np.float32)}
    data |= {a.name: np.zeros((2 * rows, *a.shape[1:]), a.dtype) for a in program.areas if a.name in OUTPUTS}
    before = [v.numpy() for v in recorder.variables]
    first = np.array([0, rows])
    run = NativeExecutor(program, recorder.variables).run(data, first, first * 0 + rows, seed=4, threads=3)
    after = [v.numpy() for v in recorder.variables]
    for v, value in zip(recorder.variables, before, strict=True):
        v.assign(value)
    assert run.batches == 2
    return [*after, *(data[name] for name in OUTPUTS)]


@pytest.mark.parametrize("seed", range(40))
def test_plans_of_random_programs(seed):
    recorder = random_recording(seed)
    recorded = recorder.program()
    clever, plain = plan(recorded, force_threads=True), naive(recorded)
    for program in (clever, plan(recorded)):
        check_memory(program)
        check_barriers(program)
    assert clever.arena_bytes < plain.arena_bytes and len(clever.steps) < len(plain.steps)
    for rows in (recorder.rows, recorder.rows - 1):
        assert all(map(same_bits, results(clever, recorder, rows), results(plain, recorder, rows)))


def test_the_checks_notice_a_wrong_plan():
    program = plan(random_recording(0).program(), force_threads=True)
    barriers = [step for step in program.steps if step.barrier]
    assert barriers
    for step in barriers:
        step.barrier = False
        with pytest.raises(AssertionError):
            check_barriers(program)
        step.barrier = True
    for buffer in program.buffers:
        buffer.offset = 0
    with pytest.raises(AssertionError):
        check_memory(program)
