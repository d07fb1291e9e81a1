"""Imports go down only; the bridge is used in one place; the build uses no forbidden flag."""

import ast
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import fastnn
from fastnn import _native

PACKAGE = Path(fastnn.__file__).parent
ROOT = PACKAGE.parent

FLOORS = [
    ["_native", "errors", "old_spellings", "registry", "tree"],
    ["ops", "variable", "program", "config", "contention"],
    ["record", "plan", "sweeps", "memory"],
    ["execute", "debug"],
    [
        "activations",
        "layers",
        "losses",
        "metrics",
        "optimizers",
        "schedules",
        "initializers",
        "regularizers",
        "constraints",
        "gradients",
    ],
    ["models", "callbacks", "checks", "ensembles", "plotting", "datasets", "pydataset", "saving", "utils"],
    ["__init__"],
    ["compat"],
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}


def imports():
    """(importing module, imported module) for every import of fastnn within fastnn."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = module[: len(module) - node.level]
                targets = [(*base, *node.module.split("."))] if node.module else [(*base, a.name) for a in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastnn"):
                targets = [tuple(node.module.split(".")[1:]) or ("__init__",)]
            else:
                continue
            for target in targets:
                yield module, target or ("__init__",)


def test_every_module_has_a_floor():
    modules = {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in PACKAGE.rglob("*.py")}
    assert modules | {"_native"} == set(FLOOR)


def test_imports_go_down_only():
    pairs = list(imports())
    assert len(pairs) > 50
    for module, target in pairs:
        assert FLOOR[target[0]] <= FLOOR[module[0]], f"{'.'.join(module)} imports {'.'.join(target)}"


def test_only_execute_uses_the_bridge_and_ops_stand_alone():
    for module, target in imports():
        if target[0] == "_native":
            assert module == ("execute",)
        if module[0] == "ops":
            assert target[0] in ("ops", "errors")


FORBIDDEN = ("-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-march=native", "-flto")


def test_no_forbidden_compiler_flag():
    setup = ROOT / "setup.py"
    if not setup.exists():
        pytest.skip("installed without its sources")
    texts = [setup.read_text(), (ROOT / "pyproject.toml").read_text()]
    for flag in FORBIDDEN:
        assert not any(flag in text for text in texts)
    assert "-ffp-contract=off" in texts[0]


def test_no_python_and_no_allocation_in_csrc():
    for path in (ROOT / "csrc").rglob("*.[chi]*"):
        text = path.read_text()
        assert not re.search(r"Python\.h|numpy/|\b(malloc|calloc|realloc|alloca|free)\s*\(", text), path
        assert "##" not in re.sub(r"/\*.*?\*/", "", text, flags=re.S), f"{path} pastes names together"


AVX = re.compile(r"%[yz]mm|\tv[a-z0-9]+(ps|ss|pd|sd)\b")


def disassembled(path):
    """Functions of an object file or library as text."""
    if not shutil.which("objdump"):
        pytest.skip("objdump is not installed")
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n\n")


def test_no_avx_in_the_bridge_and_the_executor():
    """Code that runs before an instruction set is chosen must run on any machine."""
    ours = re.compile(r"<(fnn_\w+|run_batches\S*|run_step\S*|run_sweep\S*|PyInit\S*|__pyx\w*|__Pyx\w*)>:")
    checked = 0
    for function in disassembled(_native.__file__):
        name = ours.search(function)
        if name:
            assert not AVX.search(function), name[1]
            checked += 1
    assert checked > 20


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX is of x86-64")
@pytest.mark.parametrize("source", ["program.c", "order.c", "threads.c", "limits.c", "dispatch.c", "isa/portable.c"])
def test_no_avx_in_sources_compiled_without_isa_flags(source, tmp_path):
    compiler = shutil.which("cc")
    if not compiler or not (ROOT / "csrc").exists():
        pytest.skip("no compiler or no sources")
    output = tmp_path / "object.o"
    subprocess.run([compiler, "-O1", "-std=c11", "-Wno-psabi", "-c", ROOT / "csrc" / source, "-o", output], check=True)
    assert not any(AVX.search(function) for function in disassembled(output))
