from typing import Any

MAX_DIMS: int
MAX_ATTRS: int
MAX_ARGS: int
STEP_SIZE: int
SWEEP_SIZE: int
AREA_SIZE: int
BATCH_ROWS: int

def isas() -> list[str]: ...
def kernels(isa: str) -> list[str]: ...
def find(isa: str, name: str) -> int: ...
def workspace_floats(isa: str) -> int: ...
def limits(isa: str, memory: Any) -> tuple[float, float]: ...
def has_openmp() -> bool: ...
def max_threads() -> int: ...
def in_parallel() -> bool: ...
def try_threads(count: int, stack_bytes: int) -> int: ...
def start_team(threads: int) -> int: ...
def release_threads() -> None: ...
def permutation(order: Any, scratch: Any, seed: int, stream: int, epoch: int) -> None: ...
def permutations(orders: Any, scratch: Any, seeds: Any, stream: int, epochs: Any, threads: int) -> None: ...
def address(array: Any) -> int: ...
def switches() -> list[bytes | None]: ...

class OneBatch:
    def __init__(
        self,
        isa: str,
        most_rows: int,
        steps: Any,
        sweeps: Any,
        areas: Any,
        workspace: Any,
        x: int,
        y: int,
        x_shape: tuple[int, ...],
        y_shape: tuple[int, ...],
        empty: Any,
    ) -> None: ...
    def __call__(self, x: Any, threads: int) -> Any: ...

def execute(
    isa: str,
    most_rows: int,
    steps: Any,
    sweeps: Any,
    areas: Any,
    first_rows: Any,
    row_counts: Any,
    workspace: Any,
    threads: int,
    skip_nonfinite: bool,
    seed: int,
    iteration: Any,
    nanoseconds: Any = None,
    nonfinite: Any = None,
    count_all: bool = False,
) -> tuple[int, int, int, float]: ...
def execute_all(
    isa: str,
    most_rows: int,
    steps: Any,
    sweeps: Any,
    calls: list[tuple[Any, ...]],
    threads: int,
    count_all: bool = False,
) -> tuple[int, list[tuple[int, int]]]: ...
