"""Mutants: small wrong changes of the sources, each of which the suite must notice.

`test_mutants.py` makes a copy of the package with the change, builds it, and runs there the tests that are
meant to notice it: they must fail, and pass on a copy without the change. A mutant that passes is a gap in
the suite, and wants a test. The first ones are tried in every run of the suite.
"""

from dataclasses import dataclass
from pathlib import Path

PASSES, FAILS, CRASHES, HANGS = "passes", "fails", "crashes", "hangs"


@dataclass(frozen=True)
class Mutant:
    """A wrong change.

    Attributes
    ----------
    name : str
    file, old, new : str
        What to change; the old text occurs exactly once in the file.
    tests : str
        What notices it: arguments for pytest, the first one relative to this folder.
    outcome : str
        How these tests end. To touch a guard page, or an address that is not aligned, is a crash.
    threads : bool
        Whether it can be noticed only where several threads run.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    outcome: str = FAILS
    threads: bool = False

    @property
    def isa(self) -> str | None:
        """The instruction set, if it is a mutant of one."""
        path = Path(self.file)
        return path.stem if path.match("csrc/vec/*.h") and path.stem != "common" else None


PROGRAM, OPTIMIZERS = "csrc/program.c", "fastnn/optimizers/adam.py"
EXECUTE, PLAN, SWEEPS = "fastnn/execute.py", "fastnn/plan.py", "fastnn/sweeps.py"
GEMM, REDUCE, LOSSES, DATA, RANDOM, UNITS, UPDATES, NORM = (
    f"csrc/kernels/{name}.inc" for name in ("gemm", "reduce", "losses", "data", "random", "units", "updates", "norm")
)
ALONG_ROWS, SOFTMAX, METRICS = (f"csrc/kernels/{name}.inc" for name in ("rows", "softmax", "metrics"))
MATH, COMMON = "csrc/vec/math.inc", "csrc/vec/common.h"
AVX512, AVX2, PORTABLE = (f"csrc/vec/{name}.h" for name in ("avx512", "avx2", "portable"))

# Tests that notice several.
VALUES = "test_rows.py -k 'kernel_agrees and dense'"
LARGE = "test_rows.py -k large_products"
GUARDS = "test_rows.py -k 'no_byte_outside and dense'"
ALIGNMENT = "test_rows.py -k 'alignment and dense'"
ORDER = "test_order_of_sums.py"
SPECIAL = "test_special_cases.py"
BARRIERS = "test_barriers.py"
NONFINITE = "test_nonfinite.py"
BITS = "test_ensembles.py -k 'has_the_bits and classes'"
CLASSIFIER = "test_executors.py -k classifier"
SWEPT = "test_executors.py -k 'sweeps_give and classifier'"

MUTANTS = [
    Mutant(
        "a barrier is missing between phases",
        PROGRAM,
        "            if (sweep->barrier)",
        "            if (0)",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "the third block of k begins at zero again",
        GEMM,
        ".resume = now.steps.low > 0,",
        ".resume = now.steps.low > 0 && now.steps.high < p->k,",
        LARGE,
    ),
    Mutant(
        "the mask of the edge has a lane too few",
        GEMM,
        "vm_first(width - (vecs - 1) * LANES)",
        "vm_first(width - (vecs - 1) * LANES - 1)",
        VALUES,
    ),
    Mutant(
        "the gradient by the input does not transpose the weights",
        GEMM,
        "given(c, 0, 3), transposed(given(c, 1, 5))",
        "given(c, 0, 3), given(c, 1, 5)",
        VALUES,
    ),
    Mutant(
        "Adam corrects with the power of the step before",
        OPTIMIZERS,
        "1 - schedules.powers(b, first + 1, len(rates))",
        "1 - schedules.powers(b, first + (b < 0.99), len(rates))",
        "test_trainer.py -k adam",
    ),
    # The executor
    Mutant(
        "updates begin while others still check",
        PROGRAM,
        "            if (sweep->barrier)",
        "            if (sweep->barrier && (updates || sweep->stage != FNN_UPDATE))",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "the check is cleared while others still look at it",
        PROGRAM,
        "&flags[batch & 1]",
        "&flags[0]",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "the next batch begins before this one is counted",
        PROGRAM,
        "        wait_at(b, team);\n        if (run->part)",
        "        if (run->part)",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "only sweeps of updates have barriers",
        PROGRAM,
        "            if (sweep->barrier)",
        "            if (sweep->barrier && sweep->stage == FNN_UPDATE)",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "nobody wakes those who sleep at a barrier",
        PROGRAM,
        "            wake_sleepers(&b->generation);",
        "            ;",
        BARRIERS,
        outcome=HANGS,
        threads=True,
    ),
    Mutant(
        "all threads pack into one workspace",
        PROGRAM,
        "run->workspace + thread * run->table->workspace_floats",
        "run->workspace",
        LARGE,
        threads=True,
    ),
    Mutant(
        "the wrong sizes are multiplied by the rows of the batch",
        PROGRAM,
        "step->batch_dims >> i & 1)",
        "step->batch_dims & 2 << i)",
        CLASSIFIER,
    ),
    Mutant(
        "results of all steps go into one place",
        PROGRAM,
        "batch * area->per_step",
        "0 * area->per_step",
        "test_chunks.py",
    ),
    Mutant(
        "the attributes of an epilogue are those of its step",
        PROGRAM,
        ".epilogue_attrs = step->epilogue_attrs,",
        ".epilogue_attrs = step->attrs,",
        "test_executors.py",
    ),
    Mutant(
        "batches are not counted",
        PROGRAM,
        "iteration += (updates || run->count_all) && !stop;",
        "iteration += 0;",
        "test_chunks.py",
    ),
    Mutant(
        "batches without updates are counted",
        PROGRAM,
        "iteration += (updates || run->count_all) && !stop;",
        "iteration += !stop;",
        NONFINITE,
    ),
    Mutant(
        "one batch that is not finite spoils all later ones",
        PROGRAM,
        "            flags[(batch + 1) & 1] = 0;",
        "            ;",
        NONFINITE,
    ),
    Mutant(
        "the planner sees no writing after reading",
        SWEEPS,
        "if not (use.written or other.written):",
        "if not other.written:",
        "test_program.py",
    ),
    # Sweeps
    Mutant(
        "a block of rows begins a row too late",
        PROGRAM,
        "at = begin_of(own, blocks, block), rows_here",
        "at = begin_of(own, blocks, block) + (block > 0), rows_here",
        SWEPT,
    ),
    Mutant(
        "nobody does the rows that are left over",
        PROGRAM,
        "n / parts * i + (i < rest ? i : rest);",
        "n / parts * i + 0 * rest;",
        SWEPT,
        threads=True,
    ),
    Mutant(
        "a block has the rows of the batch",
        PROGRAM,
        "            dims[i] *= p.rows;",
        "            dims[i] *= batch_rows;",
        SWEPT,
        threads=True,
    ),
    Mutant(
        "all threads have one local memory",
        EXECUTE,
        "program.local_bytes if area.kind == LOCAL else 0",
        "0",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "threads that begin are not counted modulo the team",
        PROGRAM,
        "(thread + team - sweep->leader % team) % team",
        "thread < sweep->leader ? team : thread - sweep->leader",
        BARRIERS,
        threads=True,
    ),
    Mutant(
        "a skipped update skips all that is behind it",
        PROGRAM,
        "                continue;",
        "                break;",
        NONFINITE,
    ),
    Mutant(
        "threads do not meet between phases that are not updates",
        SWEEPS,
        "(begins or not (alone and small))",
        "begins",
        "test_program.py",
    ),
    Mutant(
        "updates may come before checks",
        SWEEPS,
        "checked = max(checked, group.phase + 1)",
        "checked = max(checked, group.phase)",
        "test_program.py",
    ),
    Mutant(
        "a gradient is made in the update, though others read it",
        SWEEPS,
        "and not needed & outs and not overwritten & ins:",
        "and not overwritten & ins:",
        "test_program.py",
    ),
    Mutant(
        "the rows of the whole batch are taken as those of the block",
        PLAN,
        "{k for k in of_batch if isinstance(sizes[k], Batch)}",
        "set(of_batch)",
        SWEPT,
    ),
    Mutant(
        "local memory has room for one row",
        PLAN,
        "row_bytes(buffer) * sweep.block if i in homes",
        "row_bytes(buffer) if i in homes",
        "test_program.py",
    ),
    Mutant(
        "a batch is finite however large the factors of its gradients are",
        DATA,
        "size[0] < INFINITY && bound < 0x1p127",
        "size[0] < INFINITY",
        NONFINITE,
    ),
    Mutant(
        "infinite inputs with gradients of zero are finite",
        DATA,
        "size[0] < INFINITY && bound < 0x1p127",
        "bound < 0x1p127 || size[0] == INFINITY",
        SPECIAL,
    ),
    Mutant(
        "the largest of a factor is sought in whole vectors only",
        DATA,
        "    for (; i < n; i += LANES)\n        top[0]",
        "    for (; i + LANES <= n; i += LANES)\n        top[0]",
        SPECIAL,
    ),
    Mutant(
        "each block of rows has the random numbers of the first one",
        RANDOM,
        "(uint32_t)(c->first_row + r.at)",
        "(uint32_t)r.at",
        "test_rows.py -k 'blocks_of_rows and dropout'",
    ),
    Mutant(
        "of equal pieces the last one gets the gradient",
        UNITS,
        "vm_and(vm_not(vf_le(b, a)), vf_eq(a, a))",
        "vm_and(vm_not(vf_lt(b, a)), vf_eq(a, a))",
        "test_layers.py -k first_of_equal",
    ),
    Mutant(
        "rows behind the last whole tile are measured as if there were a tile of them",
        UNITS,
        "b + DISTANCE_ROWS <= high",
        "b < high",
        "test_rows.py -k 'no_byte_outside and squared_distances'",
        outcome=CRASHES,
    ),
    Mutant(
        "noise of the lower half of the bits has the sign of the upper one",
        MATH,
        "vi_lt(bits, vi_set(0x80000000u))",
        "vi_lt(vi_set(0x7FFFFFFFu), bits)",
        "test_rows.py -k 'kernel_agrees and gaussian'",
    ),
    Mutant(
        "noise is wrong where the distribution is flat",
        MATH,
        "vf_sqrt(vf_neg(vf_log(p))), vf_set(1.6f)",
        "vf_sqrt(vf_neg(vf_log(p))), vf_set(1.61f)",
        "test_rows.py -k 'kernel_agrees and gaussian'",
    ),
    Mutant(
        "equal keys are in the opposite order",
        "csrc/order.c",
        "epoch) <= more_of_key(",
        "epoch) >= more_of_key(",
        "test_random.py -k test_c",
    ),
    # Products
    Mutant(
        "the bias is added in every block of k",
        GEMM,
        "p->bias && now.steps.high == p->k ? p->bias",
        "p->bias ? p->bias",
        LARGE,
    ),
    Mutant(
        "the bias is added in the first block of k",
        GEMM,
        "p->bias && now.steps.high == p->k ? p->bias",
        "p->bias && now.steps.low == 0 ? p->bias",
        ORDER,
    ),
    Mutant(
        "the product is rounded before it is added",
        GEMM,
        ": vf_fma(a_ik, b_kj[v], *sum);",
        ": vf_add(vf_mul(a_ik, b_kj[v]), *sum);",
        ORDER,
    ),
    Mutant(
        "the edge is stored whole",
        GEMM,
        "            if (MASKED)\n",
        "            if (0)\n",
        GUARDS,
        outcome=CRASHES,
    ),
    Mutant(
        "the second part of the tiles begins a row too early",
        GEMM,
        "t.a = from(t.a, t.tiles * each, 0);",
        "t.a = from(t.a, t.tiles * each - (t.tiles > 1), 0);",
        VALUES,
    ),
    Mutant(
        "a transposed panel repeats its last columns in the wrong place",
        GEMM,
        "block < n - 8 ? block : n - 8;",
        "block < n - 8 ? block : n - 9;",
        VALUES,
    ),
    Mutant(
        "a narrow panel is transposed in whole blocks",
        GEMM,
        "k < 4 || n < 8",
        "k < 4 && n < 8",
        GUARDS,
        outcome=CRASHES,
    ),
    Mutant(
        "packed rows lose their tail",
        GEMM,
        "j < n; j += LANES)\n            vf_store_n(panel",
        "j + LANES <= n; j += LANES)\n            vf_store_n(panel",
        LARGE,
    ),
    Mutant(
        "the workspace has no room for the wide panels of a lone row",
        GEMM,
        "(K_BLOCK * (GEMM_VECS > ROW_VECS ? GEMM_VECS : ROW_VECS) * LANES)",
        "(K_BLOCK * GEMM_VECS * LANES)",
        SPECIAL,
        outcome=CRASHES,
    ),
    Mutant(
        "threads in a grid leave a gap and overlap",
        GEMM,
        "part_of((range){0, m}, 1, c->thread / across, down)",
        "part_of((range){0, m}, 1, c->thread % down, down)",
        CLASSIFIER,
        threads=True,
    ),
    Mutant(
        "the epilogue runs once for each share of the columns",
        GEMM,
        "        if (c->epilogue && width == n) {",
        "        if (c->epilogue && columns.high == n) {",
        "test_executors.py",
        threads=True,
    ),
    # Sums, losses, metrics, data
    Mutant(
        "every chunk of a long sum is the first one",
        REDUCE,
        "reduce_lanes(f, at + i, 1, chunk) :",
        "reduce_lanes(f, at, 1, chunk) :",
        ORDER,
    ),
    Mutant(
        "lanes behind the end count in the sum of the exponentials",
        SOFTMAX,
        "        lanes = vf_add(lanes, vf_keep_n(e, n - i));",
        "        lanes = vf_add(lanes, e);",
        SPECIAL,
    ),
    Mutant(
        "lanes behind the end count in the maximum",
        ALONG_ROWS,
        "        if (n - i < LANES)\n            v = ",
        "        if (0)\n            v = ",
        SPECIAL,
    ),
    Mutant(
        "the largest logit is not subtracted",
        SOFTMAX,
        "    *top = row_max(z, n);",
        "    *top = 0 * row_max(z, n);",
        SPECIAL,
    ),
    Mutant(
        "the first label behind the last one is read",
        ALONG_ROWS,
        "label >= 0 && label < n;",
        "label >= 0 && label <= n;",
        SPECIAL,
    ),
    Mutant(
        "clipping makes a probability of NaN",
        LOSSES,
        "return vf_min(vf_set(HIGH), vf_max(vf_set(LOW), y));",
        "return vf_min(vf_max(y, vf_set(LOW)), vf_set(HIGH));",
        SPECIAL,
    ),
    Mutant(
        "equals count as larger among the first k",
        METRICS,
        "vf_lt(vf_set(at_label), vf_load_n(p + i, n - i));",
        "vf_le(vf_set(at_label), vf_load_n(p + i, n - i));",
        SPECIAL,
    ),
    Mutant(
        "rows are gathered in the order of the data",
        DATA,
        "copy(out, data + order[at] * row_bytes, n);",
        "copy(out, data + at * row_bytes, n);",
        "test_rows.py -k 'kernel_agrees and gather'",
    ),
    Mutant(
        "weighted samples are rounded to float32",
        DATA,
        "sum += weight * v[r * n + i];",
        "sum += (float)weight * v[r * n + i];",
        ORDER,
    ),
    Mutant(
        "the check sees the last vector only",
        DATA,
        "finite = vm_and(finite, vf_lt",
        "finite = vm_and(vm_first(LANES), vf_lt",
        SPECIAL,
    ),
    # Random numbers and updates
    Mutant(
        "elements are dropped up to the threshold",
        RANDOM,
        "vf_select(vi_lt(bits, threshold), vf_zero()",
        "vf_select(vm_not(vi_lt(threshold, bits)), vf_zero()",
        SPECIAL,
    ),
    Mutant(
        "row and element change places in the counter",
        RANDOM,
        "vi bits[4] = {counter, vi_set((uint32_t)(c->first_row + r.at)), iteration, stream};",
        "vi bits[4] = {vi_set((uint32_t)(c->first_row + r.at)), counter, iteration, stream};",
        SPECIAL,
    ),
    Mutant(
        "the seed has 32 bits",
        RANDOM,
        "k1 = (uint32_t)(key >> 32);",
        "k1 = 0;",
        SPECIAL,
    ),
    Mutant(
        "a momentum keeps denormals",
        UPDATES,
        "return normal_or_zero(vf_fma(vf_sub(g, m), vf_number(1.0 - beta), m));",
        "return vf_fma(vf_sub(g, m), vf_number(1.0 - beta), m);",
        SPECIAL,
    ),
    Mutant(
        "Nesterov's step climbs",
        UPDATES,
        "p[1] != 0.0 ? vf_fnma(rate, u->g, vf_mul(momentum, u->a))",
        "p[1] != 0.0 ? vf_fma(rate, u->g, vf_mul(momentum, u->a))",
        "test_rows.py -k 'kernel_agrees and sgd'",
    ),
    Mutant(
        "a variance may be negative",
        UPDATES,
        "variance = vf_max(vf_zero(), vf_fnma(u->c, u->c, u->a));",
        "variance = vf_fnma(u->c, u->c, u->a);",
        SPECIAL,
    ),
    # Elementary functions
    Mutant(
        "a coefficient of the exponential is wrong in the fifth digit",
        MATH,
        "0.0416674428f, 0.0083662523f",
        "0.0416694428f, 0.0083662523f",
        "test_math.py -k 'ulp and expm1'",
    ),
    Mutant(
        "a very negative exponent is not bounded",
        MATH,
        "vf_min(vf_set(89.0f), vf_max(vf_set(-104.0f), x))",
        "vf_min(vf_set(89.0f), x)",
        "test_math.py -k 'ulp and exponential'",
    ),
    Mutant(
        "the hyperbolic tangent cancels",
        MATH,
        "vf_copysign(vf_select(vf_lt(a, vf_set(0.65f))",
        "vf_copysign(vf_select(vf_lt(a, vf_set(0.25f))",
        "test_math.py -k 'ulp and tanh'",
    ),
    # Vectors
    Mutant(
        "shares of threads leave a gap",
        COMMON,
        "*hi = (first + each + (thread < rest)) * grain;",
        "*hi = (first + each) * grain;",
        ALIGNMENT,
        threads=True,
    ),
    Mutant(
        "fifteen numbers are read as sixteen",
        COMMON,
        "n >= LANES ? vf_load(p)",
        "n >= LANES - 1 ? vf_load(p)",
        "test_rows.py -k 'no_byte_outside and mean_squared_error'",
        outcome=CRASHES,
    ),
    Mutant(
        "bytes behind the end are read",
        COMMON,
        "memcpy(bytes, p, (size_t)n);",
        "memcpy(bytes, p, LANES);",
        "test_rows.py -k 'no_byte_outside and gather_uint8'",
        outcome=CRASHES,
    ),
    Mutant(
        "AVX-512: stores want aligned addresses",
        AVX512,
        "_mm512_storeu_ps(p, x); }\nINLINE vm",
        "_mm512_store_ps(p, x); }\nINLINE vm",
        ALIGNMENT,
        outcome=CRASHES,
    ),
    Mutant(
        "an element of a narrow row belongs to the row before",
        ALONG_ROWS,
        "(65535 + n) / n",
        "65535 / n",
        "test_narrow_rows.py -k mean_squared_error_grad",
    ),
    Mutant(
        "AVX-512: lanes that are not loaded hold ones",
        AVX512,
        "_mm512_maskz_loadu_ps(m, p)",
        "_mm512_mask_loadu_ps(_mm512_set1_ps(1.0f), m, p)",
        "test_rows.py -k 'kernel_agrees and softmax_grad'",
    ),
    Mutant(
        "AVX-512: a mask has a lane too many",
        AVX512,
        "(1 << n) - 1)",
        "(1 << (n + 1)) - 1)",
        "test_rows.py -k 'kernel_agrees and mean_squared_error'",
    ),
    Mutant(
        "AVX2: the upper half is stored whole",
        AVX2,
        "_mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.b), x.b);",
        "_mm256_storeu_ps(p + 8, x.b);",
        GUARDS,
        outcome=CRASHES,
    ),
    Mutant(
        "AVX2: loads want aligned addresses",
        AVX2,
        "_mm256_loadu_ps(p + 8)",
        "_mm256_load_ps(p + 8)",
        ALIGNMENT,
        outcome=CRASHES,
    ),
    Mutant(
        "AVX2: random bits are compared as if they had a sign",
        AVX2,
        "(int)0x80000000u);",
        "0);",
        "test_rows.py -k 'kernel_agrees and dropout'",
    ),
    Mutant(
        "AVX2: lanes are added in another order",
        AVX2,
        "const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));\n"
        "    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));",
        "const __m128 s2 = _mm_add_ps(s4, _mm_movehdup_ps(s4));\n"
        "    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehl_ps(s2, s2)));",
        ORDER,
    ),
    Mutant(
        "portable: the multiply-add rounds twice",
        PORTABLE,
        "fmaf((*a)[i], (*b)[i], (*c)[i])",
        "(*a)[i] * (*b)[i] + (*c)[i]",
        ORDER,
    ),
    Mutant(
        "portable: a number loses the sign of its zero",
        PORTABLE,
        "return x - (vf){0}; }",
        "return x + (vf){0}; }",
        "test_ops.py -k sign_of_zero",
    ),
    Mutant(
        "variances of chunks are joined without the distance of their means",
        NORM,
        "(double)sum[j] + d * d * weight",
        "(double)sum[j]",
        "test_normalization.py -k 'large_arrays and moments'",
    ),
    Mutant(
        "lanes beyond a row count in its variance",
        NORM,
        "vf_keep_n(vf_sub(vf_load_n(x + r * n + i, k), centre[r]), k)",
        "vf_sub(vf_load_n(x + r * n + i, k), centre[r])",
        "test_rows.py -k 'kernel_agrees and layer_norm'",
    ),
    Mutant(
        "the gradient of a normalized batch counts the rows of a block",
        "fastnn/ops/norm.py",
        "whole(ins[1][:-1])",
        "rows(ins[1])",
        "test_rows.py -k 'blocks_of_rows and standardize_grad'",
    ),
    Mutant(
        "what a layer assigns is no update",
        "fastnn/record.py",
        "        with self.updating():\n            values",
        "        if True:\n            values",
        "test_assignments.py",
    ),
    Mutant(
        "what a layer assigns may be infinite",
        "fastnn/models/programs.py",
        "            recorder.check_assignments()\n",
        "",
        "test_assignments.py",
    ),
    # Ensembles
    Mutant(
        "all members have the order of the first one",
        "csrc/order.c",
        "n, seeds[i], stream, epochs[i]);",
        "n, seeds[0], stream, epochs[i]);",
        BITS,
    ),
    Mutant(
        "all members draw what the first one draws",
        "fastnn/ensembles/epochs.py",
        "self.members[k].seed, iteration",
        "self.members[0].seed, iteration",
        BITS,
    ),
    Mutant(
        "members whose numbers differ have one plan",
        "fastnn/ensembles/members.py",
        "        return bool(a == b)\n",
        "        return True\n",
        "test_ensembles.py -k do_not_share",
    ),
    Mutant(
        "a plan that is shared keeps the variables of the first member",
        EXECUTE,
        '                other.areas["base"][i] = _native.address(next(given).value)\n',
        "                next(given)\n",
        BITS,
    ),
    Mutant(
        "all members have seen what the last one has",
        "fastnn/ensembles/bagging.py",
        "        unseen[own, k] = False\n",
        "        unseen[own] = False\n",
        "test_ensembles.py -k out_of_bag",
    ),
]
