"""The planner: from a recorded Program to one that an executor can run.

Each pass takes the steps and returns fewer, fused or annotated ones; none of them changes a value.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from .errors import invalid
from .ops.layout import Batch, Layout, Shape, Total, elements, row_major
from .ops.table import OPS, concrete
from .program import ALIGNMENT, ARENA, LOCAL, Area, Buffer, Program, Step, Sweep
from .sweeps import axes_in, choose_blocks, find_local, layout_of, make_sweeps, root_of, row_bytes

ADDRESSABLE = 2**63  # offsets and sizes are signed 64-bit numbers in C


def plan(recorded: Program, force_threads: bool = False, stepwise: bool = False) -> Program:
    """Return the planned copy of a recorded program.

    Parameters
    ----------
    recorded : Program
    force_threads : bool
        Share every step among the threads, however small it is.
    stepwise : bool
        Run each step by itself, in the order of the recording, and check gradients instead of proving them finite:
        slower, but what a step leaves in memory can be looked at, and its checks are exact. By default a run stops
        before a batch that it cannot prove finite, and this plan has to take that one over.

    Raises
    ------
    ValueError
        If the arrays of one batch are larger than any memory.
    """
    program = recorded.copy()
    check_sizes(program)
    program.steps = drop_dead(program)
    program.steps = merge_twins(program)
    program.steps = drop_dead(program)
    program.steps = fuse_biases(program)
    program.steps = fuse_epilogues(program)
    program.steps = write_through(program)
    if not stepwise:
        prove_finite(program)
    resolve_views(program)
    place(program, make_sweeps(program, stepwise, force_threads))
    return program


def check_sizes(program: Program) -> None:
    """Refuse buffers that together take more bytes than a 64-bit number counts."""
    total = sum(buffer.nbytes(program.rows) for buffer in program.buffers)
    if total >= ADDRESSABLE:
        raise invalid(
            "model",
            f"{total:,} bytes for batches of {program.rows} rows",
            "fewer than 2**63 bytes",
            "use smaller batches or smaller layers",
        )


def drop_dead(program: Program) -> list[Step]:
    """Drop steps whose outputs nothing needs; bound memory and checks are always needed."""
    needed: set[int] = set()
    kept = []
    for step in reversed(program.steps):
        external = any(program.buffers[i].area is not None for i in step.outs)
        if external or not step.outs or needed & set(step.outs):
            needed.update(i for i in step.ins if i is not None)
            kept.append(step)
    return kept[::-1]


def merge_twins(program: Program) -> list[Step]:
    """Let a step that computes another operation's result on the side stand in for it.

    Softmax cross-entropy gives the probabilities too, so the softmax before it becomes dead.
    """
    replacement: dict[int, int] = {}
    results: dict[tuple[str, int | None], int] = {}
    for step in program.steps:
        step.ins = tuple(replacement.get(i, i) if i is not None else None for i in step.ins)
        also = OPS[step.op].also
        if also:
            output, name = also
            twin = results.get((name, step.ins[0]))
            if twin is not None and program.buffers[twin].area is None:
                replacement[twin] = step.outs[output]
        elif len(step.outs) == 1:
            results[step.op, step.ins[0] if step.ins else None] = step.outs[0]
    return program.steps


def shown_by_views(program: Program) -> dict[int, int]:
    """For each view the number of the buffer whose memory it shows."""
    shown: dict[int, int] = {}
    for step in program.steps:
        if OPS[step.op].view and step.ins[0] is not None:
            shown[step.outs[0]] = shown.get(step.ins[0], step.ins[0])
    return shown


def fuse_biases(program: Program) -> list[Step]:
    """Make ``x @ w + b`` the one kernel that a dense layer is, unless x or w changes before the bias is added."""
    readers = Counter(i for step in program.steps for i in step.ins)
    shown = shown_by_views(program)
    makers: dict[int, Step] = {}
    kept: list[Step] = []
    for step in program.steps:
        for i, bias in (step.ins, step.ins[::-1]) if step.op == "add" else ():
            maker = makers.get(i) if i is not None else None
            if (
                maker is not None
                and bias is not None
                and maker.op == "dense"
                and maker.ins[2] is None
                and readers[i] == 1
                and program.buffers[i].area is None
                and program.buffers[bias].shape == program.buffers[i].shape[-1:]
                and not any(shown.get(j, j) in s.outs for j in maker.ins if j is not None for s in after(kept, maker))
            ):
                kept = [s for s in kept if s is not maker]  # the bias may have been made after it
                label = step.label or maker.label
                step = replace(step, op="dense", ins=(*maker.ins[:2], bias), attrs=maker.attrs, label=label)
                break
        kept.append(step)
        makers.update(dict.fromkeys(step.outs, step))
    return kept


def after(steps: list[Step], step: Step) -> list[Step]:
    """The steps behind one of them."""
    return steps[next(number for number, s in enumerate(steps) if s is step) + 1 :]


def fuse_epilogues(program: Program) -> list[Step]:
    """Move a function of single elements into the step before it, if only it reads that output."""
    readers = Counter(i for step in program.steps for i in step.ins)
    makers: dict[int, Step] = {}
    kept = []
    for step in program.steps:
        maker = makers.get(step.ins[0]) if step.ins and step.ins[0] is not None else None
        if (
            maker is not None
            and OPS[maker.op].epilogue
            and maker.epilogue is None
            and OPS[step.op].maps
            and readers[maker.outs[0]] == 1
            and program.buffers[maker.outs[0]].area is None
        ):
            maker.epilogue = (step.op, step.attrs)
            maker.outs = step.outs
            step = maker
        else:
            kept.append(step)
        makers.update(dict.fromkeys(step.outs, step))
    return kept


def write_through(program: Program) -> list[Step]:
    """Let a step on single elements write where its result is assigned, instead of having it copied there.

    The step itself may read the target, element by element, but not through a view; between the two nobody
    else may touch it, and whoever reads the result reads the target from then on.
    """
    shown = shown_by_views(program)
    made: dict[int, int] = {}
    dropped = set()
    for number, step in enumerate(program.steps):
        if step.op == "assign" and step.ins[1] in made:
            target, source = step.ins
            at = made[source]
            maker, between, after = program.steps[at], program.steps[at + 1 : number], program.steps[number + 1 :]
            if (
                OPS[maker.op].dims is elements
                and not OPS[maker.op].view
                and maker.update == step.update
                and program.buffers[source].area is None
                and program.buffers[source].shape == program.buffers[target].shape
                and not any(shown.get(i) == target for i in maker.ins if i is not None)
                and not any(shown.get(i, i) == target for s in between for i in (*s.ins, *s.outs) if i is not None)
                and not any(target in s.outs for s in after)
            ):
                maker.outs = (target,)
                dropped.add(number)
                for other in between + after:
                    other.ins = tuple(target if i == source else i for i in other.ins)
        made.update(dict.fromkeys(step.outs, number))
    return [step for number, step in enumerate(program.steps) if number not in dropped]


def prove_finite(program: Program) -> None:
    """Check the factors of gradients of weights instead of the gradients, which then need not be kept.

    A gradient is a product summed over the batch: it is finite if its factors are not too large, as they never are
    but in a training that diverges.
    """
    makers: dict[Any, Step] = {i: step for step in program.steps for i in step.outs}

    def checked(step: Step, by: str) -> Step | None:
        """The step of an operation whose result this one checks."""
        maker = makers.get(step.ins[0]) if step.op == "check_finite" else None
        return maker if maker is not None and maker.op == by else None

    def over_batch(maker: Step | None) -> bool:
        return maker is not None and program.buffers[maker.ins[1]].shape[:1] == (None,)

    products = {
        id(step): step_of for step in program.steps if over_batch(step_of := checked(step, "dense_grad_kernel"))
    }
    summed = {maker.ins[1] for maker in products.values() if maker}
    kept: list[Step] = []
    for step in program.steps:
        product, bias = products.get(id(step)), checked(step, "dense_grad_bias")
        if product is not None:
            kept.append(replace(step, op="check_product", ins=product.ins))
        elif bias is None or bias.ins[0] not in summed:  # else the check of the product includes it
            kept.append(step)
    program.steps = kept


def outlived(program: Program) -> set[int]:
    """The views that are still read when, or after, the variable that they show gets a new value."""
    shown = shown_by_views(program)
    made: dict[int, int] = {}
    written: dict[int, int] = {}
    found = set()
    for number, step in enumerate(program.steps):
        for i in step.ins:
            if i in shown and (shown[i] in step.outs or written.get(shown[i], -1) > made[i]):
                found.add(i)
        (made if OPS[step.op].view else written).update(dict.fromkeys(step.outs, number))
    return found


def resolve_views(program: Program) -> None:
    """Drop the steps that only show an array in another way.

    A copy takes its place where a kernel needs the array in one piece, or somebody its old value.
    """
    kept: list[Step] = []
    copies: dict[int, int] = {}
    old = outlived(program)

    def layout(i: int) -> Layout:
        return program.buffers[i].layout or row_major(program.buffers[i].shape)

    def in_one_piece(i: int, label: str) -> int:
        if i not in copies:
            buffer = program.buffers[i]
            program.buffers.append(Buffer(buffer.shape, buffer.dtype))
            copies[i] = len(program.buffers) - 1
            kept.append(Step("copy", (i,), (copies[i],), label=label))
        return copies[i]

    for step in program.steps:
        row = OPS[step.op]
        step.ins = tuple(copies[i] if i in old else i for i in step.ins)
        if row.view is None:
            step.ins = tuple(
                i if i is None or row.reads(k, layout(i), step.attrs) else in_one_piece(i, step.label)
                for k, i in enumerate(step.ins)
            )
            kept.append(step)
            continue
        source, out = step.ins[0], program.buffers[step.outs[0]]
        shown = row.view([layout(source)], out.shape, **step.attrs)
        if shown is None:
            source = in_one_piece(source, step.label)
            step.ins = (source, *step.ins[1:])
            shown = row.view([layout(source)], out.shape, **step.attrs)
        root = program.buffers[source].root
        out.view, out.root, out.layout = step, source if root is None else root, shown
        if step.outs[0] in old:
            in_one_piece(step.outs[0], step.label)
    program.steps = kept


def place(program: Program, phases: list[int]) -> None:
    """Give every unbound buffer an offset in memory; lifetimes that do not meet may share it.

    Between sweeps buffers lie in the arena and live for whole phases, in which other threads may be ahead. What is
    made and read within one sweep lies in the memory of each thread, which does one step after the other.
    """
    homes = find_local(program)
    program.areas = [*program.areas, Area(ARENA, "arena", (), "uint8"), Area(LOCAL, "local", (), "uint8")]
    choose_blocks(program)
    lives: dict[int, tuple[int, int]] = {}
    sizes: dict[int, int] = {}
    number = 0
    for sweep, steps in program.grouped():
        for step in steps:
            for i in {root_of(program, i) for i in (*step.ins, *step.outs) if i is not None}:
                buffer = program.buffers[i]
                if buffer.area is None:
                    time = number if i in homes else phases[number]
                    lives[i] = (lives.get(i, (time, time))[0], time)
                    sizes[i] = row_bytes(buffer) * sweep.block if i in homes else buffer.nbytes(program.rows)
            number += 1
    for kind, own in ((ARENA, [i for i in lives if i not in homes]), (LOCAL, list(homes))):
        area = next(number for number, area in enumerate(program.areas) if area.kind == kind)
        offsets, size = pack({i: sizes[i] for i in own}, lives)
        for i in own:
            program.buffers[i].area, program.buffers[i].offset = area, offsets[i]
        if kind == ARENA:
            program.arena_bytes = size
        else:
            program.local_bytes = size
    place_views(program)


def pack(sizes: dict[int, int], lives: dict[int, tuple[int, int]]) -> tuple[dict[int, int], int]:
    """Offsets, and their end: largest first, each at the lowest place that is free during its whole life."""
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first time, last time
    offsets: dict[int, int] = {}
    for i in sorted(sizes, key=lambda i: (-sizes[i], lives[i], i)):
        first, last = lives[i]
        size, offset = -(-sizes[i] // ALIGNMENT) * ALIGNMENT, 0
        for low, high, begin, end in sorted(placed):
            if begin <= last and first <= end:
                if offset + size <= low:
                    break
                offset = max(offset, high)
        placed.append((offset, offset + size, first, last))
        offsets[i] = offset
    return offsets, max((high for _, high, _, _ in placed), default=0)


def place_views(program: Program) -> None:
    """Give every view its place in the memory that it shows."""
    for buffer in program.buffers:
        if buffer.root is not None and buffer.layout is not None:
            root = program.buffers[buffer.root]
            buffer.area = root.area
            buffer.offset = root.offset + buffer.layout.offset * np.dtype(root.dtype).itemsize


def lowered_dims(program: Program, step: Step, sweep: Sweep) -> tuple[list[int], int, int]:
    """The sizes a C kernel receives, and the masks of those that are per row of the batch, and of the block."""
    row = OPS[step.op]
    axes = axes_in(program, sweep, step)
    swept = bool(sweep.shape)

    def dims(open_rows: bool) -> tuple[Any, ...]:
        """With None for the rows of the sweep, if they are to be open, else for those of the batch."""

        def opened(layout: Layout, axis: int | None) -> Layout:
            if not open_rows:
                return layout
            sizes: list[Any] = list(concrete(layout.shape, program.rows))
            if axis is not None:
                sizes[axis] = None
            return layout._replace(shape=tuple(sizes))

        ins: list[Any] = [
            None if i is None else opened(layout_of(program.buffers[i]), axis)
            for i, axis in zip(step.ins, axes, strict=True)
        ]
        outs: list[Shape] = [opened(row_major(program.buffers[i].shape), 0).shape for i in step.outs]
        if row.reads_strides:
            return row.dims(ins, outs, **step.attrs)
        return row.dims([x and x.shape for x in ins], outs)

    sizes = dims(False)
    of_batch = {k for k, n in enumerate(sizes) if isinstance(n, (Batch, Total))}
    of_block: set[int] = set()
    if sweep.shape == (None,):
        of_block = {k for k in of_batch if isinstance(sizes[k], Batch)}
    elif swept:
        opened_sizes = dims(True)
        of_block = {k for k, n in enumerate(opened_sizes) if isinstance(n, Batch)}
        sizes = tuple(opened_sizes[k] if k in of_block else n for k, n in enumerate(sizes))
        assert not of_block & of_batch
    masks = [sum(1 << k for k in kinds) for kinds in (of_batch - of_block, of_block)]
    return [n.multiple if isinstance(n, (Batch, Total)) else n for n in sizes], masks[0], masks[1]
