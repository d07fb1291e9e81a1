from typing import Any

MAX_DIMS: int
MAX_ATTRS: int
MAX_ARGS: int
STEP_SIZE: int
AREA_SIZE: int

def isas() -> list[str]: ...
def kernels(isa: str) -> list[str]: ...
def find(isa: str, name: str) -> int: ...
def workspace_floats(isa: str) -> int: ...
def has_openmp() -> bool: ...
def max_threads() -> int: ...
def release_threads() -> None: ...
def execute(
    isa: str,
    most_rows: int,
    steps: Any,
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
) -> tuple[int, int, int]: ...
