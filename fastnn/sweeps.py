"""Which steps the threads can do without meeting, and the order in which that leaves the fewest meetings.

Where the rows of a step's outputs need the same rows of its inputs only, a thread can do several such steps on its own
rows, one block after the other. These steps are a *sweep*: over the rows of the batch for a layer and its activation,
over the rows of the weights for a gradient and the update that it is for. What such steps hand to one another
stays in memory of the thread itself. Sweeps that need nothing of each other form a *phase*; the threads meet
between phases. The phase of a step is the earliest one that what it reads, and what it overwrites, allows.
"""

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .ops.layout import Layout, Shape, row_major
from .ops.table import OPS
from .program import DATA, LOCAL, Buffer, Program, Step, Sweep

# Costs count operations and bytes, which weigh about the same; one core does some fifty thousand per microsecond.
SHARED_PHASE_COST = 150_000  # a cheaper phase is done sooner by one thread than by several that have to meet
SERIAL_STEP_COST = 400_000  # a step that cannot be cut by rows and is cheaper than this is left to one thread
SERIAL_UPDATE_COST, SERIAL_UPDATE_SHARE = 800_000, 2 / 3  # of one variable, and of its phase: see `left_to_leader`

WHOLE_BYTES = 3 << 18  # larger arrays are not read whole by each thread: they would not stay in its cache
BLOCK_BYTES = 192 << 10  # of all arrays that a sweep goes through on one block of rows: they stay in the cache
BATCH_BLOCK, WEIGHT_BLOCK = 64, 8  # rows that a block has at least: whole tiles, and enough for what is read whole


@dataclass
class Use:
    """What a step does with an array: `by_row` if rows of its sweep touch the same rows of the array only."""

    root: int
    by_row: bool
    written: bool


@dataclass(eq=False)
class Group:
    """A sweep in the making."""

    phase: int
    shape: Shape
    serial: bool
    update: bool
    steps: list[int] = field(default_factory=list)
    joined: "Group | None" = None

    def now(self) -> "Group":
        """The group that this one has become a part of."""
        return self if self.joined is None else self.joined.now()


def root_of(program: Program, i: int) -> int:
    """The buffer whose memory buffer i is or shows."""
    root = program.buffers[i].root
    return i if root is None else root


def layout_of(buffer: Buffer) -> Layout:
    """Where the elements of a buffer lie in its root."""
    return buffer.layout or row_major(buffer.shape)


def divided(program: Program, step: Step) -> tuple[Shape, tuple[int | None, ...]]:
    """The rows that a sweep over a step divides, and along which axis each input goes with them.

    Returns
    -------
    shape : tuple
        ``(rows,)``, None for those of the batch; ``()`` if the step cannot be given some of the rows.
    axes : tuple of int or None
        None for an input that is needed whole.
    """
    row, nothing = OPS[step.op], (None,) * len(step.ins)
    shapes: list[Any] = [None if i is None else program.buffers[i].shape for i in step.ins]
    made = [program.buffers[i].shape for i in step.outs] or shapes[:1]
    if row.access is None or row.serial or () in made or len({shape[0] for shape in made if shape}) != 1:
        return (), nothing
    axes, whole = row.access(shapes, made, **step.attrs), 0
    if axes is None:
        return (), nothing
    for i, shape, axis in zip(step.ins, shapes, axes, strict=True):
        if shape is not None and axis is not None and (not shape or shape[axis] != made[0][0]):
            return (), nothing
        if i is not None and axis is None and not is_data(program, i):
            whole += program.buffers[i].nbytes(program.rows)
    return (made[0][:1], axes) if whole <= WHOLE_BYTES else ((), nothing)


def axes_in(program: Program, sweep: Sweep, step: Step) -> tuple[int | None, ...]:
    """Along which axis each input of a step goes with the rows of its sweep."""
    return divided(program, step)[1] if sweep.shape else (None,) * len(step.ins)


def is_data(program: Program, i: int) -> bool:
    """Whether a buffer is a data set, of which a step reads some rows only."""
    area = program.buffers[i].area
    return area is not None and program.areas[area].kind == DATA


def uses(program: Program, step: Step, axes: tuple[int | None, ...]) -> list[Use]:
    """The arrays that a step touches."""
    found = []
    for i, axis in zip(step.ins, axes, strict=True):
        if i is not None:
            root, layout = program.buffers[root_of(program, i)], layout_of(program.buffers[i])
            same_rows = axis == 0 and layout.shape[:1] == root.shape[:1]
            by_row = same_rows and layout.strides[0] == row_major(root.shape).strides[0]
            found.append(Use(root_of(program, i), by_row, False))
    return found + [Use(root_of(program, i), True, True) for i in step.outs]


def step_cost(program: Program, step: Step) -> float:
    """Operations and bytes of a step on a full batch."""
    return sum(program.work(step, program.rows))


def left_to_one(program: Program, step: Step, force_threads: bool) -> bool:
    """Whether one thread does a step alone if it cannot be cut by rows."""
    return OPS[step.op].serial or (not force_threads and step_cost(program, step) < SERIAL_STEP_COST)


def left_to_leader(group: "Group", cost: float, phase_cost: float, force_threads: bool) -> bool:
    """Whether one thread does a sweep alone.

    Threads that share the update of a kernel all read what the other ones have written of the batch. Where the update
    is cheap, that costs more than the work, and they share the variables instead.
    """
    if group.serial or not group.update or not group.shape or force_threads:
        return group.serial
    return cost < SERIAL_UPDATE_COST and cost < SERIAL_UPDATE_SHARE * phase_cost


def leaders(costs: dict[int, float]) -> dict[int, int]:
    """The threads that do sweeps of these costs alone: as much for the even as for the odd ones, which may be two."""
    found: dict[int, int] = {}
    loads, counts = [0.0, 0.0], [0, 0]
    for sweep, cost in sorted(costs.items(), key=lambda item: -item[1]):
        odd = loads.index(min(loads))
        found[sweep] = 2 * counts[odd] + odd
        loads[odd], counts[odd] = loads[odd] + cost, counts[odd] + 1
    return found


def defer(program: Program) -> None:
    """Make what only updates read a part of the update: gradients of weights can then be made where they are used."""
    checked = any(OPS[step.op].kind == "check" for step in program.steps)
    needed: set[int] = set()
    overwritten: set[int] = set()
    for step in reversed(program.steps):
        ins, outs = ({root_of(program, i) for i in numbers if i is not None} for numbers in (step.ins, step.outs))
        inside = outs and all(program.buffers[i].area is None and program.buffers[i].shape[:1] != (None,) for i in outs)
        if checked and inside and not needed & outs and not overwritten & ins:
            step.update = True
        if not step.update:
            needed |= ins
            overwritten |= outs


class Schedule:
    """Takes steps in an order in which they could run, and puts each into the earliest phase there is for it."""

    def __init__(self, program: Program, force_threads: bool):
        self.program, self.force_threads = program, force_threads
        self.groups: list[Group] = []
        self.history: dict[int, list[tuple[Group, Use]]] = {}

    def add(self, number: int, first_phase: int) -> Group:
        """Find a group for a step, not before a phase."""
        step = self.program.steps[number]
        shape, axes = divided(self.program, step)
        cheap = left_to_one(self.program, step, self.force_threads)
        forms = [(shape, False)] * bool(shape) + [((), True)] * cheap + [((), False)] * (not OPS[step.op].serial)
        touched = uses(self.program, step, axes)
        best: tuple[int, list[Group], tuple[Shape, bool]] | None = None
        for form in forms:
            phase, partners = self._earliest(touched, form, step.update, first_phase)
            if best is None or phase < best[0]:
                best = phase, partners, form
        assert best is not None
        phase, partners, form = best
        group = self._group(phase, partners, form, step.update)
        group.steps.append(number)
        for use in touched:
            self.history.setdefault(use.root, []).append((group, use))
        return group

    def _earliest(
        self, touched: list[Use], form: tuple[Shape, bool], update: bool, first_phase: int
    ) -> tuple[int, list[Group]]:
        """The phase in which a step of this form can be, and the groups there that it has to be a part of."""
        phase, partners = first_phase, {}
        for use in touched:
            for group, other in self.history.get(use.root, ()):
                if not (use.written or other.written):
                    continue
                group = group.now()
                same_rows = form[0] and use.by_row and other.by_row
                together = (group.shape, group.serial) == form and group.update == update and (same_rows or form[1])
                phase = max(phase, group.phase if together else group.phase + 1)
                if together:
                    partners[id(group)] = group
        return phase, [group for group in partners.values() if group.phase == phase]

    def _group(self, phase: int, partners: list[Group], form: tuple[Shape, bool], update: bool) -> Group:
        """One group made of the partners, or the one of all rows of the batch, or a new one."""
        if form == ((None,), False):
            partners = [g for g in self.groups if (g.phase, g.shape, g.update) == (phase, (None,), update)]
        if not partners:
            self.groups.append(Group(phase, *form, update))
            return self.groups[-1]
        group = min(partners, key=self.groups.index)
        for other in partners:
            if other is not group:
                other.joined = group
                group.steps = sorted(group.steps + other.steps)
                self.groups.remove(other)
        return group


def schedule(program: Program, force_threads: bool) -> list[Group]:
    """Group the steps, the groups in an order in which they can run."""
    made = Schedule(program, force_threads)
    numbers = range(len(program.steps))
    checked = 0  # the first phase in which all checks are done
    for number in numbers:
        if not program.steps[number].update:
            group = made.add(number, 0)
            if OPS[program.steps[number].op].kind == "check":
                checked = max(checked, group.phase + 1)
    for number in numbers:
        if program.steps[number].update:
            made.add(number, checked)
    return sorted(made.groups, key=lambda g: (g.phase, g.update, g.shape != (None,), g.steps[0]))


def one_by_one(program: Program, force_threads: bool) -> list[Group]:
    """Each step a phase of its own, in the order of the recording."""
    return [
        Group(number, (), left_to_one(program, step, force_threads), step.update, [number])
        for number, step in enumerate(program.steps)
    ]


def make_sweeps(program: Program, stepwise: bool, force_threads: bool) -> list[int]:
    """Order the steps of a program, whose buffers are not placed yet, and group them into sweeps.

    Parameters
    ----------
    program : Program
    stepwise : bool
        Whether each step shall run by itself, so that one can look at the memory between them.
    force_threads : bool
        Share every phase among the threads, however small it is.

    Returns
    -------
    list of int
        The phase of each step.
    """
    if not stepwise:
        defer(program)
    groups = (one_by_one if stepwise else schedule)(program, force_threads)
    steps, phases = program.steps, []
    program.steps, program.sweeps = [], []
    alone, updating = True, False
    for phase, members in itertools.groupby(groups, key=lambda group: group.phase):
        parts = list(members)
        costs = [sum(step_cost(program, steps[n]) for n in group.steps) for group in parts]
        cost = sum(costs)
        small = not force_threads and cost < SHARED_PHASE_COST
        # All threads read behind a barrier whether there is an update; else those of a small phase follow one another.
        begins = not updating and any(group.update for group in parts)
        meet = bool(program.sweeps) and (begins or not (alone and small))
        serial = [small or left_to_leader(group, costs[i], cost, force_threads) for i, group in enumerate(parts)]
        leading = leaders({i: costs[i] for i in range(len(parts)) if serial[i] and not small})
        for i, group in enumerate(parts):
            own = [steps[n] for n in group.steps]
            shape = () if small else group.shape
            program.sweeps.append(Sweep(len(own), shape, 0, meet, serial[i], leading.get(i, 0), group.update))
            program.steps += own
            phases += [phase] * len(own)
            meet = False
        alone, updating = small, updating or begins
    return phases


def find_local(program: Program) -> dict[int, int]:
    """The buffers that live in one sweep only and row by row, with the number of the sweep."""
    homes: dict[int, int | None] = {}
    for number, (sweep, steps) in enumerate(program.grouped()):
        for step in steps:
            for use in uses(program, step, axes_in(program, sweep, step)):
                inside = sweep.shape and use.by_row and homes.get(use.root, number) == number
                homes[use.root] = number if inside else None
    return {i: home for i, home in homes.items() if home is not None and program.buffers[i].area is None}


def row_bytes(buffer: Buffer) -> int:
    """Bytes from one row of a buffer in one piece to the next."""
    return math.prod(buffer.shape[1:]) * np.dtype(buffer.dtype).itemsize


def choose_blocks(program: Program) -> None:
    """Give each sweep over rows blocks of a size that stays in the cache."""
    for sweep, steps in program.grouped():
        if sweep.shape:
            touched = {u.root for s in steps for u in uses(program, s, divided(program, s)[1]) if u.by_row}
            each = sum(row_bytes(program.buffers[i]) for i in touched)
            least = BATCH_BLOCK if sweep.shape == (None,) else WEIGHT_BLOCK
            sweep.block = max(1, BLOCK_BYTES // max(each, 1) // least) * least


def arguments(program: Program, step: Step, sweep: Sweep) -> list[tuple[Any, int]]:
    """The buffers that a kernel gets, and how many bytes further each is with every row of the sweep."""
    ins = zip(step.ins, axes_in(program, sweep, step), strict=True)
    outs = [] if OPS[step.op].inplace else [(i, 0 if sweep.shape else None) for i in step.outs]
    found = []
    for i, axis in [*ins, *outs]:
        stride = 0
        if i is not None and axis is not None and program.areas[program.buffers[i].area].kind != LOCAL:
            buffer = program.buffers[i]
            stride = layout_of(buffer).strides[axis] * np.dtype(buffer.dtype).itemsize
        found.append((i, stride))
    return found
