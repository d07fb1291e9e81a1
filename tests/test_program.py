"""Plans: the text of a small one, what each pass of the planner does, and what no plan may do.

The plans of random programs are checked by other means than the planner uses: memory by noting for each
byte whose it is, barriers pair by pair, rows by where their bytes lie, and values against a plan that does nothing
clever.
"""

import itertools
import math

import numpy as np
import pytest
from harness import same_bits

import fastnn
from fastnn import ops, sweeps
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.layers import Dense, Dropout
from fastnn.ops.table import OPS, concrete
from fastnn.optimizers import SGD, Optimizer
from fastnn.plan import place_views, plan, resolve_views
from fastnn.program import ALIGNMENT, ARENA, LOCAL, ROWS, STEP, Area, Sweep
from fastnn.record import Recorder
from fastnn.variable import Variable

SWEPT = """\
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

STEPWISE = """\
27 steps, 1 segment in C, 27 sweeps, 27 phases, 26 barriers; on 8 rows 2,282 FLOPs, 3,504 bytes; arena 768 bytes, local 0 bytes
phase  sweep  rows  threads  operation                                         layer   FLOPs  bytes  arrays
    1  1      -     shared   gather                                                        0    320  x[Bx4], order[B] -> @0[Bx4]
    2  2      -     shared   dense+relu                                        hidden    192    284  @0[Bx4], hidden/kernel[4x3], hidden/bias[3] -> @128[Bx3]
    3  3      -     shared   dropout                                           drop      384    192  @128[Bx3] -> @256[Bx3]  rate=0.5 stream=7
    4  4      -     shared   dense                                             output     96    192  @256[Bx3], output/kernel[3x2], output/bias[2] -> @384[Bx2]
    5  5      -     shared   gather_int32                                                  0    128  y labels[B], order[B] -> @576[B]
    6  6      -     shared   sparse_categorical_crossentropy_from_logits                 480    192  @384[Bx2], @576[B] -> @640[B], @448[Bx2]
    7  7      -     1        weighted_sum                                                 24     48  @640[B], - -> loss[2]
    8  8      -     shared   argmax_equals                                                32    128  @448[Bx2], @576[B] -> @384[B]
    9  9      -     1        weighted_sum                                                 24     48  @384[B], - -> metric accuracy[2]
   10  10     -     shared   mean_seed                                                     8     64  @640[B], - -> @384[B]  mean=1
   11  11     -     shared   sparse_categorical_crossentropy_from_logits_grad             32    192  @384[B], @448[Bx2], @576[B] -> @512[Bx2]
   12  12     -     shared   dense_grad_input                                  output     96    184  @512[Bx2], output/kernel[3x2] -> @384[Bx3]
   13  13     -     shared   dense_grad_kernel                                 output     96    184  @256[Bx3], @512[Bx2] -> @576[3x2]
   14  14     -     shared   dense_grad_bias                                   output     16     72  @512[Bx2] -> @704[2]
   15  15     -     shared   dropout                                           drop      384    192  @384[Bx3] -> @256[Bx3]  rate=0.5 stream=7
   16  16     -     shared   relu_grad                                         hidden     48    288  @256[Bx3], @128[Bx3] -> @384[Bx3]
   17  17     -     shared   dense_grad_kernel                                 hidden    192    272  @0[Bx4], @384[Bx3] -> @128[4x3]
   18  18     -     shared   dense_grad_bias                                   hidden     24    108  @384[Bx3] -> @0[3]
   19  19     -     shared   check_finite                                                 16     32  @640[B]
   20  20     -     shared   check_finite                                      hidden     24     48  @128[4x3]
   21  21     -     shared   check_finite                                      hidden      6     12  @0[3]
   22  22     -     shared   check_finite                                      output     12     24  @576[3x2]
   23  23     -     shared   check_finite                                      output      4      8  @704[2]
   24  24U    -     shared   sgd                                               hidden     48    148  hidden/kernel[4x3]*, @128[4x3], -, learning rate[1]  momentum=0.0 nesterov=0
   25  25U    -     shared   sgd                                               hidden     12     40  hidden/bias[3]*, @0[3], -, learning rate[1]  momentum=0.0 nesterov=0
   26  26U    -     shared   sgd                                               output     24     76  output/kernel[3x2]*, @576[3x2], -, learning rate[1]  momentum=0.0 nesterov=0
   27  27U    -     shared   sgd                                               output      8     28  output/bias[2]*, @704[2], -, learning rate[1]  momentum=0.0 nesterov=0"""  # noqa: E501


@pytest.mark.parametrize(("debug", "golden"), [("0", SWEPT), ("3", STEPWISE)])
def test_the_plan_of_a_two_layer_net(debug, golden, monkeypatch):
    """The text shows in a review what a change of planner, layers or optimizers does to a plan."""
    monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")
    monkeypatch.setenv("FASTNN_DEBUG", debug)
    model = fastnn.Sequential(
        [
            Dense(3, activation="relu", input_shape=(4,), name="hidden"),
            Dropout(0.5, seed=7, name="drop"),
            Dense(2, activation="softmax", name="output"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.describe(batch_size=8) == golden


# The passes, one by one


@pytest.fixture
def recorder():
    return Recorder(rows=10)


def planned(recorder, stepwise=True, **options):
    """A plan, by default one with the steps in the order of the recording, and what its steps do."""
    program = plan(recorder.program(), stepwise=stepwise, **options)
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
    swept, _ = planned(recorder, stepwise=False, force_threads=True)
    for executor in (
        NativeExecutor(program, recorder.variables),
        NativeExecutor(swept, recorder.variables),
        NumpyExecutor(program, recorder.variables),
    ):
        v.assign(start[0])
        u.assign(start[1])
        one = np.zeros(1, np.int64)
        executor.run({"x": rows}, one, one + 1)
        np.testing.assert_allclose([v.numpy(), u.numpy()], expected, rtol=1e-6)


def test_memory_is_used_again(recorder):
    """Eight results between nine steps, two alive at a time; in a sweep there is one block of rows of each."""
    y = recorder.rows_input("x", (16,))
    for _ in range(9):
        y = ops.softmax(y)
    recorder.output(y, "y")
    program, _ = planned(recorder)
    assert (program.arena_bytes, program.local_bytes) == (2 * 10 * 16 * 4, 0)
    program, _ = planned(recorder, stepwise=False, force_threads=True)
    (sweep,) = program.sweeps
    assert (program.arena_bytes, program.local_bytes) == (0, 2 * sweep.block * 16 * 4)


@pytest.mark.parametrize("rows", [2**59, 2**60, 2**61, 2**62, 2**64])
def test_arrays_beyond_any_memory_are_refused(rows):
    """Also where the product of the sizes is 0 or small modulo 2^64."""
    recorder = Recorder(rows)
    recorder.output(ops.softmax(ops.relu(recorder.rows_input("x", (8,)))), "y")
    with pytest.raises(ValueError, match="fewer than 2\\*\\*63 bytes"):
        plan(recorder.program())


def test_cheap_steps_are_done_by_one_thread_without_barriers():
    for rows, options, shape in ((10, {}, ()), (10_000, {}, (None,)), (10, {"force_threads": True}, (None,))):
        recorder = Recorder(rows)
        recorder.output(ops.softmax(dense(recorder.rows_input("x", (16,)), 16)), "y")
        (sweep,) = planned(recorder, stepwise=False, **options)[0].sweeps
        assert (sweep.count, sweep.shape, sweep.serial, sweep.barrier) == (2, shape, not shape, False)
        sweeps = planned(recorder, **options)[0].sweeps
        assert [(s.count, s.shape, s.serial) for s in sweeps] == 2 * [(1, (), not shape)]
        assert [s.barrier for s in sweeps] == [False, bool(shape)]


def test_small_sweeps_of_a_phase_are_left_to_different_threads():
    recorder = Recorder(1000)
    x = recorder.rows_input("x", (32,))
    for i in range(3):
        recorder.output(ops.sum(ops.tanh(x * float(i)), axis=0), f"y{i}", STEP)
    program, _ = planned(recorder, stepwise=False)
    leaders = [sweep.leader for sweep in program.sweeps if sweep.serial]
    assert leaders == [0, 1, 2]


def test_threads_share_the_variables_of_a_small_network_rather_than_each_of_them():
    model = fastnn.Sequential([Dense(46, "relu", input_shape=(10,)), Dense(46, "relu"), Dense(10)])
    model.compile("adam", "mse")
    model.fit(np.zeros((128, 10)), np.zeros((128, 10)), batch_size=128, verbose=0)
    (executor,) = model._executors.values()
    updates = [s for s in executor.program.sweeps if s.update]
    assert all(s.serial for s in updates)
    assert [s.leader % 2 for s in updates if s.shape] == [1, 0, 1]


def test_threads_meet_before_memory_that_a_view_shows_is_used_again(recorder):
    """The view begins at the end of what it shows, and the next step writes at the beginning."""
    with recorder:
        v = recorder.variable(Variable(np.ones((8, 16))))
        recorder.output(ops.tanh(ops.exp(v)[::-1, ::-1]), "y", STEP)
        recorder.output(ops.softmax(ops.exp(v[0])), "z", STEP)
    program, names = planned(recorder, force_threads=True)
    first, second = (program.buffers[program.steps[i].outs[0]] for i in (0, 2))
    assert names == ["exponential", "tanh", "exponential", "softmax"] and first.offset == second.offset
    assert [sweep.barrier for sweep in program.sweeps] == [False, True, True, True]
    program, _ = planned(recorder, stepwise=False, force_threads=True)
    assert sum(sweep.barrier for sweep in program.sweeps) == 1
    check_memory(program)
    check_barriers(program)


STRIDED = {  # functions of x, an input of shape (batch, 6, 5), and w (40, 6)
    "over the first axis": lambda x, w: ops.sum(w, axis=0),
    "of one row": lambda x, w: ops.sum(ops.exp(w[:, 2:3]), axis=0),
    "along the columns of one row": lambda x, w: ops.sum(ops.transpose(w)[:1] * 3, axis=1),
    "along the columns of one row where it lies": lambda x, w: ops.sum(ops.transpose(w)[:1], axis=1),
    "of the only row": lambda x, w: ops.sum(ops.transpose(ops.reshape(w, (6, 40, 1)), (2, 1, 0)), axis=(1, 2)),
    "along columns": lambda x, w: ops.sum(ops.transpose(w), axis=1),
    "of the batch over its rows": lambda x, w: ops.mean(ops.tanh(x), axis=(0, 2)),
    "in each row of the batch": lambda x, w: ops.sum(ops.tanh(x)[:, ::2], axis=1),
    "all": lambda x, w: ops.mean(x) + ops.sum(w),
    "largest": lambda x, w: ops.max(ops.tanh(x), axis=0),
    "a lone vector": lambda x, w: ops.softmax(w[0] * 2),
    "a vector and a square": lambda x, w: ops.dense(w[0], w[:6], w[7]),
    "gradient of a vector": lambda x, w: ops.dense_grad_input(w[0] * 2, w[:6]),
    "stacks of rows": lambda x, w: ops.softmax(ops.dense(ops.reshape(w, (8, 5, 6)), w[:6])),
    "stacks of rows of a batch": lambda x, w: ops.softmax(ops.dense(x * 2, w[:5], w[7])),
    "random stacks": lambda x, w: ops.dropout(ops.reshape(w, (8, 5, 6)), rate=0.4, stream=3),
    "random stacks of a batch": lambda x, w: ops.dropout(
        ops.dropout(x, rate=0.4, stream=3) + w[7, :5], rate=0.2, stream=4
    ),
    "turned rows": lambda x, w: ops.exp(ops.transpose(w) * 2) + ops.transpose(w)[::-1],
    "rows of a longer array": lambda x, w: ops.tanh(ops.exp(w)[::2]) * ops.exp(w)[:20],
    "a row for all": lambda x, w: ops.exp(w) * ops.tanh(w[3:4]) - ops.sum(ops.exp(w), axis=1, keepdims=True),
    "of a slice": lambda x, w: ops.sum(x[:, 1:2, ::2], axis=(0, 1)),
}


@pytest.mark.parametrize("name", STRIDED)
def test_sweeps_of_arrays_of_any_shape(name, recorder, monkeypatch):
    """The bits of steps, for any axes and strides; rows that are cut keep the order of a sum."""
    w = Variable(np.random.default_rng(1).standard_normal((40, 6)))
    with recorder:
        y = STRIDED[name](recorder.rows_input("x", (6, 5)), w)
        recorder.output(y, "y", ROWS if y.shape[:1] == (None,) else STEP)
    x = np.random.default_rng(2).standard_normal((10, 6, 5)).astype(np.float32)
    one, found = np.zeros(1, np.int64), []
    for block in (None, 1, 2):
        if block:
            for size in ("BLOCK_BYTES", "BATCH_BLOCK", "WEIGHT_BLOCK"):
                monkeypatch.setattr(sweeps, size, block)
        for stepwise in (True, False):
            program, _ = planned(recorder, stepwise, force_threads=True)
            check_memory(program)
            check_barriers(program)
            for threads in (1, 2, 3):
                shape = y.shape[1:] if y.shape[:1] == (None,) else y.shape
                data = {"x": x, "y": np.full((10 if y.shape[:1] == (None,) else 1, *shape), 7, np.float32)}
                NativeExecutor(program, recorder.variables).run(data, one, one + 10, threads=threads)
                found.append(data["y"])
    assert all(same_bits(found[0], other) for other in found)


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
    if seed % 4 > 1:
        for symbol in (losses[-1] if losses else known[-1], *gradients):
            ops.check_finite(symbol)
    optimizer = Turning(0.1) if seed % 2 else SGD(momentum=0.9)
    optimizer.record(recorder, list(zip(gradients, variables, strict=True)))
    return recorder


def touched(program, sweep, numbers):
    """The memory of buffers: (number of the root, area, first byte, end); of a block of rows in local memory."""
    for i in numbers:
        if i is not None:
            b = program.buffers[i]
            root = i if b.root is None else b.root
            b = program.buffers[root]
            size = b.nbytes(program.rows)
            if program.areas[b.area].kind == LOCAL:
                size = sweep.block * math.prod(b.shape[1:]) * np.dtype(b.dtype).itemsize
            yield root, b.area, b.offset, b.offset + size


def overlap(a, b):
    return a[1] == b[1] and a[2] < b[3] and b[2] < a[3]


def check_memory(program):
    """Whoever reads a buffer of the arena or of local memory finds all of its bytes as they were last written for it.

    What a sweep finds in local memory is what other sweeps, and its own last block, left there.
    """
    arena, local = (next(i for i, area in enumerate(program.areas) if area.kind == kind) for kind in (ARENA, LOCAL))
    owners = {arena: np.full(program.arena_bytes, -1), local: np.full(program.local_bytes, -1)}
    for sweep, steps in program.grouped():
        owners[local][:] = -1
        for step in steps:
            ins, outs = (
                [t for t in touched(program, sweep, numbers) if t[1] in owners] for numbers in (step.ins, step.outs)
            )
            for root, area, low, high in ins:
                assert low % ALIGNMENT == 0 and (owners[area][low:high] == root).all(), step
            for out in outs:
                root, area, low, high = out
                assert high <= len(owners[area]) and not any(overlap(out, read) for read in ins), step
                owners[area][low:high] = root


def rowwise(program, step):
    """The roots of which a row of the step touches the bytes of the same row only."""
    shapes = [None if i is None else program.buffers[i].shape for i in step.ins]
    outs = [program.buffers[i].shape for i in step.outs] or shapes[:1]
    axes = OPS[step.op].access(shapes, outs, **step.attrs)
    good, bad = set(step.outs), set()
    for i, axis in zip(step.ins, axes, strict=True):
        if i is not None:
            b = program.buffers[i]
            root = program.buffers[i if b.root is None else b.root]
            whole, shape = concrete(root.shape, program.rows), concrete(b.shape, program.rows)
            memory = np.empty(math.prod(whole), root.dtype)
            begin, each = memory.ctypes.data, memory.nbytes // max(whole[0], 1) if whole else 0
            strides, offset = (b.layout.strides, b.layout.offset) if b.layout else (None, 0)
            view = (
                np.lib.stride_tricks.as_strided(
                    memory[offset:], shape, strides and [n * memory.itemsize for n in strides]
                )
                if strides
                else memory.reshape(shape)
            )
            same = axis == 0 and shape[:1] == whole[:1]
            for r in range(shape[0] if same else 0):
                low, high = np.lib.array_utils.byte_bounds(view[r : r + 1])
                same = same and begin + r * each <= low and high <= begin + (r + 1) * each
            (good if same else bad).add(i if b.root is None else b.root)
    return good - bad


def check_barriers(program):
    """Between two barriers no thread writes what another one reads or writes."""
    phase, checking, updating = [], False, False
    for number, (sweep, steps) in enumerate(program.grouped()):
        phase, checking = ([], False) if sweep.barrier else (phase, checking)
        updating |= sweep.update
        for step in steps:
            check = OPS[step.op].kind == "check"
            checking |= check
            assert not (updating and check) and not (sweep.update and checking) and step.update == sweep.update
            apart = rowwise(program, step) if sweep.shape else set()
            reads, writes = (
                [t for t in touched(program, sweep, numbers) if program.areas[t[1]].kind != LOCAL]
                for numbers in (step.ins, step.outs)
            )
            for other, sweep_there, apart_there, reads_there, writes_there in phase:
                pairs = [*itertools.product(reads + writes, writes_there), *itertools.product(writes, reads_there)]
                one_thread = sweep.serial and sweep_there.serial and sweep.leader == sweep_there.leader
                for a, b in pairs:
                    own_rows = number == other and a[0] == b[0] and a[0] in apart & apart_there
                    assert one_thread or own_rows or not overlap(a, b), step
            phase.append((number, sweep, apart, reads, writes))


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
    program.sweeps = [Sweep(1, barrier=True, serial=OPS[s.op].serial, update=s.update) for s in program.steps]
    return program


def results(program, recorder, rows, stepwise):
    """Outputs and variables after two batches in C, on three threads, from the same beginning."""
    rng = np.random.default_rng(1)
    data = {"x": rng.standard_normal((2 * rows, 8)).astype(np.float32)}
    data |= {"t": rng.uniform(0, 1, (2 * rows, 8)).astype(np.float32)}
    data |= {"learning rate": np.full((2, 1), 0.1, np.float32)}
    data |= {a.name: np.zeros((2 * rows, *a.shape[1:]), a.dtype) for a in program.areas if a.name in OUTPUTS}
    before = [v.numpy() for v in recorder.variables]
    first = np.array([0, rows])
    executor = NativeExecutor(program, recorder.variables, stepwise=lambda: stepwise)
    run = executor.run(data, first, first * 0 + rows, seed=4, on_nonfinite="skip", threads=3)
    after = [v.numpy() for v in recorder.variables]
    for v, value in zip(recorder.variables, before, strict=True):
        v.assign(value)
    assert run.batches == 2
    return [*after, *(data[name] for name in OUTPUTS), np.array(run.skipped)]


@pytest.mark.parametrize("block", [None, 3])
@pytest.mark.parametrize("seed", range(40))
def test_plans_of_random_programs(seed, block, monkeypatch):
    """In sweeps, with blocks as usual or of few rows, step by step, and without any cleverness."""
    if block:
        for size in ("BLOCK_BYTES", "BATCH_BLOCK", "WEIGHT_BLOCK"):
            monkeypatch.setattr(sweeps, size, block)
    recorder = random_recording(seed)
    recorded = recorder.program()
    swept, stepwise, plain = plan(recorded, True), plan(recorded, True, stepwise=True), naive(recorded)
    plans = [swept, stepwise, plan(recorded)] + [plan(recorded, stepwise=True)] * (block is None)
    for program in plans:
        check_memory(program)
        check_barriers(program)
    assert stepwise.arena_bytes < plain.arena_bytes and len(stepwise.steps) < len(plain.steps)
    assert sum(s.barrier for s in swept.sweeps) < sum(s.barrier for s in stepwise.sweeps)
    for rows in (recorder.rows, recorder.rows - 1):
        wanted = results(plain, recorder, rows, stepwise)
        for program in plans:
            assert all(map(same_bits, results(program, recorder, rows, stepwise), wanted))


@pytest.mark.parametrize("stepwise", [False, True])
def test_the_checks_notice_a_wrong_plan(stepwise):
    program = plan(random_recording(0).program(), True, stepwise)
    meetings = [sweep for sweep in program.sweeps if sweep.barrier]
    assert meetings
    found = 0
    for sweep in meetings:
        sweep.barrier = False
        try:
            check_barriers(program)
        except AssertionError:
            found += 1
        sweep.barrier = True
    assert 0 < found <= len(meetings) and (stepwise or found == len(meetings))  # step by step all meet, needed or not
    for kind in (ARENA, LOCAL):
        wrong = program.copy()
        own = [b for b in wrong.buffers if b.area is not None and wrong.areas[b.area].kind == kind]
        for buffer in own:
            buffer.offset = 0
        if own:
            with pytest.raises(AssertionError):
                check_memory(wrong)
