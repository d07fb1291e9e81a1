"""Optimizers: how gradients change weights.

The update itself is a row of the table of operations; an optimizer says which one, with which
slots, and which numbers change from step to step.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np

from . import old_spellings, ops, schedules
from .constraints import constrained
from .errors import (
    check_array,
    check_flag,
    check_integer,
    check_name,
    check_number,
    invalid,
    missing_method,
    not_provided,
    show,
    unknown,
)
from .record import Recorder, Symbolic
from .registry import Configurable, make, spellings
from .variable import Variable

# Keras' arguments that are not provided yet, with their defaults
LATER = dict.fromkeys(("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor"))
LATER |= dict.fromkeys(("ema_overwrite_frequency",))
LATER |= {"use_ema": False, "ema_momentum": 0.99}


class Optimizer(Configurable):
    """What optimizers share: learning rate, iterations, slots.

    A subclass names its slots in ``slot_names`` and says in ``update`` how they and the variable change,
    written with `fastnn.ops`, so that training runs it in C.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
        A schedule is called with the iteration, a callable without arguments, before each step.
    name : str, optional
    gradient_accumulation_steps : int, optional
        At least 2: variables change after every so many steps only, by the mean of the gradients of these steps.
    **kwargs
        `decay`, of Keras 1 and 2, which makes the rate an `InverseTimeDecay`. Keras' further arguments, such as
        `weight_decay` and `clipnorm`, are not provided yet.
    """

    slot_names: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: Any,
        *,
        name: str | None = None,
        gradient_accumulation_steps: int | None = None,
        **kwargs: Any,
    ):
        decay = kwargs.pop("decay", None)
        for argument, value in kwargs.items():
            if argument not in LATER:
                known = {*signature(type(self)).parameters} - {"kwargs"}
                raise unknown(f"argument of {type(self).__name__}", argument, known)
            not_provided(LATER[argument], **{argument: value})
        if gradient_accumulation_steps is not None:
            expected, fix = "an integer of at least 2, or None", "leave it out to change the variables in each step"
            argument = "gradient_accumulation_steps"
            check_integer(argument, gradient_accumulation_steps, 2, expected, fix, 2**31 - 1)
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._learning_rate = self._checked_rate(learning_rate)
        if decay:  # with 0, callbacks may change the rate
            self._learning_rate = schedules.InverseTimeDecay(learning_rate, 1, decay)
        if decay is not None:
            old_spellings.warn("decay", "learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)")
        self.name = check_name("name", name) or type(self).__name__.lower()
        self._iterations = np.zeros(1, np.int64)
        self._slots: dict[int, dict[str, Variable]] = {}
        self._gathered: dict[int, tuple[Variable, Variable]] = {}  # sums of gradients, with the variables

    # For subclasses

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        """The new value of a variable, followed by those of its slots.

        Parameters
        ----------
        w, g : array
            The variable and its gradient.
        slots : dict of str to array
            By the names in `slot_names`; zeros before the first step.
        scalars : array of shape (1,)
            What `scalars` gives for the step: the learning rate.

        Returns
        -------
        array, or tuple of arrays
            As many as there are slots and one more, in the order of `slot_names`.

        Examples
        --------
        >>> from fastnn import optimizers, Variable
        >>> class SignSGD(optimizers.Optimizer):
        ...     def update(self, w, g, slots, scalars):
        ...         return w - scalars * ops.sign(g)
        >>> v = Variable([1.0, 2.0])
        >>> SignSGD(0.5).apply_gradients([([3.0, -4.0], v)])
        >>> v.numpy()
        array([0.5, 2.5], dtype=float32)
        """
        raise missing_method(self, "update(self, w, g, slots, scalars)")

    def scalars(self, iteration: int, learning_rate: float) -> float:
        """The number that the update operation takes at an iteration (counted from 0)."""
        return learning_rate

    # For training

    @property
    def iterations(self) -> int:
        """Steps taken so far; with gradient accumulation, changes of the variables."""
        return int(self._iterations[0]) // (self.gradient_accumulation_steps or 1)

    @iterations.setter
    def iterations(self, value: int) -> None:
        expected = "an integer of at least 0 and below 2**62"
        value = check_integer("iterations", value, 0, expected, "pass the number of steps", 2**62 - 1)
        self._iterations[0] = value * (self.gradient_accumulation_steps or 1)

    @property
    def steps_to_gather(self) -> int:
        """Steps before the next one that changes variables: 0 without gradient accumulation."""
        steps = self.gradient_accumulation_steps or 1
        return steps - 1 - int(self._iterations[0]) % steps

    @property
    def learning_rate(self) -> float:
        """The rate of the next step. Setting it replaces a float or callable, not a schedule."""
        return self._rate(int(self._iterations[0]))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        before, after = (isinstance(rate, schedules.LearningRateSchedule) for rate in (self._learning_rate, value))
        if before and not after:
            raise invalid(
                "learning_rate",
                show(value),
                "a schedule, because this optimizer was made with one",
                "make the optimizer with a float if a callback shall change it",
                TypeError,
            )
        self._learning_rate = self._checked_rate(value)

    @property
    def lr(self) -> float:
        """Keras' old spelling of `learning_rate`."""
        old_spellings.warn("lr", "learning_rate")
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        old_spellings.warn("lr", "learning_rate")
        self.learning_rate = value

    def _rate(self, iteration: int) -> float:
        rate = self._learning_rate
        if isinstance(rate, schedules.LearningRateSchedule):
            rate = rate(iteration)
        elif callable(rate):
            rate = rate()
        return check_number("learning_rate", rate, 0, "a finite number of at least 0", "correct what computes it")

    @staticmethod
    def _checked_rate(rate: Any) -> Any:
        if callable(rate) and not isinstance(rate, type):
            return rate
        return check_number(
            "learning_rate",
            rate,
            0,
            "a finite number of at least 0, a schedule or a callable",
            "pass for example 0.001",
        )

    def step_numbers(self, steps: int) -> np.ndarray:
        """The scalars of the next steps, shape (steps, 1)."""
        first = int(self._iterations[0])
        changes = callable(self._learning_rate)
        rates = [self._rate(t) for t in range(first, first + steps)] if changes else [self._rate(first)] * steps
        numbers = np.array(self._scalars(self.iterations, rates))
        expected, fix = "a finite float32", "use a smaller learning rate"
        largest = float(numbers.max(initial=0))
        check_number(f"step of {self.name}", largest, 0, expected, fix, float(np.finfo(np.float32).max))
        return numbers.reshape(steps, 1)

    def _scalars(self, first: int, rates: list[float]) -> Sequence[float]:
        """`scalars` of the steps from an iteration on."""
        return [self.scalars(first + i, rate) for i, rate in enumerate(rates)]

    def slots(self, variable: Variable) -> dict[str, Variable]:
        """The slots of a variable; zeros when they are first asked for."""
        if id(variable) not in self._slots:
            made = {}
            for name in self.slot_names:
                made[name] = Variable(np.zeros(variable.shape), trainable=False, name=name, dtype=str(variable.dtype))
                made[name].path = f"{variable.path}/{name}"
            made["variable"] = variable  # kept, so that the id stays its own
            self._slots[id(variable)] = made
        return {name: self._slots[id(variable)][name] for name in self.slot_names}

    def _sum_of_gradients(self, variable: Variable) -> Variable:
        """Where the gradients of a variable are gathered."""
        if id(variable) not in self._gathered:
            made = Variable(np.zeros(variable.shape), trainable=False, name="gradient", dtype=str(variable.dtype))
            made.path = f"{variable.path}/gradient"
            self._gathered[id(variable)] = made, variable
        return self._gathered[id(variable)][0]

    def count_params(self) -> int:
        """Numbers kept from step to step: the iteration, a rate that is a number, slots; 0 before any step."""
        if not self._slots:
            return 0
        slots = sum(math.prod(kept[name].shape) for kept in self._slots.values() for name in self.slot_names)
        slots += sum(math.prod(gathered.shape) for gathered, _ in self._gathered.values())
        return slots + (1 if callable(self._learning_rate) else 2)

    def record(self, recorder: Recorder, gradients: list[tuple[Symbolic, Variable]], gather_only: bool = False) -> None:
        """Write the update steps of a training step, or of one that only gathers gradients for a later one."""
        scalars = None if gather_only else recorder.step_input("learning rate", 1)
        with self._no_slots_on_error(), recorder.updating():
            for gradient, variable in gradients:
                if self.gradient_accumulation_steps:
                    gathered = recorder.variable(self._sum_of_gradients(variable))
                    gradient = gathered + gradient
                    with recorder.label(variable.path.rpartition("/")[0]):
                        if gather_only:
                            ops.assign(gathered, gradient)
                            continue
                        gradient = gradient / self.gradient_accumulation_steps
                        ops.assign(gathered, ops.zeros_like(gathered))
                slots = {name: recorder.variable(slot) for name, slot in self.slots(variable).items()}
                with recorder.label(variable.path.rpartition("/")[0]):
                    w = recorder.variable(variable)
                    values = self._updated(variable, self.update(w, gradient, slots, scalars))
                    targets = [w, *slots.values()]
                    for k, (target, value) in enumerate(zip(targets, values, strict=True)):
                        if value is not target and any(value is other for other in targets):
                            values[k] = ops.copy(value)  # before it is given a new value itself
                    for target, value in zip(targets, values, strict=True):
                        if value is not target:  # else an operation in place has changed it already
                            ops.assign(target, value)
                    if variable.constraint is not None:
                        ops.assign(w, ops.copy(constrained(variable, w)))

    def apply_gradients(self, grads_and_vars: list[tuple[Any, Variable]]) -> None:
        """Take one step with given gradients.

        Parameters
        ----------
        grads_and_vars : list of (array_like, Variable)
            Gradients of the variables' shapes.

        Raises
        ------
        ValueError
            A gradient of another shape; nothing is changed.
        """
        expected, fix = "a list of pairs (gradient, Variable)", "pass zip(gradients, variables)"
        try:
            pairs = [(g, v) for g, v in grads_and_vars]
        except (TypeError, ValueError):
            raise invalid("grads_and_vars", show(grads_and_vars), expected, fix, TypeError) from None
        for i, (g, v) in enumerate(pairs):
            if not isinstance(v, Variable):
                raise invalid("grads_and_vars", show(v), expected, fix, TypeError)
            pairs[i] = check_array(f"gradient of {v.path!r}", g, v.dtype), v
        for g, v in pairs:
            if g.shape != v.shape:
                raise invalid(f"gradient of {v.path!r}", g, f"shape {v.shape}", "pass one gradient per variable")
        changes: list[tuple[Variable, Any]] = []
        if steps := self.gradient_accumulation_steps:
            sums = [(g + self._sum_of_gradients(v).value, v) for g, v in pairs]
            gather_only = self.steps_to_gather > 0
            changes = [(self._sum_of_gradients(v), g if gather_only else np.zeros_like(g)) for g, v in sums]
            pairs = [] if gather_only else [(g / v.dtype.type(steps), v) for g, v in sums]
        scalars = self.step_numbers(1)[0]
        with self._no_slots_on_error():
            for g, v in pairs:
                slots = self.slots(v)
                values = self.update(v.value, g, {name: s.value for name, s in slots.items()}, scalars.astype(v.dtype))
                copies = [np.array(value) for value in self._updated(v, values)]  # one may be the variable's old value
                if v.constraint is not None:
                    copies[0] = np.array(constrained(v, copies[0]))
                changes += zip((v, *slots.values()), copies, strict=True)
        for target, value in changes:
            target.assign(value)
        self._iterations += 1

    @contextmanager
    def _no_slots_on_error(self) -> Iterator[None]:
        """An error inside leaves no slots that were not there before."""
        known = dict(self._slots)
        try:
            yield
        except BaseException:
            self._slots = known
            raise

    def _updated(self, variable: Variable, values: Any) -> list[Any]:
        """What `update` returned, as a list with the variable's new value first."""
        found = [value for value in (values if isinstance(values, (tuple, list)) else (values,)) if value is not None]
        if len(found) != 1 + len(self.slot_names):
            raise invalid(
                f"update of {type(self).__name__}",
                f"{len(found)} values for {variable.path!r}",
                f"{1 + len(self.slot_names)}: the new value of the variable and of each of its slots",
                "return them as a tuple in the order of slot_names",
            )
        for name, value in zip(("variable", *self.slot_names), found, strict=True):
            if getattr(value, "shape", ()) != variable.shape:
                raise invalid(
                    f"update of {type(self).__name__}",
                    f"{show(value)} as the {name} for {variable.path!r}",
                    f"shape {variable.shape}",
                    "compute element by element, or reduce only what is broadcast again",
                )
        return found

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal optimizer (without its state)."""
        steps = self.gradient_accumulation_steps
        gathering = {} if steps is None else {"gradient_accumulation_steps": steps}
        return {"name": self.name, "learning_rate": self._learning_rate} | gathering


def fraction(argument: str, value: Any) -> float:
    """A number from 0 up to but not including 1."""
    return check_number(
        argument, value, 0, "a number from 0 to below 1", "pass for example 0.9", math.nextafter(1.0, 0.0)
    )


def positive(argument: str, value: Any) -> float:
    """A finite number greater than 0."""
    return check_number(argument, value, math.ulp(0.0), "a positive finite number", "pass for example 1e-7")


def small(epsilon: Any) -> float:
    """What keeps a division from being one by 0; None is 1e-7, as Keras 2 wrote it."""
    return positive("epsilon", 1e-7 if epsilon is None else epsilon)


class SGD(Optimizer):
    """Gradient descent: ``w -= lr * g``, or with momentum ``m = momentum * m - lr * g; w += m``.

    With `nesterov`, ``w += momentum * m - lr * g`` (Nesterov 1983; Sutskever et al. 2013).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.01
    momentum : float, default 0.0
    nesterov : bool, default False
    name : str, optional

    Examples
    --------
    >>> from fastnn import optimizers, Variable
    >>> v = Variable([1.0])
    >>> optimizers.SGD(0.5).apply_gradients([([1.0], v)])
    >>> v.numpy()
    array([0.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.momentum = fraction("momentum", momentum)
        self.nesterov = check_flag("nesterov", nesterov)
        super().__init__(learning_rate, name=name, **kwargs)
        if self.momentum:
            self.slot_names = ("momentum",)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.sgd(w, g, slots.get("momentum"), scalars, momentum=self.momentum, nesterov=int(self.nesterov))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Divide by a running root mean square of the gradients (Tieleman and Hinton 2012).

    ``v = rho v + (1 - rho) g^2;  w -= lr g / sqrt(v + epsilon)``; `centered` subtracts the square of
    the gradients' running mean from v (Graves 2013).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    rho : float, default 0.9
    momentum : float, default 0.0
    epsilon : float, default 1e-7
    centered : bool, default False
    name : str, optional
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.rho, self.momentum = fraction("rho", rho), fraction("momentum", momentum)
        self.epsilon, self.centered = small(epsilon), check_flag("centered", centered)
        super().__init__(learning_rate, name=name, **kwargs)
        self.slot_names = ("velocity", *("momentum",) * bool(self.momentum), *("average",) * self.centered)

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.rmsprop(
            w,
            g,
            slots["velocity"],
            slots.get("momentum"),
            slots.get("average"),
            scalars,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), in the form of the end of its section 2.

    ``m += (g - m)(1 - beta_1);  v += (g^2 - v)(1 - beta_2);  w -= alpha m / (sqrt(v) + epsilon)`` with
    ``alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)``; `amsgrad` uses the largest v so far
    (Reddi et al. 2018).

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 0.001
    beta_1 : float, default 0.9
    beta_2 : float, default 0.999
    epsilon : float, default 1e-7
    amsgrad : bool, default False
    name : str, optional
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.beta_1, self.beta_2 = fraction("beta_1", beta_1), fraction("beta_2", beta_2)
        self.epsilon, self.amsgrad = small(epsilon), check_flag("amsgrad", amsgrad)
        super().__init__(learning_rate, name=name, **kwargs)
        self.slot_names = ("momentum", "velocity", *("velocity_hat",) * self.amsgrad)

    def scalars(self, iteration: int, learning_rate: float) -> float:
        return float(Adam._scalars(self, iteration, [learning_rate])[0])

    def _scalars(self, first: int, rates: list[float]) -> Sequence[float]:
        if type(self).scalars is not Adam.scalars:  # somebody's own
            return super()._scalars(first, rates)
        correction_1, correction_2 = (
            1 - schedules.powers(b, first + 1, len(rates)) for b in (self.beta_1, self.beta_2)
        )
        return np.array(rates) * np.sqrt(correction_2) / correction_1  # type: ignore[return-value]

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        return ops.adam(
            w,
            g,
            slots["momentum"],
            slots["velocity"],
            slots.get("velocity_hat"),
            scalars,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


NAMES = spellings(SGD, RMSprop, Adam, spell=str.lower)

for _optimizer in (Optimizer, SGD, RMSprop, Adam):
    old_spellings.accept(_optimizer, "__init__")


def get(identifier: Any) -> Optimizer:
    """An optimizer by name, class or instance.

    Examples
    --------
    >>> from fastnn import optimizers
    >>> optimizers.get("adam").learning_rate
    0.001
    """
    return make("optimizer", identifier, NAMES, Optimizer)
