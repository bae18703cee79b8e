"""Optimisers by name, and the groups of parameters that they step with rates of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import number
from cifar_pipelines.training.stages import Stages, stage_of

if TYPE_CHECKING:
    from torch import nn, optim

OPTIMISERS = ("adam", "adamw", "sgd")
MOMENTUM = 0.9


@dataclass(frozen=True)
class Optimiser:
    """How parameters are stepped.

    Attributes:
        name: "sgd" with Nesterov momentum, "adam" (Kingma and Ba, 2015), or "adamw" with decoupled weight decay
            (Loshchilov and Hutter, 2019).
        learning_rate: Peak learning rate of the last stage, the head.
        weight_decay: Weight decay, as torch defines it for the named optimiser.
        momentum: Momentum of sgd.
        layer_decay: Every stage before the head learns this many times as fast as the one after it; 1 for all alike.
        decay_biases_and_norms: Whether biases, and gains of normalisation, decay as well.
        clip: Largest norm that a step's gradient, over all parameters, may have; 0 for any.
    """

    name: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = MOMENTUM
    layer_decay: float = 1.0
    decay_biases_and_norms: bool = False
    clip: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in OPTIMISERS:
            raise unknown_name("optimiser", self.name, OPTIMISERS)
        number("The optimiser's learning_rate", self.learning_rate, 0, above=True)
        number("The optimiser's weight_decay", self.weight_decay, 0)
        number("The optimiser's momentum", self.momentum, 0, 1, below=True)
        number("The optimiser's layer_decay", self.layer_decay, 0, 1, above=True)
        number("The optimiser's clip", self.clip, 0)
        if self.name != "sgd" and self.momentum != MOMENTUM:
            raise UserError(
                f"The optimiser's momentum is {self.momentum!r}, but {self.name} has none to choose. Leave it out, or use sgd."
            )

    def create(self, network: "nn.Module", stages: Stages | None = None) -> "optim.Optimizer":
        """Creates the torch optimizer of all parameters that need a gradient, each in exactly one group.

        Args:
            network: The network.
            stages: Its stages from input to head; None takes all parameters as one stage.

        Returns:
            An optimizer whose groups, the head's first, have a "name", the "param_names" in it, and the "peak" that
            `set_learning_rate` scales.

        Raises:
            ValueError: If nothing needs a gradient, or a parameter lies in no stage.
        """
        from torch import optim

        groups = self._groups(network, stages or [("all", [])])
        if self.name == "sgd":
            return optim.SGD(groups, lr=self.learning_rate, momentum=self.momentum, nesterov=self.momentum > 0)
        kinds = {"adam": optim.Adam, "adamw": optim.AdamW}
        return kinds[self.name](groups, lr=self.learning_rate)

    def _groups(self, network: "nn.Module", stages: Stages) -> list[dict[str, Any]]:
        groups: dict[tuple[int, bool], dict[str, Any]] = {}
        for name, parameter in network.named_parameters():  # each once, told apart by identity and never by value
            if not parameter.requires_grad:
                continue
            position = stage_of(name, stages) if stages[0][1] else 0
            decays = self.decay_biases_and_norms or (parameter.ndim > 1 and not name.endswith("bias"))
            rate = self.learning_rate * self.layer_decay ** (len(stages) - 1 - position)
            group = {
                "name": stages[position][0] + ("" if decays else ", no decay"),
                "lr": rate, "peak": rate, "weight_decay": self.weight_decay if decays else 0.0, "params": [],
            }  # fmt: skip
            groups.setdefault((position, decays), group)["params"].append((name, parameter))
        if not groups:
            raise ValueError("No parameter needs a gradient: there is nothing to optimise.")
        return [groups[key] for key in sorted(groups, reverse=True)]


def clip_gradients(optimizer: "optim.Optimizer", limit: float) -> None:
    """Scales the gradients of all groups so that their common norm is at most `limit`; 0 leaves them as they are."""
    from torch.nn.utils import clip_grad_norm_

    if limit:
        clip_grad_norm_([parameter for group in optimizer.param_groups for parameter in group["params"]], limit)


def load_optimizer(optimizer: "optim.Optimizer", state: Mapping[str, Any]) -> None:
    """Loads a state dict of an optimizer that stepped the same parameters in the same groups.

    Raises:
        UserError: If a group or parameter differs, with its name.
    """
    theirs, ours = (
        {name: group["name"] for group in groups for name in group["param_names"]}
        for groups in (state["param_groups"], optimizer.param_groups)
    )
    different = [name for name in sorted(theirs.keys() | ours.keys()) if theirs.get(name) != ours.get(name)]
    if different:
        first = different[0]
        raise UserError(
            f"{len(different)} parameters are optimised otherwise than in the checkpoint, such as {first!r} (checkpoint: "
            f"{theirs.get(first, 'frozen')}; now: {ours.get(first, 'frozen')}). Train the same stages, or begin anew."
        )
    optimizer.load_state_dict(dict(state))
