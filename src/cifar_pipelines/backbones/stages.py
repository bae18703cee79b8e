"""The blocks of a network in order, found by the names that torchvision and timm give to them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

HEAD = "head"
# Modules that are nothing but a row of blocks, in the words of torchvision's and timm's networks.
_ROWS = {"features", "encoder", "layers", "blocks", "stages", "trunk_output"}


def stages_of(network: "nn.Module", head: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """The blocks of a network from its input to its head.

    What has no matrix of its own, such as a normalisation, belongs to the block before it.

    Args:
        network: The network.
        head: Prefixes of the parameters of its head.

    Returns:
        The blocks by name, each with prefixes of its parameters, every parameter in exactly one; the last is `HEAD`.
    """
    blocks: list[tuple[str, list[str]]] = []
    loose: list[str] = []  # single parameters, such as a class token, which belong to the input
    for name, dimensions in _units(network, "", head):
        if dimensions is None:
            loose.append(name)
        elif dimensions > 1 or not blocks:
            blocks.append((name.rstrip("."), [name]))
        else:
            blocks[-1][1].append(name)
    blocks[0][1].extend(loose)
    names = [name for name, _ in network.named_parameters()]
    return [*blocks, (HEAD, [part for part in head if any(name.startswith(part) for name in names)])]


def _units(module: "nn.Module", prefix: str, head: tuple[str, ...]) -> Iterator[tuple[str, int | None]]:
    """Prefixes of blocks with the most dimensions that a parameter in them has; parameters of no block with None."""
    for name, _ in module.named_parameters(recurse=False):
        yield prefix + name, None
    for name, child in module.named_children():
        inner = f"{prefix}{name}."
        dimensions = [parameter.ndim for parameter in child.parameters()]
        if not dimensions or inner in head:
            continue
        if name in _ROWS or any(part.startswith(inner) for part in head):
            yield from _units(child, inner, head)
        else:
            yield inner, max(dimensions)
