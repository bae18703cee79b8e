"""Networks without memory for their weights, of which names and shapes are wanted alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.overrides import TorchFunctionMode


@contextmanager
def without_memory() -> Iterator[None]:
    """Makes modules on torch's device "meta", and draws no weights for them.

    To draw on that device torch imports sympy, which takes longer than torch itself.
    """
    import torch

    with torch.device("meta"), _undrawn()():
        yield


@cache
def _undrawn() -> "type[TorchFunctionMode]":
    import torch
    from torch.overrides import TorchFunctionMode

    draw = {
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
        torch.nn.init.normal_,
        torch.nn.init.uniform_,
        torch.nn.init.trunc_normal_,
    }

    class Undrawn(TorchFunctionMode):
        """Leaves tensors as they are where they would be filled with random numbers."""

        def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
            if func in draw:
                return args[0] if args else kwargs["tensor"]
            return func(*args, **kwargs or {})

    return Undrawn
