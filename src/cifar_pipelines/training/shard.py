"""One worker's share of the images, in memory, and the batches it gives."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cifar_pipelines.training.augmentation import build_augmentation
from cifar_pipelines.training.draws import Draws
from cifar_pipelines.training.recipe import Recipe
from cifar_pipelines.training.recipe_augmentation import cut_out, mirror, shift

# Mean and standard deviation of the channels of CIFAR-10's training images; close enough for any natural images.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)


def normalise(images: Tensor) -> Tensor:
    """Maps uint8 images (n, 3, size, size) to float32 of about zero mean and unit variance, `channels_last`."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    scaled = images.float().sub_(255 * mean).div_(255 * std)
    return scaled.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Shard:
    """A worker's share of the training images.

    Attributes:
        images: uint8 tensor of shape (n, 3, size, size).
        labels: int64 tensor of shape (n,).
        seed: Seeds order and augmentation; workers have different ones.
    """

    images: Tensor
    labels: Tensor
    seed: int

    def batches(self, epoch: int, steps: int, batch_size: int, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
        """The augmented batches of one epoch, counted from 0; they depend on the seed and the epoch alone.

        Yields:
            Normalised images (batch_size, 3, size, size), float32, and labels (batch_size,), int64.
        """
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self.images), generator=generator)
        # Which half begins mirrored is drawn once, so that two epochs show every image from both sides.
        first = torch.Generator().manual_seed(self.seed)
        augment = build_augmentation(recipe.augmentation)
        mirrored = (torch.rand(len(self.images), generator=first) < 0.5) ^ bool(epoch % 2)
        for step in range(steps):
            # Where damaged images were left out, a shard may be short of some: it begins again.
            chosen = order[torch.arange(step * batch_size, (step + 1) * batch_size) % len(order)]
            images = shift(self.images[chosen], recipe.crop_padding, generator)
            if recipe.flip:
                images = mirror(images, mirrored[chosen])
            if augment.links:
                images = augment(images, Draws.drawn(len(images), generator))
            yield cut_out(normalise(images), recipe.cutout, generator), self.labels[chosen]
