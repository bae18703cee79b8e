"""How much memory the images of a training take, told and checked before anything is trained."""

import logging
from pathlib import Path

from cifar_pipelines.backbones import TextSpec
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.table_files import path_of
from cifar_pipelines.pipelines.transfer.specification import TransferSpec
from cifar_pipelines.training.phases import IMAGES

logger = logging.getLogger(__name__)

SHARE = 0.6  # of the memory that is free: networks, gradients and activations need the rest
LOADERS = 2  # processes of a loader for each worker, where images do not fit


def settle_loader(spec: TransferSpec, files: tuple[str, ...], validation: tuple[str, int], workers: int) -> str:
    """Decides how images are kept, and says how much memory that takes on all hosts together.

    Args:
        spec: The transfer.
        files: The files of the image table.
        validation: Split and number of the validation images.
        workers: Workers.

    Returns:
        "memory" or "workers:<n>".

    Raises:
        UserError: If images would not fit into the memory that this host has free, or batches not into what a loader's processes
            share.
    """
    import psutil

    from cifar_pipelines.training import loading
    from cifar_pipelines.training.loading import AUTO, MEMORY

    phases = [phase for phase in spec.phases if phase.inputs == IMAGES]
    if not phases or isinstance(spec.input, TextSpec):  # the tokens of a text are fewer bytes than its letters
        return MEMORY
    kept, encoded = _sizes(spec, files, validation[0])
    room = SHARE * psutil.virtual_memory().available
    loader = spec.wanted.loader if spec.wanted.loader != AUTO else MEMORY if kept <= room else f"workers:{LOADERS}"
    needed = kept if loader == MEMORY else encoded
    logger.info(
        "%s: images take %s MiB of memory with loader %s, of %s MiB that are free for them.",
        spec.model, *(f"{needed / 2**20:,.0f}", loader, f"{room / 2**20:,.0f}"),
    )  # fmt: skip
    if needed > room:
        raise UserError(
            f"The images of {spec.model} take {needed / 2**20:,.0f} MiB of memory with loader {loader}, and {room / 2**20:,.0f} MiB are "
            "free for them. Take a smaller input.size, fewer images (train_size), loader: workers:2, or a "
            "host with more memory."
        )
    if processes := loading.loading_processes(loader):
        of_training = max(-(-phase.batch_size // workers) for phase in phases)
        of_validation = min(loading.EVALUATION_BATCH, -(-validation[1] // workers))
        loading.require_shared_memory(max(of_training, of_validation), spec.input.size, processes * workers)
    return loader


def _sizes(spec: TransferSpec, files: tuple[str, ...], held_out: str) -> tuple[int, int]:
    """Bytes of training and validation images as pixels, and those of all image files."""
    import numpy as np

    from cifar_pipelines.training.job import scan
    from cifar_pipelines.training.loading import kept_bytes

    kept = 0
    for split in ("train", held_out):
        for batch in scan(files, split, ["height", "width"]):
            heights, widths = (batch.column(name).to_numpy() for name in ("height", "width"))
            kept += kept_bytes(np.asarray(heights), np.asarray(widths), spec.input.square)
    return kept, sum(Path(path_of(file)).stat().st_size for file in files)
