"""What learns in a network, and what its batch normalisation does meanwhile.

"Frozen batch normalisation" is three things: gain and bias get no gradient, the running statistics are not updated, and
they, not the batch's own, normalise. A policy names them together, and holds however often the network is set to training.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from cifar_pipelines.common.errors import unknown_name
from cifar_pipelines.training.stages import belongs

if TYPE_CHECKING:
    from torch import nn

# frozen: all three. affine: gain and bias learn, the statistics stay and normalise. train: all learns.
POLICIES = ("frozen", "affine", "train")


def require_policy(name: str) -> None:
    """Raises a `UserError` with the nearest names for an unknown policy."""
    if name not in POLICIES:
        raise unknown_name("policy of batch normalisation", name, POLICIES)


def freeze_all_but(network: "nn.Module", prefixes: Sequence[str] | None, policy: str) -> list[str]:
    """Chooses what learns, anew: what an earlier call chose is forgotten.

    Parts of which nothing learns stay in evaluation mode with all that is random in them, such as dropout, so that what
    they compute depends on the image alone. Batch normalisation in parts that learn follows the policy; layer and group
    normalisation keep no statistics and learn with their part.

    Args:
        network: The network; it is changed.
        prefixes: Of the names of the parameters that learn; None for all.
        policy: One of `POLICIES`.

    Returns:
        Names of the parameters that learn.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    require_policy(policy)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(prefixes is None or belongs(name, prefixes))
    modules = list(network.named_modules())
    for _, module in modules:
        _release(module)
    for name, module in modules:
        normalises = isinstance(module, _BatchNorm)
        if normalises and policy == "frozen":
            module.requires_grad_(False)
        learned = [parameter.requires_grad for parameter in module.parameters()]
        within = prefixes is None or belongs(name, prefixes)
        if (learned and not any(learned)) or (normalises and not (within and policy == "train")):
            _hold(module)
    network.train(network.training)
    return [name for name, parameter in network.named_parameters() if parameter.requires_grad]


class _Held:
    """In evaluation mode, with all that is in it, whatever mode is asked for."""

    def train(self, mode: bool = True) -> "nn.Module":
        return super().train(False)


@cache
def _held(kind: type) -> type:
    return type(kind.__name__, (_Held, kind), {})


def _hold(module: "nn.Module") -> None:
    # A class of its own and not a hook: it survives copies of the network, and keeps names in the state dict as they are.
    module.__class__ = _held(type(module))


def _release(module: "nn.Module") -> None:
    if isinstance(module, _Held):
        module.__class__ = type(module).__mro__[2]
