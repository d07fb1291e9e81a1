"""L-BFGS: its mathematics beside dense BFGS, published test functions and scipy; and what ``fit`` does around it."""

import copy
import itertools
import math

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, force

import fastnn
from fastnn import callbacks, layers, optimizers, schedules
from fastnn.errors import NonFiniteError
from fastnn.execute import NativeExecutor
from fastnn.optimizers import LBFGS, line_search
from fastnn.optimizers.lbfgs import Point
from fastnn.optimizers.line_search import FEW, Trial, Wolfe, dot, search

RNG = np.random.default_rng(2)

# Sums


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 64, 65, 100, 1001, 4097])
def test_dot_adds_halves_and_then_one_by_one(n):
    a, b = RNG.standard_normal((2, n)).astype(np.float32)
    terms = [float(x) * float(y) for x, y in zip(a, b, strict=True)]
    exact, size = math.fsum(terms), sum(map(abs, terms))
    roundings = FEW
    while len(terms) > FEW:
        half = len(terms) // 2
        for i in range(half):
            terms[i] += terms[len(terms) - half + i]
        terms, roundings = terms[: len(terms) - half], roundings + 1
    expected = 0.0
    for term in terms:
        expected += term
    assert dot(a, b) == expected
    assert abs(dot(a, b) - exact) <= roundings * 2.0**-53 * 1.01 * size  # products of float32 are exact


# Line search


def more_1(t, beta=2.0):
    return -t / (t * t + beta), (t * t - beta) / (t * t + beta) ** 2


def more_2(t, beta=0.004):
    return (t + beta) ** 5 - 2 * (t + beta) ** 4, 5 * (t + beta) ** 4 - 8 * (t + beta) ** 3


def more_3(t, beta=0.01, waves=39):
    value, slope = abs(1 - t), math.copysign(1, t - 1)
    if abs(1 - t) < beta:
        value, slope = (t - 1) ** 2 / (2 * beta) + beta / 2, (t - 1) / beta
    angle = waves * math.pi / 2
    return value + (1 - beta) / angle * math.sin(angle * t), slope + (1 - beta) * math.cos(angle * t)


def yanai(beta_1, beta_2):
    first, second = (math.sqrt(1 + b * b) - b for b in (beta_1, beta_2))

    def function(t):
        left, right = math.hypot(1 - t, beta_2), math.hypot(t, beta_1)
        return first * left + second * right, first * (t - 1) / left + second * t / right

    return function


FUNCTIONS = {
    "1": more_1,
    "2": more_2,
    "3": more_3,
    "4": yanai(0.001, 0.001),
    "5": yanai(0.01, 0.001),
    "6": yanai(0.001, 0.01),
}


def searched(function, step, **options):
    calls = []

    def trial(t):
        calls.append(t)
        return Trial(t, *function(t))

    start = Trial(0.0, *function(0.0))
    return start, *search(trial, start, step, **options), calls


def fulfils(start, step, value, slope):
    """The strong Wolfe conditions, with the constants of section 3.1 of Nocedal and Wright."""
    return value <= start.value + 1e-4 * step * start.slope and abs(slope) <= -0.9 * start.slope


@pytest.mark.parametrize("step", [1e-3, 1e-1, 1e1, 1e3])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_of_more_and_thuente(function, step):
    """Their test functions from the four first steps of their tables, in which no search takes more than 15 calls."""
    start, found, fulfilled, calls = searched(function, step)
    assert fulfilled and found.step in calls and len(calls) <= 15
    assert fulfils(start, found.step, *function(found.step))


def test_a_step_that_is_good_is_taken_at_once():
    _, found, fulfilled, calls = searched(lambda t: ((t - 1) ** 2, 2 * (t - 1)), 1.0)
    assert fulfilled and calls == [1.0] and found.value == 0


def test_the_minimum_of_a_cubic_is_found_with_one_more_call():
    """t^3 - 3 t from 0: the minimum 1 lies between 0 and 5, and two points with slopes say it all."""
    assert line_search.cubic_minimum(Trial(0, 0, -3), Trial(5, 110, 72)) == pytest.approx(1, rel=1e-14)
    _, found, fulfilled, calls = searched(lambda t: (t**3 - 3 * t, 3 * t * t - 3), 5.0)
    assert fulfilled and len(calls) == 2 and found.step == pytest.approx(1, rel=1e-14)


def test_steps_out_of_the_domain_are_shortened():
    def barrier(t):
        return (-t - math.log(1 - t) * 0.1, -1 + 0.1 / (1 - t)) if t < 1 else (math.inf, 0.0)

    start, found, fulfilled, calls = searched(barrier, 1000.0)
    assert fulfilled and found.step < 1 and calls[0] == 1000 and fulfils(start, found.step, found.value, found.slope)


def scripted(function, step=1.0, **options):
    """A search of a function from (0, 0) with slope -1."""
    return searched(lambda t: function(t) if t else (0.0, -1.0), step, **options)


def test_a_step_that_is_higher_than_the_one_before_is_the_end_of_the_interval():
    """Low enough in itself, and the slope would lead on (algorithm 3.5, line 3)."""
    second = []

    def valleys(t):
        if t == 1:
            return -1.0, -0.95
        second.append(t)
        return (-0.5, -2.0) if t == second[0] else (-1.5, 0.0)

    _, found, fulfilled, calls = scripted(valleys)
    assert fulfilled and 1 < found.step < calls[1] and len(calls) == 3


def test_a_trial_that_is_higher_than_the_low_end_is_the_high_end():
    """Also if its slope is flat (algorithm 3.6, line 3)."""

    def bump(t):
        return (-1.0, -0.95) if t == 1 else (-0.5, -0.1) if t > 1.2 else (-1.5, 0.0)

    _, found, fulfilled, calls = scripted(bump)
    assert fulfilled and 1 < found.step <= 1.2 < calls[2] < calls[1] and found.step == calls[-1]


def test_an_interval_that_does_not_shrink_is_halved():
    """A slope up to a wall: the cubics of its two sides lead to one of the ends again and again."""
    wall = lambda t: (-t + 1e4 * max(0, t - 1) ** 2, -1 + 2e4 * max(0, t - 1))  # noqa: E731
    start, found, fulfilled, _ = searched(wall, 1.9)
    assert fulfilled and fulfils(start, found.step, found.value, found.slope)


def test_the_search_ends_where_no_number_is_left():
    _, found, fulfilled, calls = scripted(lambda t: (-1.0, -0.95) if t <= 1 else (math.inf, 0.0), max_eval=500)
    assert not fulfilled and found.step == 1 and len(calls) < 70  # 53 halvings


def test_a_function_without_a_minimum_gives_the_lowest_of_what_was_tried():
    start, found, fulfilled, calls = searched(lambda t: (-t, -1.0), 1.0, max_eval=7)
    assert not fulfilled and len(calls) == 7 and found.step == max(calls) and found.value < start.value


def test_a_slope_that_lies_gives_the_start():
    start, found, fulfilled, calls = searched(lambda t: (t, -1.0), 1.0, max_eval=9)
    assert not fulfilled and found is start and len(calls) == 9


def test_slopes_alone_say_where_a_parabola_has_its_minimum():
    a, b = Trial(1.0, 5.0, -2.0), Trial(3.0, 5.1, 2.0)
    assert Wolfe(a, noise=0.2).minimum(a, b) == 2.0
    assert Wolfe(a, noise=0.05).minimum(a, b) == line_search.cubic_minimum(a, b) != 2.0
    assert Wolfe(a, noise=0.2).minimum(b, Trial(4.0, 5.1, 1.0)) is None  # a maximum


def test_values_that_are_all_noise_are_compared_by_slopes():
    """The parabola (t - 1)^2 / 2 on a constant of which nothing but noise is left in the value."""
    noisy = lambda t: (1.0 + 1e-16 * math.sin(1e3 * t), 1e-20 * (t - 1))  # noqa: E731
    _, found, fulfilled, _ = searched(noisy, 30.0, noise=4e-16)
    assert fulfilled and abs(found.slope) <= 0.9e-20
    assert not searched(lambda t: (1.0 + (t > 0) * 1e-16 * 4, 1e-20 * (t - 1)), 1.0)[2]  # as it would be without


# Directions


def test_directions_are_those_of_dense_bfgs():
    """The two loops beside the update of the whole matrix (Nocedal and Wright 2006, equation 6.17), from gamma I."""
    n, optimizer = 12, LBFGS(history_size=5)
    for _ in range(8):  # three more than are remembered
        s = RNG.standard_normal(n)
        y = s + 0.3 * RNG.standard_normal(n)
        assert s @ y > 0
        optimizer._changes = [*optimizer._changes, (s, y, dot(s, y))][-5:]
    h = np.eye(n) * (s @ y) / (y @ y)
    for s, y, _ in optimizer._changes:
        v = np.eye(n) - np.outer(y, s) / (s @ y)
        h = v.T @ h @ v + np.outer(s, s) / (s @ y)
    g = RNG.standard_normal(n)
    np.testing.assert_allclose(optimizer.direction(g), -h @ g, rtol=1e-10, atol=1e-12)


def rosenbrock(x):
    square = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * x[:-1] * square - 2 * (1 - x[:-1])
    gradient[1:] += 200 * square
    return float((100 * square**2 + (1 - x[:-1]) ** 2).sum()), gradient


def minimized(function, x, **options):
    optimizer, points, evaluations = LBFGS(tolerance_change=0.0, **options), [], []

    def evaluate(x):
        evaluations.append(x)
        return Point(x, *function(x))

    points.append(evaluate(x))
    while not optimizer.converged:
        points.append(optimizer.iterate(evaluate, points[-1]))
    return optimizer, points, evaluations


@pytest.mark.parametrize("n", [2, 10, 50])
def test_rosenbrock(n):
    scipy = pytest.importorskip("scipy.optimize")
    x = np.tile([-1.2, 1.0], n // 2)
    optimizer, points, evaluations = minimized(rosenbrock, x, tolerance_grad=1e-10)
    assert optimizer.converged == "tolerance_grad"
    np.testing.assert_allclose(points[-1].x, 1, rtol=1e-9)
    options = {"maxcor": 10, "gtol": 1e-10, "ftol": 0, "maxfun": 10**6, "maxiter": 10**6}
    theirs = scipy.minimize(rosenbrock, x, jac=True, method="L-BFGS-B", options=options)
    assert len(evaluations) <= 1.5 * theirs.nfev  # another line search, the same method
    for before, after in itertools.pairwise(points):
        if after is not before:
            s = after.x - before.x
            assert after.value <= before.value + 1e-4 * before.gradient @ s
            assert abs(after.gradient @ s) <= -0.9 * before.gradient @ s * (1 + 1e-12)


def test_no_curvature_is_remembered_of_what_has_none():
    """From the top of a hill the value falls ever steeper, so that no step is flat enough."""
    optimizer = LBFGS(max_eval=4)
    evaluate = lambda x: Point(x, -float(x @ x), -2 * x)  # noqa: E731
    start = evaluate(np.array([1.0, 2.0]))
    end = optimizer.iterate(evaluate, start)
    assert end.value < start.value and optimizer._changes == [] and optimizer.converged is None


def test_a_quadratic_of_few_dimensions_takes_few_iterations():
    """BFGS with the true curvature of all dimensions is Newton's method: then one step goes to the minimum."""
    a = np.diag([1.0, 3.0, 10.0])
    _, points, _ = minimized(lambda x: (0.5 * x @ a @ x, a @ x), np.ones(3), tolerance_grad=1e-12)
    np.testing.assert_allclose(points[-1].x, 0, atol=1e-11)
    assert len(points) <= 20


def test_what_is_remembered_leads_up_and_is_forgotten():
    optimizer = LBFGS()
    optimizer._changes = [(np.array([1.0, 0.0]), np.array([-1.0, 0.0]), -1.0)]  # a wrong curvature
    evaluate = lambda x: Point(x, float(x @ x), 2 * x)  # noqa: E731
    end = optimizer.iterate(evaluate, evaluate(np.array([3.0, 0.0])))
    assert end.value < 9 and optimizer.converged is None
    assert all(product > 0 for _, _, product in optimizer._changes)


# Training


def net(optimizer=None, *behind, loss="mse", eagerly=False, metrics=(), **compiled):
    fastnn.set_random_seed(3)
    first = layers.Dense(7, "tanh", input_shape=(4,), kernel_regularizer="l2", name="first")
    model = fastnn.Sequential([first, *behind, layers.Dense(2, name="last")])
    made = LBFGS() if optimizer is None else optimizer
    model.compile(made, loss, run_eagerly=eagerly, metrics=list(metrics), **compiled)
    return model


N = 60
X = RNG.standard_normal((N, 4)).astype(np.float32)
Y = np.sin(X @ RNG.standard_normal((4, 2))).astype(np.float32)


def fit(model, epochs=8, x=X, y=Y, **options):
    return model.fit(x, y, batch_size="full", epochs=epochs, verbose=0, **options)


def bits(model):
    return [w.tobytes() for w in model.get_weights()]


def least_squares(x, y, penalty=0.0, weights=None):
    """The minimum of a mean of squares plus a penalty on all but the bias, by the normal equations in float64."""
    a = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    w = np.ones(len(x)) if weights is None else weights
    ridge = np.diag([penalty] * x.shape[1] + [0.0])
    h = (a.T * w) @ a / len(x) + ridge
    return np.linalg.solve(h, (a.T * w) @ y / len(x)), h, a, w


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("penalty", [0.0, 0.1], ids=["linear", "ridge"])
def test_linear_regression_is_that_of_the_normal_equations(penalty, weighted):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((400, 8)).astype(np.float32)
    y = (x @ rng.standard_normal(8) + 0.3 + 0.5 * rng.standard_normal(400)).astype(np.float32)
    weights = rng.uniform(0.5, 2, 400).astype(np.float32) if weighted else None
    regularizer = fastnn.regularizers.L2(penalty) if penalty else None
    model = fastnn.Sequential([layers.Dense(1, input_shape=(8,), kernel_regularizer=regularizer)])
    model.compile(LBFGS(tolerance_change=0.0, tolerance_grad=1e-6), "mse")
    history = fit(model, 50, x, y, sample_weight=weights)
    expected, h, a, w = least_squares(x, y.astype(np.float64), penalty, weights)
    # The gradient that is found to be no larger than the tolerance has in itself the roundings of the predictions (a
    # product of 9 terms), of the residuals, of their factors and of a sum of 400 terms in one chain; Higham 2002, 3.1.
    residual = np.abs(a @ expected - y)
    prediction = np.abs(a) @ np.abs(expected) + np.abs(y)
    u = 2.0**-24
    error = (np.abs(a).T * w) @ ((len(x) + 4) * u * residual + 12 * u * prediction) / len(x) + 4 * u * penalty
    found = np.concatenate([model.get_weights()[0][:, 0], model.get_weights()[1]])
    bound = np.linalg.norm(np.linalg.inv(h), 2) * (np.linalg.norm(error) + 1e-6 / 2 * 3) + u * np.abs(expected).max()
    assert np.linalg.norm(found - expected) <= bound < 2e-4
    assert model.optimizer.converged == "tolerance_grad" and len(history.epoch) <= 20


def test_logistic_regression_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    y = (X @ [1.0, -2.0, 0.5, 0.0] + 0.7 * RNG.standard_normal(N) > 0).astype(np.float32)
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(X.astype(np.float64), y)
    # They minimize C * sum(loss) + |w|^2 / 2, which is C N times mean(loss) + |w|^2 / (2 C N).
    regularizer = fastnn.regularizers.L2(1 / (2 * 0.5 * N))
    model = fastnn.Sequential([layers.Dense(1, "sigmoid", input_shape=(4,), kernel_regularizer=regularizer)])
    model.compile(LBFGS(tolerance_change=0.0), "binary_crossentropy", metrics=["accuracy"])
    history = fit(model, 60, X, y)
    kernel, bias = model.get_weights()
    # Gradients are right to some 1e-7, and the smallest curvature is above 0.02.
    np.testing.assert_allclose(kernel[:, 0], theirs.coef_[0], atol=2e-5)
    np.testing.assert_allclose(bias, theirs.intercept_, atol=2e-5)
    assert len(history.epoch) < 60 and history.history["accuracy"][-1] == np.float32(theirs.score(X, y))


def test_a_network_gets_as_low_as_with_scipy():
    """The same float32 loss and gradient, 60 iterations of each: not higher by more than a fifth."""
    scipy = pytest.importorskip("scipy.optimize")
    model, other = net(), net()
    variables = other.trainable_variables
    loss = fastnn.losses.MeanSquaredError()
    regularizer = fastnn.regularizers.get("l2")

    def objective(x, y):
        return loss(y, other(x, training=True)) + regularizer(variables[0])

    step = fastnn.value_and_grad(objective, variables)

    def function(flat):
        ends = np.cumsum([math.prod(v.shape) for v in variables])
        for v, part in zip(variables, np.split(flat, ends[:-1]), strict=True):
            v.assign(part.reshape(v.shape))
        value, gradients = step(X, Y)
        return float(value), np.concatenate([g.ravel() for g in gradients]).astype(np.float64)

    flat = np.concatenate([v.numpy().ravel() for v in variables]).astype(np.float64)
    theirs = scipy.minimize(function, flat, jac=True, method="L-BFGS-B", options={"maxcor": 10, "maxiter": 60})
    ours = fit(model, 60).history["loss"]
    assert ours[-1] <= 1.2 * theirs.fun < 0.3 * ours[0]


class Watching(LBFGS):
    """Keeps where iterations begin and end, and how many evaluations they take."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pairs, self.tried = [], []

    def iterate(self, evaluate, start, *args):
        tried = []

        def counted(x):
            tried.append(evaluate(x))
            return tried[-1]

        end = super().iterate(counted, start, *args)
        self.pairs.append((start, end))
        self.tried.append(tried)
        return end


@pytest.mark.parametrize("behind", [(), (layers.Dropout(0.3),), (layers.BatchNormalization(),)], ids=len)
def test_every_step_fulfils_the_conditions(behind):
    model = net(Watching(), *[copy.deepcopy(layer) for layer in behind])
    fit(model, 25)
    assert len(model.optimizer.pairs) == 25
    for start, end in model.optimizer.pairs:
        s = end.x - start.x
        slope, noise = start.gradient @ s, 4 * 2.0**-23 * abs(start.value)
        assert end.value <= start.value + 1e-4 * slope + noise and slope < 0
        assert abs(end.gradient @ s) <= -0.9 * slope * (1 + 1e-3)  # the end is rounded to float32


def test_evaluations_are_not_made_twice():
    """Where one iteration ends the next one begins."""
    model = net(Watching())
    fit(model, 25)
    pairs, tried = model.optimizer.pairs, model.optimizer.tried
    assert all(end is start for (_, end), (start, _) in itertools.pairwise(pairs))
    assert sum(map(len, tried)) <= 1.5 * 25


@pytest.mark.parametrize("isa", ISAS)
def test_equal_bits_for_any_number_of_threads(isa, monkeypatch):
    found = []
    for threads in THREADS:
        force(monkeypatch, isa, threads)
        model = net(None, layers.Dropout(0.2))
        history = fit(model, 12)
        found.append((bits(model), history.history))
    assert all(other == found[0] for other in found)


def test_equal_bits_on_every_instruction_set(monkeypatch):
    found = []
    for isa in ISAS:
        monkeypatch.setenv("FASTNN_ISA", isa)
        model = net()
        fit(model, 12)
        found.append(bits(model))
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("behind", [(), (layers.Dropout(0.3),), (layers.BatchNormalization(),)], ids=len)
def test_training_in_c_is_that_in_numpy(behind):
    fast, slow = (net(None, *map(copy.deepcopy, behind), eagerly=eagerly) for eagerly in (False, True))
    for one, other in zip(fit(fast, 4).history["loss"], fit(slow, 4).history["loss"], strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    for found, expected in zip(fast.get_weights(), slow.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("behind", [(), (layers.Dropout(0.3),), (layers.BatchNormalization(),)], ids=len)
def test_training_goes_on_where_it_ended(behind):
    whole, halves, steps = (net(None, *map(copy.deepcopy, behind)) for _ in range(3))
    all_at_once = fit(whole, 10).history["loss"]
    first = fit(halves, 5).history["loss"]
    second = fit(halves, 10, initial_epoch=5).history["loss"]
    assert bits(whole) == bits(halves) and first + second == all_at_once
    losses = [steps.train_on_batch(X, Y) for _ in range(10)]
    assert bits(steps) == bits(whole) and losses == all_at_once
    assert steps.optimizer.iterations == whole.optimizer.iterations == 10


def test_the_order_of_the_samples_is_that_of_the_data():
    shuffled, plain = net(), net()
    fit(shuffled, shuffle=True)
    fit(plain, shuffle=False)
    assert bits(shuffled) == bits(plain)


def test_any_batch_size_that_takes_all_samples_is_full():
    models = [net() for _ in range(4)]
    fit(models[0])
    models[1].fit(X, Y, batch_size=N, epochs=8, verbose=0)
    models[2].fit(X, Y, batch_size=10 * N, epochs=8, verbose=0, steps_per_epoch=1)
    models[3].fit(np.tile(X, (2, 1)), np.tile(Y, (2, 1)), "full", 8, 0, validation_split=0.5)
    assert all(bits(model) == bits(models[0]) for model in models)


def test_batches_have_their_callbacks():
    seen = []
    call = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]),
    )
    losses = fit(net(), 3, callbacks=[call]).history["loss"]
    assert seen == [part for loss in losses for part in (0, loss)]


def test_logs_are_those_of_the_weights_behind_the_step():
    model = net(metrics=["mae", "RootMeanSquaredError"])
    history = fit(model, 9, validation_data=(X, Y)).history
    assert set(history) == {name for log in ("loss", "mae", "root_mean_squared_error") for name in (log, f"val_{log}")}
    for name in ("loss", "mae", "root_mean_squared_error"):
        np.testing.assert_allclose(history[name], history[f"val_{name}"], rtol=2e-6)
    assert history["loss"] == sorted(history["loss"], reverse=True)


def test_metrics_in_python_see_the_predictions_of_the_weights_behind_the_step():
    class Last(fastnn.metrics.Metric):
        in_c = False

        def __init__(self):
            super().__init__(name="last")
            self.seen = None

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen = y_pred.copy()

        def result(self):
            return float(np.abs(self.seen).sum())

        def reset_state(self):
            self.seen = None

    model = net(metrics=[Last()])
    found = fit(model, 6).history["last"][-1]
    assert found == pytest.approx(float(np.abs(model.predict(X)).sum()), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({}, "tolerance_"), ({"tolerance_change": 0.0, "tolerance_grad": 1e-3}, "tolerance_grad")],
    ids=["change", "gradient"],
)
def test_training_ends_when_it_has_converged(options, reason):
    fastnn.set_random_seed(3)
    model = fastnn.Sequential([layers.Dense(2, input_shape=(4,))])
    model.compile(LBFGS(**options), "mse")
    history = fit(model, 500)
    assert model.stop_training and model.optimizer.converged.startswith(reason)
    assert len(history.epoch) == len(history.history["loss"]) == model.optimizer.iterations < 100
    again = fit(model, 500)
    assert len(again.epoch) <= 2 and again.history["loss"][-1] <= history.history["loss"][-1] * (1 + 1e-6)


def test_statistics_change_once_in_an_iteration():
    """Those of the data, which do not depend on any weight."""
    fastnn.set_random_seed(3)
    norm = layers.BatchNormalization(momentum=0.5, input_shape=(4,))
    model = fastnn.Sequential([norm, layers.Dense(7, "tanh"), layers.Dense(2)])
    model.compile(Watching(100.0), "mse")
    fit(model, 6)
    assert sum(map(len, model.optimizer.tried)) > 6
    np.testing.assert_allclose(norm.moving_mean.numpy(), X.mean(0) * (1 - 0.5**6), rtol=1e-5, atol=1e-6)


def test_dropped_units_are_the_same_in_an_iteration_and_others_in_the_next():
    model = net(Watching(), layers.Dropout(0.5))
    fit(model, 5)
    pairs = model.optimizer.pairs
    assert all(end.value < start.value for start, end in pairs)
    assert all(end.value != start.value for (_, end), (start, _) in itertools.pairwise(pairs))


def test_weights_of_classes_are_weights_of_samples():
    labels = np.arange(N) % 3
    found = []
    for options in (
        {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
        {"sample_weight": np.array([1.0, 2.0, 0.5])[labels]},
    ):
        fastnn.set_random_seed(3)
        model = fastnn.Sequential([layers.Dense(3, "softmax", input_shape=(4,))])
        model.compile("lbfgs", "sparse_categorical_crossentropy")
        fit(model, 10, X, labels, **options)
        found.append(bits(model))
    assert found[0] == found[1]


def test_several_outputs():
    fastnn.set_random_seed(3)
    x = layers.Input((4,))
    a, b = layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)
    model = fastnn.Model(x, [a, b])
    model.compile(LBFGS(tolerance_change=0.0, tolerance_grad=1e-6), "mse", loss_weights=[1.0, 0.25])
    history = fit(model, 60, X, [Y[:, :1], Y[:, 1:]]).history
    for i, name in enumerate("ab"):
        expected = least_squares(X, Y[:, i].astype(np.float64))[0]
        found = np.concatenate([w.ravel() for w in model.get_layer(name).get_weights()])
        np.testing.assert_allclose(found, expected, atol=2e-5)
    total = history["a_loss"][-1] + 0.25 * history["b_loss"][-1]
    assert history["loss"][-1] == pytest.approx(total, rel=1e-6)


def test_float64():
    fastnn.config.set_floatx("float64")
    try:
        fastnn.set_random_seed(3)
        model = fastnn.Sequential([layers.Dense(1, input_shape=(4,))])
        model.compile(LBFGS(tolerance_change=0.0, tolerance_grad=1e-12), "mse")
        fit(model, 60, X, Y[:, 0])
        found = np.concatenate([w.ravel() for w in model.get_weights()])
    finally:
        fastnn.config.set_floatx("float32")
    np.testing.assert_allclose(found, least_squares(X, Y[:, 0].astype(np.float64))[0], rtol=1e-9, atol=1e-11)


def test_frozen_layers_stay():
    model = net()
    model.get_layer("first").trainable = False
    before = model.get_layer("first").get_weights()
    losses = fit(model, 30).history["loss"]
    assert losses[-1] < losses[0]
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_layer("first").get_weights(), strict=True))
    model.get_layer("first").trainable = True  # what is remembered is of other variables now
    assert fit(model, 5).history["loss"][-1] < losses[-1]


# The first step to try, and callbacks


def test_the_learning_rate_is_the_first_step_to_try():
    model = net(Watching(schedules.PiecewiseConstantDecay([2], [0.5, 0.25])))
    fit(model, 5)
    plain = net(Watching(0.5))
    fit(plain, 1)
    (start, _), first = model.optimizer.pairs[0], model.optimizer.tried[0][0]
    assert np.linalg.norm(first.x - start.x) == pytest.approx(0.5 * min(1, np.linalg.norm(start.gradient)), rel=1e-5)
    assert np.array_equal(first.x, plain.optimizer.tried[0][0].x)
    optimizer = LBFGS()
    for (start, end), tried, rate in zip(
        model.optimizer.pairs[:4], model.optimizer.tried, (0.5, 0.5, 0.5, 0.25), strict=False
    ):
        if optimizer._changes:
            np.testing.assert_allclose(tried[0].x, start.x + rate * optimizer.direction(start.gradient), rtol=1e-6)
        s, y = end.x - start.x, end.gradient - start.gradient
        optimizer._changes.append((s, y, dot(s, y)))


def test_far_steps_are_shortened():
    model = net(LBFGS(1e20))
    assert fit(model, 30).history["loss"][-1] < 0.2


def test_the_weights_are_those_of_the_step_that_is_taken():
    """Whatever is tried after it."""

    class Curious(LBFGS):
        def iterate(self, evaluate, *args):
            end = super().iterate(evaluate, *args)
            assert evaluate(end.x + 1).value > end.value
            return end

    model, twin = (net(optimizer, metrics=["mae"]) for optimizer in (Curious(), LBFGS()))
    assert fit(model).history == fit(twin).history
    assert bits(model) == bits(twin)


def test_callbacks():
    model = net(LBFGS(tolerance_change=0.0))
    early = callbacks.EarlyStopping("loss", min_delta=1e-2, patience=2, restore_best_weights=True)
    reduce = callbacks.ReduceLROnPlateau("loss", factor=0.5, min_delta=1e-1, patience=1)
    history = fit(model, 200, callbacks=[early, reduce]).history
    assert model.stop_training and model.optimizer.converged is None and len(history["loss"]) < 200
    assert model.optimizer.learning_rate < 1
    assert early.wait == 2 and early.best == history["loss"][-3]
    assert model.evaluate(X, Y, batch_size=N, verbose=0) == pytest.approx(early.best, rel=1e-6)


def test_what_a_callback_changes_is_seen():
    """Weights, frozen ones too, and what the optimizer has learned of another batch."""

    def changed(change, at=3):
        model = net(Watching())
        model.get_layer("first").trainable = False
        call = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: change(model) if epoch == at else None)
        fit(model, 6, callbacks=[call])
        return model

    def shift(name):
        def change(model):
            layer = model.get_layer(name)
            layer.set_weights([w + 0.125 for w in layer.get_weights()])

        return change

    for change in (shift("first"), shift("last"), lambda model: model.train_on_batch(X[:20], Y[:20])):
        model = changed(change)
        starts, ends = zip(*model.optimizer.pairs, strict=True)
        twin = net()
        twin.get_layer("first").trainable = False
        fit(twin, 4)
        change(twin)
        expected = twin.evaluate(X, Y, batch_size=N, verbose=0)
        assert starts[-2].value == pytest.approx(expected, rel=1e-6) != ends[3].value


def test_other_data_are_seen():
    """Those of another call with equal weights, and those that changed in place between two calls."""
    x, y = (np.concatenate([a, a[:4]]) for a in (X, Y))  # 64 samples: the program of both calls is the same one
    model, expected = net(Watching()), []

    def look(*_):
        expected.append(model.evaluate(x, y, batch_size=64, verbose=0))

    def learn(*_):
        model.train_on_batch(x[::-1] * 2, y)

    fit(model, 3, x, y, callbacks=[callbacks.LambdaCallback(on_epoch_begin=look, on_epoch_end=learn)])
    assert sum(key[0] == "train" for key in model._executors) == 1
    starts = [start.value for start, _ in model.optimizer.pairs[::2]]
    for _ in range(2):
        x *= 0.5
        look()
        fit(model, 1, x, y)
        starts.append(model.optimizer.pairs[-1][0].value)
    np.testing.assert_allclose(starts, expected, rtol=1e-6)


# Where it goes wrong


def poisoned(value):
    x = X.copy()
    x[5, 2] = value
    return x


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_that_are_not_finite(value):
    model = net()
    fit(model, 3)
    before, iterations = bits(model), model.optimizer.iterations
    with pytest.raises(NonFiniteError, match="first in the data"):
        fit(model, 3, x=poisoned(value))
    assert bits(model) == before and model.optimizer.iterations == iterations
    fit(model, 3, x=poisoned(value), on_nonfinite="skip")
    assert bits(model) == before and model.optimizer.iterations == iterations + 3
    assert not model.stop_training and model.optimizer.converged is None
    twin = net()
    fit(twin, 3)
    twin.optimizer.iterations += 3
    fit(model, 3)
    fit(twin, 3)
    assert bits(model) == bits(twin)


def test_an_interruption_leaves_the_weights_of_the_last_iteration(monkeypatch):
    model, twin = net(), net()
    fit(twin, 4)
    calls, run = [], NativeExecutor.run

    def interrupted(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > count:
            raise KeyboardInterrupt
        return run(self, *args, **kwargs)

    watched = net(Watching())
    fit(watched, 5)
    count = 1 + sum(map(len, watched.optimizer.tried[:4])) + 1  # in the middle of the fifth iteration
    tried = watched.optimizer.tried[4]
    monkeypatch.setattr(NativeExecutor, "run", interrupted)
    if len(tried) == 1:  # the next call would be of the sixth
        count -= 1
    with pytest.raises(KeyboardInterrupt):
        fit(model, 100)
    assert bits(model) == bits(twin) and model.optimizer.iterations == 4


def test_without_trainable_weights():
    model = net()
    model.trainable = False
    before = bits(model)
    with pytest.warns(UserWarning, match="no trainable weights"):
        fit(model, 3)
    assert bits(model) == before and model.optimizer.converged == "tolerance_grad"


# As the other optimizers


def test_configuration():
    made = LBFGS(
        schedules.ExponentialDecay(1.0, 10, 0.9),
        history_size=3,
        max_eval=7,
        tolerance_grad=1e-4,
        tolerance_change=1e-5,
        name="mine",
    )
    again = optimizers.deserialize(optimizers.serialize(made))
    assert type(again) is LBFGS and again.get_config() == made.get_config()
    assert made.get_config()["history_size"] == 3 and LBFGS.from_config(LBFGS().get_config()).max_eval == 25
    assert type(optimizers.get("lbfgs")) is type(optimizers.get("LBFGS")) is LBFGS


def test_memory_and_copies():
    model = net(LBFGS(history_size=3))
    assert model.optimizer.count_params() == 0
    fit(model, 6)
    assert len(model.optimizer._changes) == 3
    assert model.optimizer.count_params() == 2 + 2 * 3 * model.count_params()
    copied = copy.deepcopy(model.optimizer)
    assert copied.iterations == 6 and copied.get_config() == model.optimizer.get_config()
    g = RNG.standard_normal(model.count_params())
    assert copied.direction(g).tobytes() == model.optimizer.direction(g).tobytes()
    model.optimizer.forget()
    assert model.optimizer.direction(g).tobytes() == (-g).tobytes() != copied.direction(g).tobytes()


def test_describe_shows_a_program_that_changes_nothing():
    text = net().describe("train", 64)
    assert "U" not in "".join(line[:14] for line in text.splitlines()[2:])
    assert "gradient 0" in text and "check" not in text
