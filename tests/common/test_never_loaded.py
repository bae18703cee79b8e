import json
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest

from cifar_pipelines.common import never_loaded, package_files
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.spark.properties import algebra_variables, native_blas
from cifar_pipelines.spark.spark_config import SparkConfig

# Multiplies by BLAS and solves by LAPACK as Spark ML does, and tells which of MKL's libraries the process loaded.
MULTIPLIES_AND_SOLVES = """
import ctypes, json, sys
from pathlib import Path

mkl = ctypes.CDLL(sys.argv[1])
n, one, nothing, info = (ctypes.byref(ctypes.c_int(value)) for value in (2, 1, 0, 0))
unit, zero = (ctypes.byref(ctypes.c_double(value)) for value in (1.0, 0.0))
matrix = ctypes.c_double * 4
a, c, b = matrix(4, 1, 1, 3), matrix(), (ctypes.c_double * 2)(1, 2)
mkl.dgemm_(b"N", b"N", n, n, n, unit, a, n, a, n, zero, c, n)
assert list(c) == [17, 7, 7, 10], list(c)
mkl.dppsv_(b"U", n, one, (ctypes.c_double * 3)(4, 1, 3), b, n, info)
assert [round(value * 11) for value in b] == [1, 7], list(b)
print(json.dumps([Path(line.split()[-1]).name for line in Path("/proc/self/maps").read_text().splitlines() if "libmkl" in line]))
"""


@pytest.mark.skipif(not native_blas(), reason="MKL has wheels for Linux on x86_64 alone")
def test_spark_ml_needs_nothing_of_what_is_removed():
    done = subprocess.run(
        [sys.executable, "-c", MULTIPLIES_AND_SOLVES, str(native_blas())],
        env=algebra_variables(SparkConfig.from_config(load_configuration()["spark"])),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "libmkl_sequential" in done.stdout
    assert not any(
        fnmatchcase(f"/{name}", one) for name in json.loads(done.stdout) for one in never_loaded.NEVER_LOADED["mkl"]
    )


@pytest.mark.skipif(not native_blas(), reason="MKL has wheels for Linux on x86_64 alone")
def test_what_is_removed_is_found_in_the_package():
    files = package_files.files_of("mkl", never_loaded.NEVER_LOADED["mkl"])
    found = {file.name.split(".")[0] for file in files}
    assert {
        "libmkl_tbb_thread",
        "libmkl_intel_ilp64",
        "libmkl_vml_avx2",
        "libmkl_scalapack_lp64",
        "libmkl_avx10",
    } < found
    assert not found & {
        "libmkl_rt",
        "libmkl_core",
        "libmkl_intel_lp64",
        "libmkl_sequential",
        "libmkl_avx2",
        "libmkl_def",
    }
    assert all(file.resolve().parent == native_blas().resolve().parent for file in files)


def test_every_pattern_finds_its_files():
    """An upgrade that renames them would let what is removed come back unseen."""
    for package, patterns in never_loaded.NEVER_LOADED.items():
        assert (package == "mkl" and not native_blas()) or all(
            package_files.files_of(package, (one,)) for one in patterns
        )
