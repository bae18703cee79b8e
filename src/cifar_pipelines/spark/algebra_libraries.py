"""What of Intel's MKL Spark ML never loads: `make install` removes it, for it is 0.2 GB.

Spark ML calls BLAS and LAPACK by MKL's single library, with one thread a task (`MKL_THREADING_LAYER` in `conf/base/spark.yml`).
"""

import sys

from cifar_pipelines.common import package_files

NEVER_LOADED = (
    "*/libmkl_*_thread.so*",  # layers of threads: OpenMP by Intel and GNU, TBB; "sequential" stays
    "*/libmkl_intel_ilp64.so*",  # indices of 64 bits; Java's arrays have 32
    "*/libmkl_vml_*.so*",  # functions of whole vectors, such as sines
    "*/libmkl_scalapack_*.so*",  # algebra, and below it Fourier transforms, over several hosts by MPI
    "*/libmkl_blacs_*.so*",
    "*/libmkl_cdft_core.so*",
)

if __name__ == "__main__":
    freed = package_files.remove(package_files.files_of("mkl", NEVER_LOADED))
    sys.stdout.write(f"{freed / 1e9:.1f} GB of MKL that Spark ML never loads are removed.\n")
