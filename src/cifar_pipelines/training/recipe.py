"""The recipe of a training: its numbers, its learning rate by step, its optimizer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.precision import PRECISIONS
from cifar_pipelines.training.augmentation import build_augmentation
from cifar_pipelines.training.schedules import Schedule

if TYPE_CHECKING:
    from torch import nn, optim

_SHARES = ("momentum", "label_smoothing", "warm_up", "final_learning_rate", "averaging")
# What numbers must be, besides being numbers; a comparison with NaN never holds.
_RULES: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    ("a positive number", lambda value: 0 < value < inf, ("learning_rate", "bias_learning_rate_factor")),
    ("a number of at least 0", lambda value: 0 <= value < inf, ("weight_decay",)),
    ("a number from 0 to below 1", lambda value: 0 <= value < 1, _SHARES),
    (f"one of {', '.join(PRECISIONS)}", lambda value: value in PRECISIONS, ("precision",)),
)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the same for every engine and any number of workers.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step, over all workers.
        learning_rate: Peak learning rate of SGD with Nesterov momentum.
        bias_learning_rate_factor: Biases learn this many times faster.
        momentum: Momentum.
        weight_decay: Weight decay per unit of learning rate.
        label_smoothing: Share of the target that is spread over all classes, 0 to 1.
        warm_up: Share of the steps in which the learning rate rises linearly from a fifth of its peak.
        final_learning_rate: Learning rate of the last step over the peak.
        crop_padding: Images are shifted by up to this many pixels, reflected at the border.
        flip: Whether images are mirrored in every other epoch, which half is drawn once (alternating flip).
        cutout: Side of a square that is blanked, in pixels; 0 for none.
        averaging: Decay per step of an exponential average of the weights, which is what is kept; 0 for none.
        flip_at_test: Whether predictions are averaged with those of the mirrored image.
        precision: "auto" (bf16 where all workers' CPUs have it), "bf16" or "fp32".
        shift_at_test: Pixels by which images are shifted along their diagonal, both ways, for two more views that predictions are
            averaged over; 0 for none.
        augmentation: What else is changed of every image at random, by names of `augmentation` with their options, before squares are
            blanked.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    bias_learning_rate_factor: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    warm_up: float
    final_learning_rate: float
    crop_padding: int
    flip: bool
    cutout: int
    averaging: float
    flip_at_test: bool
    precision: str
    shift_at_test: int = 0
    augmentation: list = field(default_factory=list)

    def __post_init__(self) -> None:
        for least, names in ((1, ("epochs", "batch_size")), (0, ("crop_padding", "cutout", "shift_at_test"))):
            for name in names:
                whole(f"The recipe's {name}", getattr(self, name), least)
        for rule, holds, names in _RULES:
            for name in names:
                if not holds(value := getattr(self, name)):
                    raise UserError(f"The recipe's {name} is {value!r}, but must be {rule}.")
        build_augmentation(self.augmentation)

    @property
    def schedule(self) -> Schedule:
        """The learning rate by step: a linear rise, then a linear fall."""
        return Schedule("triangular", self.warm_up, self.final_learning_rate)


def create_optimizer(network: "nn.Module", recipe: Recipe) -> "optim.Optimizer":
    """SGD with Nesterov momentum and decoupled groups for biases and everything else that needs a gradient."""
    from torch import optim

    learned = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    factor = recipe.bias_learning_rate_factor
    others = [p for name, p in learned if not name.endswith("bias")]
    biases = [p for name, p in learned if name.endswith("bias")]
    groups = [
        {"params": others, "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay},
        {"params": biases, "lr": recipe.learning_rate * factor, "weight_decay": recipe.weight_decay / factor},
    ]
    groups = [group | {"peak": group["lr"]} for group in groups if group["params"]]
    return optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def set_learning_rate(optimizer: "optim.Optimizer", factor: float) -> float:
    """Sets the learning rate of every group to `factor` times its peak; returns that of the first."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return optimizer.param_groups[0]["lr"]
