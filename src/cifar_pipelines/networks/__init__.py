"""Networks that learn from images: one file, one network, both of the same name.

A network is a function that takes a `NetworkShape` and keyword-only options and returns a torch module. Nothing
here knows Spark, and torch is imported only by the files that define networks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import checked_options, whole
from cifar_pipelines.common.own_code import CodeError, told
from cifar_pipelines.common.registry import FileRegistry

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkShape:
    """What a network is made for: height and width of the images in pixels, and the number of classes."""

    size: int
    classes: int


@dataclass(frozen=True)
class RegisteredNetwork:
    """The function that builds a network, with the smallest and largest height and width in pixels it can take."""

    build: Callable[..., "nn.Module"]
    smallest: int
    largest: int


_registry = FileRegistry[RegisteredNetwork](__name__, "network")
names, require_known, find = _registry.names, _registry.require_known, _registry.find


def register(*, smallest: int, largest: int) -> Callable[[Callable], Callable]:
    """Makes a function known as the network of its name, for images between two sizes in pixels."""

    def decorate(build: Callable) -> Callable:
        return _registry.register(build, RegisteredNetwork(build, smallest, largest))

    return decorate


def checked_network(name: str, shape: NetworkShape, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Checks name, image size and options of a network, and returns the options.

    Raises:
        UserError: The name or an option is unknown, or the images are too small or too large.
    """
    network = find(name)
    if not network.smallest <= shape.size <= network.largest:
        raise UserError(
            f"The network {name!r} takes images of {network.smallest} to {network.largest} pixels, not {shape.size}. "
            f"Set bigdl_cnn.image_size to a size in that range: images are resized to it."
        )
    checked = checked_options(network.build, options, f"the network {name!r}")
    for key, value in checked.items():
        if isinstance(value, int):
            whole(f"The option {key!r} of the network {name!r}", value, 1)
    return checked


def try_network(name: str, shape: NetworkShape, options: Mapping[str, Any] | None = None) -> None:
    """Builds a network and shows it two images, so that a mistake in its code is found before anything starts.

    Raises:
        CodeError: It cannot be built, cannot take the images, or gives no logits.
    """
    import torch

    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            logits = build_network(name, shape, options)(torch.randn(2, 3, shape.size, shape.size))
        given = tuple(logits.shape)
    except UserError:
        raise
    except Exception as error:
        raise CodeError(f"The network {name!r} cannot take images of {shape.size} pixels. {told(error)}") from error
    if given != (2, shape.classes):
        raise CodeError(
            f"The network {name!r} gives numbers of the shape {given} for 2 images and {shape.classes} classes, but must give logits "
            f"of the shape (2, {shape.classes})."
        )


def build_network(name: str, shape: NetworkShape, options: Mapping[str, Any] | None = None) -> "nn.Module":
    """Builds a network, checked, with fresh weights.

    Returns:
        A module that maps normalised images (n, 3, size, size) to logits (n, classes).
    """
    return find(name).build(shape, **checked_network(name, shape, options))
