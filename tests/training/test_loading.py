from collections import namedtuple

import numpy as np
import pytest
import torch
from tests.factories.training import make_pixels

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png, load_batch
from cifar_pipelines.common.squares import Square
from cifar_pipelines.training import loading
from cifar_pipelines.training.loading import Pictures, kept_bytes, require_loader


@pytest.mark.parametrize("square", [Square(16), Square(16, "bicubic", "crop", 20), Square(16, policy="pad")])
@pytest.mark.parametrize("loader", ["memory", "workers:1"])
def test_batches_are_what_a_network_sees_of_the_files(square, loader):
    files = [encode_png(make_pixels("train", rank, rank, 12 + 5 * rank)) for rank in range(4)]
    pictures = Pictures.of(files, square, loader)
    order = [[2, 0], [1], [3, 1]]
    for found, chosen in zip(pictures.batches(order), order, strict=True):
        assert torch.equal(found, load_batch([files[one] for one in chosen], square))


def test_images_take_no_more_memory_than_is_told():
    sizes = [(8, 8), (40, 10), (100, 100)]
    files = [encode_png(np.zeros((*size, 3), np.uint8)) for size in sizes]
    kept = Pictures.of(files, Square(16), "memory").content
    heights, widths = np.array(sizes).T
    assert sum(image.nbytes for image in kept) <= kept_bytes(heights, widths, Square(16)) == 3 * (64 + 256 + 256)


@pytest.mark.parametrize("loader", ["disk", "workers:0", "workers:", "workers:x"])
def test_an_unknown_loader_is_refused(loader):
    with pytest.raises(UserError, match=f"loader is '{loader}', but must be memory"):
        require_loader(loader)


def test_too_little_shared_memory_is_one_sentence(monkeypatch):
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda path: usage(0, 0, 2**20))
    with pytest.raises(UserError, match=r"/dev/shm has 1 MiB free, but 4 processes .* up to 83 MiB.*loader memory"):
        loading.require_shared_memory(64, 224, 4)
