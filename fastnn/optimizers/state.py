"""What optimizers keep from step to step, beside their configuration."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import invalid, show
from ..registry import Configurable
from ..variable import Variable, filled

SLOTS, BESIDE = "slots", "beside"


class State(Configurable):
    """Steps taken, slots of variables, and what is kept beside them: sums of gradients, running means of values."""

    slot_names: tuple[str, ...] = ()

    def _keep_nothing(self) -> None:
        """Be as before the first step."""
        self._iterations = np.zeros(1, np.int64)
        self._slots: dict[int, dict[str, Variable]] = {}
        self.initial_slots: dict[str, float] = {}  # first values of slots that do not begin with 0
        self._beside: dict[tuple[int, str], tuple[Variable, Variable]] = {}  # with the variable
        self._built: list[Variable] = []

    def slots(self, variable: Variable) -> dict[str, Variable]:
        """The slots of a variable; zeros when they are first asked for."""
        if id(variable) not in self._slots:
            made = {}
            for name in self.slot_names:
                value = filled(variable.shape, variable.dtype, self.initial_slots.get(name, 0.0))
                made[name] = Variable(value, trainable=False, name=name, dtype=str(variable.dtype))
                made[name].path = f"{variable.path}/{name}"
            made["variable"] = variable  # kept, so that the id stays its own
            self._slots[id(variable)] = made
        return {name: self._slots[id(variable)][name] for name in self.slot_names}

    def _kept(self, variable: Variable, name: str) -> Variable:
        """What is kept of a variable beside its slots: sums of gradients, the mean of its values. Zeros at first."""
        if (id(variable), name) not in self._beside:
            value = filled(variable.shape, variable.dtype)
            made = Variable(value, trainable=False, name=name, dtype=str(variable.dtype))
            made.path = f"{variable.path}/{name}"
            self._beside[id(variable), name] = made, variable
        return self._beside[id(variable), name][0]

    def build(self, variables: list[Variable]) -> None:
        """Make the slots of variables now; else each gets its own with its first gradient."""
        self._built = checked_list("variables", variables, Variable, "pass model.trainable_variables")
        for variable in self._built:
            self.slots(variable)

    @property
    def built(self) -> bool:
        """Whether there are slots for some variables."""
        return bool(self._slots or self._built)

    # In files

    def state(self, variables: list[Variable]) -> dict[str, np.ndarray]:
        """All arrays that are kept, by names that tell the place of their variable in a list."""
        found = {}
        for i, variable in enumerate(variables):
            if id(variable) in self._slots:
                for name, slot in self.slots(variable).items():
                    found[f"{SLOTS}/{name}/{i}/{variable.path}"] = slot.value
            for (of, name), (kept, _) in self._beside.items():
                if of == id(variable):
                    found[f"{BESIDE}/{name}/{i}/{variable.path}"] = kept.value
        return found

    def restore(
        self,
        variables: list[Variable],
        table: dict[str, tuple[str, tuple[int, ...]]],
        read: Callable[[str, np.ndarray], None],
    ) -> None:
        """Keep again what `state` gave.

        Parameters
        ----------
        variables : list of Variable
        table : dict of str to (dtype, shape)
            Names, types and shapes of the arrays.
        read : callable
            ``read(name, array)`` gives an array the values of the one with this name.

        Raises
        ------
        ValueError
            `state` of such an optimizer gives no such array.
        """
        for name, (dtype, shape) in table.items():
            kind, _, rest = name.partition("/")
            part, _, rest = rest.partition("/")
            place = rest.partition("/")[0]
            expected, fix = f"what {type(self).__name__} keeps of {len(variables)} variables", "use an undamaged file"
            known = {SLOTS: self.slot_names, BESIDE: self._kinds_beside()}.get(kind, ())
            if part not in known or not place.isdecimal() or int(place) >= len(variables):
                raise invalid("array of the optimizer", repr(name), expected, fix)
            variable = variables[int(place)]
            if (dtype, shape) != (str(variable.dtype), variable.shape):
                received = f"{dtype} of shape {shape} in {name!r}"
                expected = f"{variable.dtype} of shape {variable.shape}"
                raise invalid("array of the optimizer", received, expected, fix)
            kept = self.slots(variable)[part] if kind == SLOTS else self._kept(variable, part)
            read(name, kept.value)

    def _kinds_beside(self) -> list[str]:
        """What is kept of each variable beside its slots."""
        return []

    @contextmanager
    def _no_slots_on_error(self) -> Iterator[None]:
        """An error inside leaves no slots that were not there before."""
        known, beside = dict(self._slots), dict(self._beside)
        try:
            yield
        except BaseException:
            self._slots, self._beside = known, beside
            raise


def checked_list(argument: str, value: Any, kind: type, fix: str) -> list[Any]:
    """A list of objects of one class; nothing for None."""
    found = [] if value is None else list(value) if isinstance(value, (list, tuple, set)) else [value]
    if found and (found[0] is value or not all(isinstance(entry, kind) for entry in found)):
        raise invalid(argument, show(value), f"a list of {kind.__name__}", fix, TypeError)
    return found
