"""The parts of a network in the order in which an image passes them: what each makes of it, and what it learned."""

from dataclasses import dataclass

import torch
from torch import nn

MOST_PARTS = 24  # a container with more inside stays one part


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Attributes:
        name: Its name within the network.
        kind: The name of its class.
        shape: What it makes of one image: channels, height and width, or the length of a vector; empty where it is no tensor.
        parameters: Its learned numbers.
        times: How often an image passes it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    times: int


def parts_of(network: nn.Module, example: torch.Tensor) -> list[Part]:
    """The parts of a network in evaluation mode that an input of one image passes, in that order."""
    inside = [(name, part) for name, part in network.named_children()]
    if len(inside) == 1:  # one around all
        inside = [(f"{inside[0][0]}.{name}", part) for name, part in inside[0][1].named_children()] or inside
    parts: list[tuple[str, nn.Module]] = []
    for name, part in inside:
        children = list(part.named_children()) if isinstance(part, nn.Sequential) else []
        few = 0 < len(children) <= MOST_PARTS
        parts += [(f"{name}.{child}", module) for child, module in children] if few else [(name, part)]
    seen: dict[str, list[tuple[int, ...]]] = {}

    def note(name: str) -> object:
        def hook(module: nn.Module, given: object, made: object) -> None:
            seen.setdefault(name, []).append(tuple(made.shape[1:]) if isinstance(made, torch.Tensor) else ())

        return hook

    hooks = [part.register_forward_hook(note(name)) for name, part in parts]
    try:
        with torch.inference_mode():
            network(example)
    finally:
        for hook in hooks:
            hook.remove()
    by_name = dict(parts)
    return [
        Part(name, type(by_name[name]).__name__, shapes[-1], _learned(by_name[name]), len(shapes))
        for name, shapes in seen.items()
    ]


def _learned(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())
