"""Builds the one extension: the bridge, the executor, and one object file per instruction set."""

import os
import platform
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COMMON = ["-O3", "-g0", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]

SANITIZE = []
if os.environ.get("FASTNN_SANITIZE") == "1":  # make test-asan; with -O3 this would take minutes to compile
    SANITIZE = ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
    COMMON += ["-O1", "-fno-omit-frame-pointer", *SANITIZE]

# Instruction set -> flags of csrc/isa/<name>.c; FNN_BUILD_<NAME> tells dispatch.c that it is there.
VARIANTS = {"portable": ["-Wno-psabi"]}  # vectors are never passed between functions of different files
if platform.machine().lower() in ("x86_64", "amd64"):
    VARIANTS["avx2"] = ["-mavx2", "-mfma"]
    VARIANTS["avx512"] = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"]
if platform.machine().lower() in ("aarch64", "arm64"):
    VARIANTS["neon"] = []

OPENMP_PROBE = """
#include <omp.h>
#include <stdio.h>
int main(void) {
    int n = 0;
    #pragma omp parallel num_threads(2) reduction(+:n)
    n += 1;
    printf("%d\\n", n);
    return omp_get_max_threads() < 1;
}
"""


class BuildExt(build_ext):
    """Compiles csrc/isa/<name>.c each with its own flags and links the objects in."""

    def build_extension(self, ext):
        openmp = ["-fopenmp"] if self.has_openmp() else []

        def compile_variant(name):
            return self.compiler.compile(
                [f"csrc/isa/{name}.c"],
                output_dir=self.build_temp,
                include_dirs=["csrc"],
                extra_postargs=[*COMMON, *VARIANTS[name]],
                depends=ext.depends,
            )

        with ThreadPoolExecutor() as pool:
            for objects in pool.map(compile_variant, VARIANTS):
                ext.extra_objects += objects
        ext.extra_compile_args = [*COMMON, *openmp]
        ext.extra_link_args = [*openmp, *SANITIZE]
        super().build_extension(ext)

    def has_openmp(self):
        """Compile and run a program with two threads."""
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "probe.c")
            with open(source, "w") as f:
                f.write(OPENMP_PROBE)
            try:
                objects = self.compiler.compile([source], output_dir=folder, extra_postargs=["-fopenmp"])
                program = os.path.join(folder, "probe")
                self.compiler.link_executable(objects, program, extra_postargs=["-fopenmp"])
                subprocess.run([program], check=True, stdout=subprocess.DEVNULL, timeout=60)
                return True
            except Exception as error:
                if os.environ.get("FASTNN_REQUIRE_OPENMP") == "1":
                    sys.exit(f"FASTNN_REQUIRE_OPENMP=1, but the compiler cannot build with OpenMP: {error}")
                warnings.warn(
                    "the C compiler has no working OpenMP: fastnn will run on one thread "
                    "(install libgomp or libomp and rebuild for more)",
                    stacklevel=2,
                )
                return False


def headers():
    """Everything that a change of must rebuild the objects."""
    found = []
    for folder, _, names in os.walk("csrc"):
        found += [os.path.join(folder, n) for n in names if n.endswith((".h", ".inc"))]
    return sorted(found)


extension = Extension(
    "fastnn._native",
    sources=[
        "fastnn/_native.pyx",
        *(f"csrc/{name}.c" for name in ("program", "order", "threads", "limits", "dispatch")),
    ],
    include_dirs=["csrc"],
    define_macros=[(f"FNN_BUILD_{name.upper()}", "1") for name in VARIANTS],
    depends=headers(),
)
setup(ext_modules=cythonize([extension]), cmdclass={"build_ext": BuildExt})
