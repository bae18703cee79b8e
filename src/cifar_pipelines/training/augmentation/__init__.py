"""Augmentations of training images: one file, one augmentation, both of the same name.

An augmentation is a frozen dataclass, whose fields are its options in YAML, that maps a batch to a batch. All that it draws
comes from `Draws`, hence from (seed, epoch, image) alone: one worker and ten see the same images. For that no image's
result may depend on the others of its batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build
from cifar_pipelines.common.registry import FileRegistry

if TYPE_CHECKING:
    from torch import Tensor

    from cifar_pipelines.training.draws import Draws


class Augmentation(ABC):
    """Changes images at random."""

    @abstractmethod
    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """Changes a batch.

        Args:
            images: uint8 tensor of shape (n, 3, height, width); it is left as it is.
            draws: Their random numbers.

        Returns:
            A tensor of the same shape and dtype.
        """


_registry = FileRegistry[type[Augmentation]](__name__, "augmentation")
names, require_known, find, register = _registry.names, _registry.require_known, _registry.find, _registry.register


@dataclass(frozen=True)
class Chain(Augmentation):
    """Augmentations one after the other, by name; none leave the images as they are."""

    links: dict[str, Augmentation]

    def __call__(self, images: "Tensor", draws: "Draws") -> "Tensor":
        """See `Augmentation`."""
        for name, augmentation in self.links.items():
            images = augmentation(images, draws.of(name))
        return images


def build_augmentation(block: object) -> Chain:
    """Builds the augmentations of a list such as `[crop, {rotation: {degrees: 10}}, flip]`, in its order.

    Raises:
        UserError: If it is no such list, a name is unknown or stands twice, or an option is wrong.
    """
    if block is not None and not isinstance(block, list | tuple):
        raise UserError(f"The augmentation is {block!r}, but must be a list of {', '.join(names())}.")
    links: dict[str, Augmentation] = {}
    for link in block or ():
        name, options = _named(link)
        if name in links:
            raise UserError(f"The augmentation {name!r} stands twice, but each may stand once. Remove one.")
        links[name] = build(find(name), options, f"the augmentation {name!r}")
    return Chain(links)


def _named(link: object) -> tuple[str, Any]:
    if isinstance(link, Mapping) and len(link) == 1:
        return next(iter(link.items()))
    if not isinstance(link, str):
        raise UserError(
            f"The augmentation has the entry {link!r}, but each must be a name, or a name with its options such as "
            "{rotation: {degrees: 10}}."
        )
    return link, None


def one_by_one(images: "Tensor", change: "Callable[[int, Tensor], Tensor]") -> "Tensor":
    """Applies a function of position and image (3, height, width) to every image of a batch."""
    changed = images.clone()
    for position, image in enumerate(images):
        changed[position] = change(position, image)
    return changed


def seeded(images: "Tensor", transform: "Callable[[Tensor], Tensor]", draws: "Draws") -> "Tensor":
    """Applies a transform of torchvision, which draws from torch's own generator, to every image of a batch.

    The generator is seeded for each image by its draws, and afterwards is as it was before.
    """
    import torch

    seeds, before = draws.seeds(), torch.get_rng_state()

    def change(position: int, image: "Tensor") -> "Tensor":
        torch.default_generator.manual_seed(seeds[position])
        return transform(image)

    try:
        return one_by_one(images, change)
    finally:
        torch.set_rng_state(before)


def mean_colours(images: "Tensor") -> list[list[float]]:
    """The mean colour of every image, what is filled in where an image has no pixel; summed exactly, in whole numbers."""
    import torch

    return (images.sum((2, 3), dtype=torch.int64) / images[0, 0].numel()).tolist()
