"""What of libraries is large and nothing here loads, or is there twice: `make install` removes it, for it is 0.5 GB.

Installing a package anew brings its files back: `pip install --force-reinstall --no-deps --constraint requirements.lock pyspark`.
"""

import sys
from pathlib import Path

from cifar_pipelines.common import package_files

# Paths in packages, by how the packages' names begin; "*" stands for folders too.
NEVER_LOADED = {
    # Spark ML calls BLAS and LAPACK by MKL's single library, with one thread a task (`MKL_THREADING_LAYER` in `conf/base/spark.yml`).
    "mkl": (
        "*/libmkl_*_thread.so*",  # layers of threads: OpenMP by Intel and GNU, TBB; "sequential" stays
        "*/libmkl_intel_ilp64.so*",  # indices of 64 bits; Java's arrays have 32
        "*/libmkl_vml_*.so*",  # functions of whole vectors, such as sines
        "*/libmkl_scalapack_*.so*",  # algebra, and below it Fourier transforms, over several hosts by MPI
        "*/libmkl_blacs_*.so*",
        "*/libmkl_cdft_core.so*",
        "*/libmkl_avx10.so*",  # `MKL_ENABLE_INSTRUCTIONS` there lets processors that have AVX10 take AVX-512
    ),
    "pyspark": (
        "pyspark/jars/rocksdbjni-*.jar",  # another store for the state of queries; learners keep their own
        "pyspark/jars/*mesos-*.jar",  # a manager of clusters, which Spark itself has given up
        # PySpark and Py4J once more, which executors' Python would import from there, and compile anew in every process.
        "pyspark/python/lib/*.zip",
    ),
    "pyarrow": (
        "pyarrow/libarrow_flight.so*",  # tables over a network
        "pyarrow/libarrow_s3.so*",  # an object store; pyarrow goes without it
        "pyarrow/tests/*",
    ),
    "torch": ("torch/bin/protoc*",),  # a compiler of message formats
    # Libraries' own tests.
    "pandas": ("pandas/tests/*",),
    "numpy": ("numpy/*/tests/*",),
    "scipy": ("scipy/*/tests/*",),
    "scikit-learn": ("sklearn/*/tests/*", "sklearn/tests/*"),
    "matplotlib": ("matplotlib/tests/*",),
    "sympy": ("sympy/*/tests/*",),
    "networkx": ("networkx/*/tests/*",),
    "joblib": ("joblib/test/*",),
}


def files() -> list[Path]:
    """Every such file of the packages that are installed, whether it is there or was removed."""
    return [file for package, patterns in NEVER_LOADED.items() for file in package_files.files_of(package, patterns)]


if __name__ == "__main__":
    freed = package_files.remove(files())
    sys.stdout.write(f"{freed / 1e9:.1f} GB of libraries that nothing here loads are removed.\n")
