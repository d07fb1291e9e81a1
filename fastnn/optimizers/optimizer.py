"""What optimizers share: learning rate, slots, clipping, weight decay, averages of weights.

The update itself is a row of the table of operations; an optimizer says which one, with which
slots, and which numbers change from step to step.
"""

import math
import re
import warnings
from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np

from .. import old_spellings, ops, schedules
from ..constraints import constrained
from ..errors import (
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
from ..record import Recorder, Symbolic
from ..variable import Variable
from .state import State, checked_list

RATE, DECAY, AVERAGING, OVERWRITING = STEP_INPUTS = "learning rate", "weight decay", "averaging", "overwriting"
CLIPPING = "clipnorm", "clipvalue", "global_clipnorm"


class Optimizer(State):
    """What optimizers share: learning rate, iterations, slots.

    A subclass names its slots in ``slot_names`` and says in ``update`` how they and the variable change,
    written with `fastnn.ops`, so that training runs it in C. Each step ends with the constraints of the variables,
    see `fastnn.constraints`; as in Keras after running means are taken, and also where it only gathers gradients.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
        A schedule is called with the iteration, a callable without arguments, before each step.
    name : str, optional
    weight_decay : float, optional
        At least 0: ``w -= lr * weight_decay * w`` before each update (Loshchilov and Hutter 2019). See
        `exclude_from_weight_decay`.
    clipnorm, clipvalue, global_clipnorm : float, optional
        Greater than 0, at most one of them. Gradients of a larger Euclidean norm are scaled to this one, each
        variable's by itself or (`global_clipnorm`) all together (Pascanu et al. 2013); or each element is cut to
        [-clipvalue, clipvalue].
    use_ema : bool, default False
        Keep a running mean of each variable, ``ema = ema_momentum * ema + (1 - ema_momentum) * w`` after every step,
        and give the variables these values at the end of ``fit`` (Polyak and Juditsky 1992).
    ema_momentum : float, default 0.99
        From 0 to 1.
    ema_overwrite_frequency : int, optional
        The variables get these values after every so many steps, too.
    gradient_accumulation_steps : int, optional
        At least 2: variables change after every so many steps only, by the mean of the gradients of these steps.
    loss_scale_factor : None
        Not provided: float32 does not need it.
    **kwargs
        `decay`, of Keras 1 and 2, which makes the rate an `InverseTimeDecay`.
    """

    scalar_count = 1  # numbers that `scalars` gives for a step
    searches = False  # whether a step evaluates the loss several times, as `fastnn.models.descent` does it

    def __init__(
        self,
        learning_rate: Any,
        *,
        name: str | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: None = None,
        gradient_accumulation_steps: int | None = None,
        **kwargs: Any,
    ):
        decay = kwargs.pop("decay", None)
        for argument in kwargs:
            known = {*signature(type(self)).parameters, *signature(Optimizer).parameters} - {"kwargs"}
            raise unknown(f"argument of {type(self).__name__}", argument, known)
        not_provided(loss_scale_factor=loss_scale_factor)
        self.weight_decay = None if weight_decay is None else not_negative("weight_decay", weight_decay)
        clipping = dict(zip(CLIPPING, (clipnorm, clipvalue, global_clipnorm), strict=True))
        given = [name for name, value in clipping.items() if value is not None]
        if len(given) > 1:
            raise invalid(given[1], show(clipping[given[1]]), f"None beside {given[0]}", "pass only one of them")
        self.clipnorm, self.clipvalue, self.global_clipnorm = (
            None if value is None else positive(name, value) for name, value in clipping.items()
        )
        self.use_ema = check_flag("use_ema", use_ema)
        self.ema_momentum = check_number(
            "ema_momentum", ema_momentum, 0, "a number from 0 to 1", "pass for example 0.99", 1
        )
        if ema_overwrite_frequency is not None:
            expected, fix = "a positive integer, or None", "pass the number of steps"
            check_integer("ema_overwrite_frequency", ema_overwrite_frequency, 1, expected, fix, 2**31 - 1)
        self.ema_overwrite_frequency = ema_overwrite_frequency
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
        self._keep_nothing()
        self._not_decayed: tuple[set[int], str | None] = set(), None
        self.swapped = False  # whether variables and their running means are exchanged

    # For subclasses

    def update(self, w: Any, g: Any, slots: dict[str, Any], scalars: Any) -> Any:
        """The new value of a variable, followed by those of its slots.

        Parameters
        ----------
        w, g : array
            The variable and its gradient.
        slots : dict of str to array
            By the names in `slot_names`; zeros, or what `initial_slots` says, before the first step.
        scalars : array of shape (scalar_count,)
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

    def scalars(self, iteration: int, learning_rate: float) -> float | Sequence[float]:
        """The number, or `scalar_count` numbers, that the update operation takes at an iteration (counted from 0)."""
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
        if isinstance(rate, dict):
            return schedules.deserialize(rate)
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
        """The scalars of the next steps, shape (steps, scalar_count)."""
        return self.step_inputs(steps)[RATE]

    def step_inputs(self, steps: int, gather_only: bool = False) -> dict[str, np.ndarray]:
        """What programs read for the next steps, by name, a row for each."""
        first, found = int(self._iterations[0]), {}
        if not gather_only:
            changes = callable(self._learning_rate)
            rates = [self._rate(t) for t in range(first, first + steps)] if changes else [self._rate(first)] * steps
            numbers = np.array(self._scalars(self.iterations, rates)).reshape(steps, self.scalar_count)
            expected, fix = "a finite float32", "use a smaller learning rate"
            largest = float(numbers.max(initial=0))
            check_number(f"step of {self.name}", largest, 0, expected, fix, float(np.finfo(np.float32).max))
            found[RATE] = numbers
            if self.weight_decay:
                found[DECAY] = 1 - np.array(rates)[:, None] * self.weight_decay
        if self.use_ema:
            taken = (first + np.arange(steps)[:, None]) // (self.gradient_accumulation_steps or 1)
            found[AVERAGING] = np.where(taken == 0, 0.0, self.ema_momentum)  # the first value is that of the variable
            if self.ema_overwrite_frequency:
                found[OVERWRITING] = ((taken + 1) % self.ema_overwrite_frequency == 0).astype(float)
        return found

    def _scalars(self, first: int, rates: list[float]) -> Sequence[float | Sequence[float]]:
        """`scalars` of the steps from an iteration on."""
        return [self.scalars(first + i, rate) for i, rate in enumerate(rates)]

    def exclude_from_weight_decay(
        self, var_list: list[Variable] | None = None, var_names: list[str] | None = None
    ) -> None:
        """Leave variables out of `weight_decay`; before the first step.

        Parameters
        ----------
        var_list : list of Variable, optional
        var_names : list of str, optional
            Variables whose names contain one of these (regular expressions): ``["bias"]`` leaves all biases out.
        """
        if self.built:
            fix = "call it right after making the optimizer"
            raise invalid(
                "exclude_from_weight_decay()", "a call after the first step", "a call before it", fix, RuntimeError
            )
        chosen = checked_list("var_list", var_list, Variable, "pass names as var_names")
        names = checked_list("var_names", var_names, str, "pass for example ['bias']")
        try:
            re.compile("|".join(names))
        except re.error as error:
            raise invalid("var_names", show(names), f"regular expressions ({error})", "pass parts of names") from None
        self._not_decayed = {id(v) for v in chosen}, "|".join(names) or None

    def _decays(self, variable: Variable) -> bool:
        chosen, pattern = self._not_decayed
        return (
            bool(self.weight_decay)
            and id(variable) not in chosen
            and not (pattern and re.search(pattern, variable.name))
        )

    def finalize_variable_values(self, var_list: list[Variable]) -> None:
        """Give variables the running means of their values, with `use_ema`; ``fit`` does it at its end."""
        for variable, average in self._averages(var_list):
            if self.swapped:
                average.assign(variable.value)
            else:
                variable.assign(average.value)
        self.swapped = False

    def swap_averages(self, var_list: list[Variable]) -> None:
        """Exchange variables and their running means, with `use_ema`; the second time all is as before."""
        for variable, average in self._averages(var_list):
            value = variable.numpy()
            variable.assign(average.value)
            average.assign(value)
        self.swapped = not self.swapped

    def _averages(self, var_list: list[Variable]) -> list[tuple[Variable, Variable]]:
        """Variables with their running means, as far as there are any yet."""
        kept = [variable for variable in var_list if (id(variable), "average") in self._beside]
        return [(variable, self._kept(variable, "average")) for variable in kept]

    def count_params(self) -> int:
        """Numbers kept from step to step: the iteration, a rate that is a number, slots; 0 before any step."""
        if not self._slots:
            return 0
        slots = sum(math.prod(kept[name].shape) for kept in self._slots.values() for name in self.slot_names)
        slots += sum(math.prod(kept.shape) for kept, _ in self._beside.values())
        return slots + (1 if callable(self._learning_rate) else 2)

    # One step, written once: on arrays it computes, on symbolic arrays it records

    def _clip_gradients(self, gradients: list[Any]) -> list[Any]:
        """Gradients, limited as `clipnorm`, `clipvalue` or `global_clipnorm` say."""
        if self.clipvalue is not None:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        if self.clipnorm is not None:
            return [g * limit_of_norm(ops.sum(ops.square(g)), self.clipnorm) for g in gradients]
        if self.global_clipnorm is not None and gradients:
            total, *squares = (ops.sum(ops.square(g)) for g in gradients)
            for square in squares:
                total = total + square
            limit = limit_of_norm(total, self.global_clipnorm)
            return [g * limit for g in gradients]
        return gradients

    def _kinds_beside(self) -> list[str]:
        return [*["average"] * self.use_ema, *["gradient"] * bool(self.gradient_accumulation_steps)]

    def _averaged(self, w: Any, average: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
        """The new running mean of a variable, and the variable, overwritten by it if it is time."""
        momentum = inputs[AVERAGING]
        average = momentum * average + (1 - momentum) * w
        return average, ops.where(inputs[OVERWRITING], average, w) if OVERWRITING in inputs else w

    def prepare(self, source: Any, variables: list[Variable], on_nonfinite: str) -> None:
        """Look at what training is about to begin with, and refuse what does not fit; all does by default."""

    def record_assignments(self, recorder: Recorder) -> None:
        """Write the updates that layers asked for."""
        recorder.write_assignments()

    def record(self, recorder: Recorder, gradients: list[tuple[Symbolic, Variable]], gather_only: bool = False) -> None:
        """Write the update steps of a training step, or of one that only gathers gradients for a later one."""
        sizes = {} if gather_only else {RATE: self.scalar_count}
        sizes |= {DECAY: 1} if self.weight_decay and not gather_only else {}
        sizes |= {AVERAGING: 1} if self.use_ema else {}
        sizes |= {OVERWRITING: 1} if self.use_ema and self.ema_overwrite_frequency else {}
        inputs = single({name: recorder.step_input(name, size) for name, size in sizes.items()})
        variables = [variable for _, variable in gradients]
        with self._no_slots_on_error(), recorder.updating():
            found = [self._gather(recorder, g, v, gather_only) for g, v in gradients]
            if not gather_only:
                found = self._clip_gradients(found)
            for gradient, variable in zip(found, variables, strict=True):
                with recorder.label(variable.path.rpartition("/")[0]):
                    if not gather_only:
                        self._record_update(recorder, gradient, variable, inputs)
                    if self.use_ema:
                        w, average = (recorder.variable(v) for v in (variable, self._kept(variable, "average")))
                        mean, value = self._averaged(w, average, inputs)
                        ops.assign(average, mean)
                        if value is not w:
                            ops.assign(w, value)
                    if variable.constraint is not None:
                        w = recorder.variable(variable)
                        value = constrained(variable, w)
                        if value is not w:
                            ops.assign(w, value)

    def _gather(self, recorder: Recorder, gradient: Symbolic, variable: Variable, gather_only: bool) -> Any:
        """Add a gradient to those of the steps before; what the variable then changes by."""
        if not self.gradient_accumulation_steps:
            return gradient
        with recorder.label(variable.path.rpartition("/")[0]):
            gathered = recorder.variable(self._kept(variable, "gradient"))
            total = gathered + gradient
            if gather_only:
                ops.assign(gathered, total)
                return None
            mean = total / self.gradient_accumulation_steps
            ops.assign(gathered, ops.zeros_like(gathered))
            return mean

    def _record_update(self, recorder: Recorder, gradient: Any, variable: Variable, inputs: dict[str, Any]) -> None:
        slots = {name: recorder.variable(slot) for name, slot in self.slots(variable).items()}
        w = recorder.variable(variable)
        if self._decays(variable):
            ops.assign(w, w * inputs[DECAY])
        values = self._updated(variable, self.update(w, gradient, slots, inputs[RATE]))
        targets = [w, *slots.values()]
        for k, (target, value) in enumerate(zip(targets, values, strict=True)):
            if value is not target and any(value is other for other in targets):
                values[k] = ops.copy(value)  # before it is given a new value itself
        for target, value in zip(targets, values, strict=True):
            if value is not target:  # else an operation in place has changed it already
                ops.assign(target, value)

    def apply(self, grads: list[Any], trainable_variables: list[Variable] | None = None) -> None:
        """Take one step with given gradients; without variables, those that `build` was called with."""
        variables, fix = self._built, "pass model.trainable_variables"
        if trainable_variables is not None:
            variables = checked_list("trainable_variables", trainable_variables, Variable, fix)
        if not isinstance(grads, (list, tuple)):
            raise invalid("grads", show(grads), "a list of gradients", "pass one gradient per variable", TypeError)
        if len(grads) != len(variables):
            fix = "pass one gradient per variable" if variables else "pass the variables, or call build() first"
            raise invalid("grads", f"{len(grads)} gradients", f"{len(variables)}, one for each variable", fix)
        self.apply_gradients(list(zip(grads, variables, strict=True)))

    def apply_gradients(self, grads_and_vars: list[tuple[Any, Variable]]) -> None:
        """Take one step with given gradients.

        Parameters
        ----------
        grads_and_vars : list of (array_like, Variable)
            Gradients of the variables' shapes. A variable whose gradient is None stays as it is, with a warning.

        Raises
        ------
        ValueError
            A gradient of another shape, or none at all; nothing is changed.
        """
        pairs = checked_pairs(grads_and_vars)
        changes: list[tuple[Variable, Any]] = []
        gather_only = self.steps_to_gather > 0
        if steps := self.gradient_accumulation_steps:
            sums = [(g + self._kept(v, "gradient").value, v) for g, v in pairs]
            changes = [(self._kept(v, "gradient"), g if gather_only else np.zeros_like(g)) for g, v in sums]
            pairs = [(g / v.dtype.type(steps), v) for g, v in sums]
        inputs = {name: numbers[0] for name, numbers in self.step_inputs(1, gather_only).items()}
        with self._no_slots_on_error(), np.errstate(all="ignore"):
            clipped = self._clip_gradients([g for g, _ in pairs]) if not gather_only else [g for g, _ in pairs]
            for g, (_, v) in zip(clipped, pairs, strict=True):
                numbers = single({name: number.astype(v.dtype) for name, number in inputs.items()})
                new = {"w": v.value}
                if not gather_only:
                    w = v.value * numbers[DECAY] if self._decays(v) else v.value
                    slots = self.slots(v)
                    values = self.update(w, g, {name: s.value for name, s in slots.items()}, numbers[RATE])
                    new["w"], *kept = map(
                        np.array, self._updated(v, values)
                    )  # one may be the old value of the variable
                    changes += zip(slots.values(), kept, strict=True)
                if self.use_ema:
                    average = self._kept(v, "average")
                    mean, new["w"] = self._averaged(new["w"], average.value, numbers)
                    changes.append((average, mean))
                if v.constraint is not None:
                    new["w"] = np.array(constrained(v, new["w"]))
                changes.append((v, new["w"]))
        for target, value in changes:
            target.assign(value)
        self._iterations += 1

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
        rate = self._learning_rate
        if isinstance(rate, schedules.LearningRateSchedule):
            rate = schedules.serialize(rate)
        names = "weight_decay", *CLIPPING, "use_ema", "ema_momentum", "ema_overwrite_frequency"
        kept = {name: getattr(self, name) for name in (*names, "gradient_accumulation_steps")}
        return {"name": self.name, "learning_rate": rate} | kept


def single(inputs: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a step: those of the update in one axis, all others without, so that no variable gets an axis."""
    return {name: value if name == RATE else ops.reshape(value, ()) for name, value in inputs.items()}


def limit_of_norm(square: Any, largest: float) -> Any:
    """The factor that gives what has this square of a norm a norm of at most `largest`."""
    return largest / ops.maximum(ops.sqrt(square), largest)


def checked_pairs(grads_and_vars: Any) -> list[tuple[np.ndarray, Variable]]:
    """Gradients as arrays of the types and shapes of their variables; without those that are None."""
    expected, fix = "a list of pairs (gradient, Variable)", "pass zip(gradients, variables)"
    try:
        pairs = [(g, v) for g, v in grads_and_vars]
    except (TypeError, ValueError):
        raise invalid("grads_and_vars", show(grads_and_vars), expected, fix, TypeError) from None
    for _, v in pairs:
        if not isinstance(v, Variable):
            raise invalid("grads_and_vars", show(v), expected, fix, TypeError)
    missing = [v.path for g, v in pairs if g is None]
    if missing and len(missing) == len(pairs):
        raise invalid("grads_and_vars", "None for every variable", "a gradient for one of them", "compute them first")
    found = [(check_array(f"gradient of {v.path!r}", g, v.dtype), v) for g, v in pairs if g is not None]
    for g, v in found:
        if g.shape != v.shape:
            raise invalid(f"gradient of {v.path!r}", g, f"shape {v.shape}", "pass one gradient per variable")
    if missing:
        warnings.warn(f"no gradients for the variables {', '.join(missing)}, which stay as they are", stacklevel=3)
    return found


def fraction(argument: str, value: Any) -> float:
    """A number from 0 up to but not including 1."""
    return check_number(
        argument, value, 0, "a number from 0 to below 1", "pass for example 0.9", math.nextafter(1.0, 0.0)
    )


def positive(argument: str, value: Any) -> float:
    """A finite number greater than 0."""
    return check_number(argument, value, math.ulp(0.0), "a positive finite number", "pass for example 1e-7")


def not_negative(argument: str, value: Any) -> float:
    """A finite number of at least 0."""
    return check_number(argument, value, 0, "a finite number of at least 0", "pass for example 0.01")


def small(epsilon: Any) -> float:
    """What keeps a division from being one by 0; None is 1e-7, as Keras 2 wrote it."""
    return positive("epsilon", 1e-7 if epsilon is None else epsilon)
