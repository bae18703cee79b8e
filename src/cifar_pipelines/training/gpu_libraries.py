"""What of CUDA's libraries only a host with a card loads: `make install` removes it elsewhere, for it is 1.1 GB.

torch cannot be imported without the libraries that it names. These load others themselves, when they first compute on a card.
"""

import sys
from pathlib import Path

from cifar_pipelines.common import package_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted

# Paths in the packages of NVIDIA; "*" stands for folders too.
ONLY_WITH_A_CARD = (
    "nvidia/cudnn/lib/libcudnn_*.so*",  # layers; torch names libcudnn.so.9 alone, which loads these
    "nvidia/nvshmem/lib/nvshmem_*.so*",  # how cards of several hosts find and reach one another
    "nvidia/nvshmem/lib/*.bc",  # code for cards, of which kernels are compiled
    "nvidia/cu*/lib/libnvperf_*.so*",  # a card's counters, for profilers
    "nvidia/cu*/lib/libcheckpoint.so*",  # saves the state of a card
    "nvidia/*.a",  # for linkers
    "nvidia/*/include/*",  # for compilers
)


def files() -> list[Path]:
    """Every such file of the packages that are installed, whether it is there or was removed."""
    return package_files.files_of("nvidia-", ONLY_WITH_A_CARD)


def require_libraries() -> None:
    """Raises a `UserError` if libraries were removed, on a host with a card: torch would end the process at the first layer."""
    missing = [file.name for file in files() if ".so" in file.name and not file.exists()]
    if missing:
        raise UserError(
            f"torch sees a card here, and {counted(len(missing), 'library', 'libraries')} of CUDA that cards need are missing, such as "
            f"{missing[0]}: they were removed where the project was installed on a host without a card. Run `make install GPU=1`, "
            "which brings them, or let networks train on the CPU with --params transfer.device=cpu."
        )


if __name__ == "__main__":
    freed = package_files.remove(files())
    sys.stdout.write(
        f"This host has no GPU: {freed / 1e9:.1f} GB that only GPUs need are removed. `make install GPU=1` brings them back.\n"
    )
