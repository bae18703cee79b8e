"""How much memory the images of a training and their stored features take, told and checked before anything is trained."""

import logging
from pathlib import Path

from cifar_pipelines.backbones import TextSpec
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import ALL
from cifar_pipelines.common.table_files import path_of
from cifar_pipelines.pipelines.transfer.specification import LOGISTIC_REGRESSION, TransferSpec
from cifar_pipelines.training.phases import IMAGES, Phase

logger = logging.getLogger(__name__)

SHARE = 0.6  # of the memory that is free: networks, gradients and activations need the rest
WORTH_SAYING = 0.1  # of that room; the node says it of fewer images too
LOADERS = 2  # processes of a loader for each worker, where images do not fit
SOLVING = 3  # copies of stored features while a head is solved: they, their normalised numbers, and parts of these


def check_memory(spec: TransferSpec, train_images: int | str, workers: int) -> None:
    """Refuses what cannot fit whatever the images are, and says how much they may take, before Spark starts.

    Args:
        spec: The transfer.
        train_images: Training images that the configuration asks for; "all" is a number only when they are there.
        workers: Workers.

    Raises:
        UserError: If stored features would not fit into the memory that this host has free, or batches not into what a loader's
            processes share.
    """
    on_images = _on_images(spec)
    if on_images:
        _require_shared(spec, on_images, spec.wanted.loader, 0, workers)
    if train_images == ALL:
        return
    room_for_features(spec, train_images)
    if on_images:
        _say_at_most(spec, 3 * spec.input.square.scaled_to**2 * train_images)


def _say_at_most(spec: TransferSpec, most: int) -> None:
    """Says how many bytes images may take, before they are there, if that is a good part of the memory; warns where it may be too much."""
    import psutil

    from cifar_pipelines.training.loading import AUTO, MEMORY

    room = SHARE * psutil.virtual_memory().available
    if spec.wanted.loader not in (AUTO, MEMORY) or most < WORTH_SAYING * room:
        return
    doubt = " Smaller images take less: whether they fit is known when they are ingested. Loader auto takes memory only where they do."
    logger.log(
        logging.WARNING if most > room and spec.wanted.loader == MEMORY else logging.INFO,
        "%s: images of %d px take up to %s MiB of memory with loader memory, and %s MiB are free for them.%s",
        spec.model, spec.input.size, f"{most / 2**20:,.0f}", f"{room / 2**20:,.0f}", doubt if most > room else "",
    )  # fmt: skip


def room_for_features(spec: TransferSpec, images: int) -> int:
    """MiB of memory that this process needs for the stored features of so many images; 0 where nothing is stored.

    Raises:
        UserError: If that is more than this host has free.
    """
    import psutil

    from cifar_pipelines.training.head import linear_head

    if not spec.stores_features:
        return 0
    numbers = spec.backbone.skeleton().get_submodule(linear_head(spec.backbone)).in_features
    vectors, copies = images * spec.wanted.views, SOLVING if spec.wanted.head_start == LOGISTIC_REGRESSION else 1
    needed = copies * 4 * vectors * numbers
    if needed > (free := psutil.virtual_memory().available):
        raise UserError(
            f"The stored features of {spec.model} take {needed / 2**20:,.0f} MiB of memory ({vectors:,} vectors of {numbers:,} numbers"
            f"{f', {copies} times while the head is solved' if copies > 1 else ''}), and {free / 2**20:,.0f} MiB are free. Take fewer images "
            "(train_size), views: 1, or a host with more memory. Phases with inputs: images and head_start: zeros need no features."
        )
    return round(needed / 2**20)


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

    from cifar_pipelines.training.loading import AUTO, MEMORY

    phases = _on_images(spec)
    if not phases:
        return MEMORY
    kept, encoded = _sizes(spec, files, validation)
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
    _require_shared(spec, phases, loader, validation[1], workers)
    return loader


def _on_images(spec: TransferSpec) -> list[Phase]:
    """The phases that read images; none of a network of texts, whose tokens are fewer bytes than their letters."""
    return [] if isinstance(spec.input, TextSpec) else [phase for phase in spec.phases if phase.inputs == IMAGES]


def _require_shared(spec: TransferSpec, phases: list[Phase], loader: str, validated: int, workers: int) -> None:
    """Raises a `UserError` if the largest batch, of training or of so many validation images, is too large for loaders to share."""
    from cifar_pipelines.training.loading import EVALUATION_BATCH, loading_processes, require_shared_memory

    if processes := loading_processes(loader):
        of_training = max(-(-phase.batch_size // workers) for phase in phases)
        of_validation = min(EVALUATION_BATCH, -(-validated // workers))
        require_shared_memory(max(of_training, of_validation), spec.input.size, processes * workers)


def _sizes(spec: TransferSpec, files: tuple[str, ...], validation: tuple[str, int]) -> tuple[int, int]:
    """Bytes of training images and the first validation images as pixels, and those of all image files."""
    import numpy as np

    from cifar_pipelines.training.job import scan
    from cifar_pipelines.training.loading import kept_bytes

    kept = 0
    for split, most in (("train", np.inf), validation):
        for batch in scan(files, split, ["rank", "height", "width"]):
            ranks, heights, widths = (batch.column(name).to_numpy() for name in ("rank", "height", "width"))
            read = ranks < most
            kept += kept_bytes(heights[read], widths[read], spec.input.square)
    return kept, sum(Path(path_of(file)).stat().st_size for file in files)
