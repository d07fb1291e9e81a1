"""The suite is tested: it notices every wrong change of `mutants.py`.

A mutant of one instruction set is built together with another one, as it is, so that they can be compared. A
mutant of what all share is built for the best one alone: it would change the others alike.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import ISAS, ROOT, build_flags
from mutants import CRASHES, FAILS, HANGS, MUTANTS, PASSES

from fastnn.execute import has_openmp

TESTS = ROOT / "tests"
EVERY_RUN = 5  # so many mutants are tried in every run of the suite, all of them by `make test-mutants`
SECONDS = 90  # what takes longer hangs; these tests take less than a tenth of it


def settings():
    """The compiler's flags: those of all sources and, by instruction set, those of one."""
    common, variants = build_flags()
    return [*common, "-O2", "-fPIC", *["-fopenmp"] * has_openmp()], variants


def compiler(folder, *arguments):
    """Run the C compiler in a folder; returns what it prints."""
    return subprocess.run(["cc", *arguments], cwd=folder, check=True, text=True, stdout=subprocess.PIPE).stdout


class Workshop:
    """Builds copies of the package and runs tests on them.

    Parameters
    ----------
    folder : Path
        Where the copies are made, and the objects kept: one for each preprocessed text.
    """

    def __init__(self, folder):
        self.folder = folder
        self.common, self.variants = settings()
        self.plain, self.background = {}, ThreadPoolExecutor(1)  # runs without a mutant, while the mutant is built

    def check(self, mutant, isas):
        """Assert that the tests of a mutant pass without it, and end as they must with it."""
        key = mutant.tests, *isas
        if key not in self.plain:
            plain = self.copy(f"plain {len(self.plain)}", isas)
            self.plain[key] = self.background.submit(self.run, plain, mutant.tests)
        changed = self.run(self.copy(mutant.name, isas, mutant), mutant.tests)
        for wanted, (outcome, output) in ((PASSES, self.plain[key].result()), (mutant.outcome, changed)):
            assert outcome == wanted, f"{mutant.tests}: {outcome} instead of {wanted}\n{output}"

    def copy(self, name, isas, mutant=None):
        """A folder with the package, changed if there is a mutant, and built."""
        folder = self.folder / name
        for part in ("fastnn", "csrc"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        if mutant:
            path = folder / mutant.file
            path.write_text(path.read_text().replace(mutant.old, mutant.new))
        sources = {f"csrc/{path.name}": [] for path in (folder / "csrc").glob("*.c")}
        sources["fastnn/_native.c"] = ["-Icsrc", f"-I{sysconfig.get_path('include')}"]
        sources |= {f"csrc/isa/{isa}.c": self.variants[isa] for isa in isas}
        # The dispatcher always has the portable table: the last one gets its name.
        sources["csrc/dispatch.c"] = [f"-DFNN_BUILD_{isa.upper()}" for isa in isas[:-1]]
        sources[f"csrc/isa/{isas[-1]}.c"] = [*self.variants[isas[-1]], f"-Dfnn_{isas[-1]}=fnn_portable"]
        with ThreadPoolExecutor() as pool:
            objects = list(pool.map(lambda item: self.compile(folder, *item), sources.items()))
        library = f"fastnn/_native{sysconfig.get_config_var('EXT_SUFFIX')}"
        compiler(folder, "-shared", *self.common, *objects, "-o", library)
        return folder

    def compile(self, folder, source, flags):
        """The object of a source file."""
        flags = [*self.common, *flags]
        text = compiler(folder, "-E", "-P", *flags, source)
        made = self.folder / (hashlib.sha256("\0".join([*flags, text]).encode()).hexdigest() + ".o")
        if not made.exists():
            compiler(folder, "-c", *flags, source, "-o", made)
        return made

    def run(self, folder, tests):
        """How tests end on a copy, and their output."""
        file, *options = shlex.split(tests)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", TESTS / file, *options]
        environment = {n: value for n, value in os.environ.items() if not n.startswith(("FASTNN_", "LD_PRELOAD"))}
        environment["PYTHONPATH"] = str(folder)
        try:
            done = subprocess.run(command, cwd=folder, env=environment, timeout=SECONDS, text=True, capture_output=True)
        except subprocess.TimeoutExpired as late:
            return HANGS, str(late.output)
        output = done.stdout + done.stderr
        assert done.returncode in (0, 1) or done.returncode < 0, output  # no test at all, or one that cannot be read
        return {0: PASSES, 1: FAILS}.get(done.returncode, CRASHES), output


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    if not shutil.which("cc") or not (ROOT / "fastnn" / "_native.c").exists():
        pytest.skip("no compiler, or installed without its sources")
    return Workshop(tmp_path_factory.mktemp("mutants"))


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(m, id=m.name, marks=[pytest.mark.long] * (i >= EVERY_RUN)) for i, m in enumerate(MUTANTS)],
)
def test_the_suite_notices(mutant, workshop):
    if mutant.threads and not has_openmp():
        pytest.skip("built without threads")
    isas = ISAS[:1]
    if mutant.isa:
        if mutant.isa not in ISAS:
            pytest.skip(f"this machine has no {mutant.isa}")
        isas = ISAS[:2] if mutant.isa == ISAS[0] else [ISAS[0], mutant.isa]
    workshop.check(mutant, isas)


def test_every_mutant_changes_one_place():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.old) == 1, mutant.name
        assert mutant.new != mutant.old
