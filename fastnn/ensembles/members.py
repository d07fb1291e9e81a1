"""The members of an ensemble: made with seeds of their own, of one architecture, and with one plan for all."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from .. import config
from ..errors import invalid, show
from ..execute import NativeExecutor, NumpyExecutor
from ..initializers import Initializer
from ..layers import base
from ..layers.core import Lambda
from ..models import Model, Sequential
from ..ops.philox import random_bits
from ..optimizers import Optimizer
from ..variable import Variable

Executor = NativeExecutor | NumpyExecutor  # of models whose optimizers search nothing

SEED_STEP = 0x9E3779B9  # odd, so that 2**32 seeds differ
PLAIN = (bool, int, float, str, bytes, type(None), np.generic)

# What models of one architecture may differ in, by class: it is in no program, or `same_program` looks at it by itself.
FREE = {
    base.Layer: {"_nodes", "_output_specs", "_before_build", "_eager_calls"},
    Optimizer: {"name", "_iterations", "_slots", "_beside", "_built", "_not_decayed", "_learning_rate"},
}


def member_seeds(count: int, seed: int | None) -> list[int]:
    """A seed for each member; more members begin with the same ones."""
    key, stream = (config.seed(), config.next_stream()) if seed is None else (seed, 0)
    first = int(random_bits(1, 1, seed=key, stream=stream, iteration=0)[0, 0])
    return [(first + k * SEED_STEP) % 2**32 for k in range(count)]


class Member:
    """A model with its seed.

    Attributes
    ----------
    number, seed : int
    model : Model
    """

    def __init__(self, make: Callable[[], Model], number: int, seed: int):
        """Make the model as after ``set_random_seed(seed)``; Python's and NumPy's generators are left as they were."""
        self.number, self.seed = number, seed
        python, numpy = random.getstate(), np.random.get_state()
        try:
            with config.random_state(seed, 0) as streams:
                random.seed(seed)
                np.random.seed(seed)
                self.model = make()
                self.streams = streams()
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
        if not isinstance(self.model, Model):
            received, fix = f"one that returned {show(self.model)}", "return the compiled model"
            raise invalid("make", received, "a function that returns a model", fix, TypeError)

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Draw what the model draws: weights of layers that are built by the first data, masks, orders of rows."""
        with config.random_state(self.seed, self.streams) as streams:
            yield
            self.streams = streams()


def make_members(make: Any, seeds: list[int]) -> list[Member]:
    """The members, whose layers have the same names."""
    if not callable(make) or isinstance(make, base.Layer):
        fix = "pass for example a function that makes and compiles a Sequential"
        raise invalid("make", show(make), "a function without arguments that returns a compiled model", fix, TypeError)
    members: list[Member] = []
    names = dict(base._names)
    owners: dict[int, int] = {}
    with base.undone_on_error():
        for number, seed in enumerate(seeds):
            base._names.clear()
            base._names.update(names)
            member = Member(make, number, seed)
            model = member.model
            if model._compiled is None:
                received = f"a function whose model {model.name!r} is not compiled"
                raise invalid("make", received, "a compiled model", "call compile() in it")
            optimizer = model.optimizer
            options = {
                "run_eagerly": model.run_eagerly,
                "gradient_accumulation_steps": optimizer.gradient_accumulation_steps,
                f"optimizer {optimizer.name!r}": optimizer.searches,
            }
            for option in (name for name, chosen in options.items() if chosen):
                fix = "leave it out, or train the models one by one"
                raise invalid("make", f"a model with {option}", "one without, for members run side by side", fix)
            for part in (model, *model.layers, model.optimizer):
                if owners.setdefault(id(part), number) != number:
                    received = f"the same {show(part)} for members {owners[id(part)]} and {number}"
                    fix = "make layers, optimizer and model inside the function"
                    raise invalid("make", received, "members with nothing in common", fix)
            members.append(member)
    return members


# One plan


def same_program(a: Model, b: Model) -> bool:
    """Whether two built models certainly have the same programs, without recording them.

    Only of sequences of fastnn's own layers: what others compute is not known from what they hold.
    """
    if not type(a) is type(b) is Sequential or a.build_shape != b.build_shape or a.input_names != b.input_names:
        return False
    if (a._objective is None) != (b._objective is None) or len(a.variables) != len(b.variables):
        return False
    pairs: list[tuple[Any, Any]] = [
        (a._objective, b._objective),
        (a.layers, b.layers),
        (a._trainable_flags(), b._trainable_flags()),
    ]
    penalties: list[Any] = [[(regularizer, v.path) for regularizer, v in m.penalties] for m in (a, b)]
    decays: list[Any] = [[m.optimizer._decays(v) for v in m.trainable_variables] for m in (a, b)]
    pairs += [(penalties[0], penalties[1]), (decays[0], decays[1]), (a.activity_regularizer, b.activity_regularizer)]
    return all(alike(*pair) for pair in pairs)


def alike(a: Any, b: Any) -> bool:
    """Whether two objects certainly say the same about a program."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, PLAIN):
        return bool(a == b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(value, b[key]) for key, value in a.items())
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Variable):
        shown = [(v.shape, v.dtype, v.trainable, v.path, v.constraint) for v in (a, b)]
        return alike(*shown)
    if isinstance(a, Initializer):
        return True  # its values are in the variables
    known = type(a).__module__.startswith(base.PACKAGE) and hasattr(a, "__dict__")
    if isinstance(a, (Model, Lambda)) or not known:
        return False
    free = {name for kind, names in FREE.items() if isinstance(a, kind) for name in names}
    held = [{name: value for name, value in vars(part).items() if name not in free} for part in (a, b)]
    return alike(*held)


def places(model: Model) -> dict[int, tuple[Any, ...]]:
    """Where each variable of a model's programs is, by its id."""
    found: dict[int, tuple[Any, ...]] = {}
    numbers = {id(variable): i for i, variable in enumerate(model.variables)}
    for key, slots in model.optimizer._slots.items():
        found |= {id(slot): (numbers.get(key), name) for name, slot in slots.items() if name != "variable"}
    for (key, name), (kept, _) in model.optimizer._beside.items():
        found[id(kept)] = numbers.get(key), name, None
    return found | {i: (number,) for i, number in numbers.items()}


def at_place(model: Model, place: tuple[Any, ...]) -> Variable:
    """The variable of another model at such a place."""
    variable: Variable = model.variables[place[0]]
    if len(place) == 1:
        return variable
    optimizer: Optimizer = model.optimizer
    return optimizer.slots(variable)[place[1]] if len(place) == 2 else optimizer._kept(variable, place[1])


def adopted(first: Model, executor: Executor, model: Model) -> NativeExecutor | None:
    """An executor of another member's plan, if the programs of the two are certainly the same."""
    if not isinstance(executor, NativeExecutor) or not same_program(first, model):
        return None
    known = places(first)
    found = [known.get(id(variable)) for variable in executor.variables]
    if any(place is None or place[0] is None for place in found):
        return None
    model._adds_losses = first._adds_losses
    return executor.sharing([at_place(model, place) for place in found if place is not None])


def executors(members: list[Member], mode: str, rows: int, arrays: Any, checked: bool = True) -> list[Executor]:
    """The program of a mode for each member, with one plan for all.

    Raises
    ------
    ValueError
        The members have different programs.
    """
    first = members[0].model
    with members[0].seeded():
        leader = first._executor(mode, rows, arrays, checked)
    assert isinstance(leader, Executor)
    found: list[Executor] = [leader]
    for member in members[1:]:
        model = member.model
        with member.seeded():
            own = model._executor(mode, rows, arrays, checked, partial(adopted, first, leader, model))
        assert isinstance(own, Executor)
        difference = compared(leader, own)
        if difference:
            received = f"models with different programs: members {members[0].number} and {member.number} {difference}"
            fix = "let the function make the same layers, losses and kind of optimizer each time"
            raise invalid("make", received, "models of one architecture", fix)
        found.append(own)
    return found


def compared(first: Any, other: Any) -> str:
    """In what the programs of two executors differ; nothing if they do not."""
    if isinstance(first, NativeExecutor) and first.steps is getattr(other, "steps", None):
        return ""
    a, b = first.program, other.program
    for noun, found in {
        "steps": [[step.name for step in p.steps] for p in (a, b)],
        "arrays": [[(area.kind, area.name, area.shape, area.dtype) for area in p.areas] for p in (a, b)],
    }.items():
        if found[0] != found[1]:
            k = next((k for k, (p, q) in enumerate(zip(*found, strict=False)) if p != q), min(map(len, found)))
            shown = [parts[k] if k < len(parts) else "nothing" for parts in found]
            return f"have different {noun}: {shown[0]} and {shown[1]}"
    if isinstance(first, NativeExecutor) and isinstance(other, NativeExecutor):
        sizes = [(p.arena_bytes, p.local_bytes, p.rows) for p in (a, b)]
        if first.steps.tobytes() != other.steps.tobytes() or first.sweeps.tobytes() != other.sweeps.tobytes():
            return "have steps of different shapes or numbers"
        if sizes[0] != sizes[1]:
            return "take memory of different sizes"
        other.steps, other.sweeps = first.steps, first.sweeps
    return ""
