"""The recipe: everything about training that is data."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.precision import PRECISIONS

if TYPE_CHECKING:
    from torch import nn, optim


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

    def __post_init__(self) -> None:
        for rule, names in (
            (_at_least(1), ("epochs", "batch_size")),
            (_at_least(0), ("crop_padding", "cutout")),
            (_positive, ("learning_rate", "bias_learning_rate_factor")),
            (_share, ("momentum", "label_smoothing", "warm_up", "final_learning_rate", "averaging")),
            (_not_negative, ("weight_decay",)),
            (_boolean, ("flip", "flip_at_test")),
        ):
            for name in names:
                if problem := rule(getattr(self, name)):
                    raise UserError(f"The recipe's {name} is {getattr(self, name)!r}, but must be {problem}.")
        if self.precision not in PRECISIONS:
            raise UserError(
                f"The recipe's precision is {self.precision!r}, but must be one of {', '.join(PRECISIONS)}."
            )

    @classmethod
    def from_config(cls, block: object) -> "Recipe":
        """Builds a recipe from its block of YAML.

        Raises:
            UserError: If a key is unknown or missing, or a value breaks its rule.
        """
        known = [item.name for item in fields(cls)]
        if not isinstance(block, dict):
            raise UserError(f"The recipe is {block!r}, but must hold {', '.join(known)}.")
        for key in block:
            if key not in known:
                raise unknown_name("key of the recipe", key, known)
        if missing := [name for name in known if name not in block]:
            raise UserError(f"The recipe lacks {', '.join(missing)}.")
        return cls(**block)

    def as_dict(self) -> dict[str, Any]:
        """The recipe as names and values."""
        return asdict(self)


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step: a linear rise, then a linear fall.

    Attributes:
        recipe: The recipe.
        steps: Steps in all.
    """

    recipe: Recipe
    steps: int
    start: float = field(default=0.2)

    def __call__(self, step: int) -> float:
        """Learning rate of a step, counted from 0, over the peak."""
        peak = self.recipe.warm_up * self.steps
        if step < peak:
            return self.start + (1 - self.start) * step / peak
        fall = (step - peak) / max(self.steps - 1 - peak, 1)
        return 1 + (self.recipe.final_learning_rate - 1) * fall


def create_optimizer(network: "nn.Module", recipe: Recipe) -> "optim.Optimizer":
    """SGD with Nesterov momentum and decoupled groups for biases and everything else.

    Args:
        network: The network; parameters that need no gradient are left out.
        recipe: The recipe.
    """
    from torch import optim

    learned = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    factor = recipe.bias_learning_rate_factor
    groups = [
        {
            "params": [p for name, p in learned if not name.endswith("bias")],
            "lr": recipe.learning_rate,
            "weight_decay": recipe.weight_decay,
        },
        {
            "params": [p for name, p in learned if name.endswith("bias")],
            "lr": recipe.learning_rate * factor,
            "weight_decay": recipe.weight_decay / factor,
        },
    ]
    groups = [group | {"peak": group["lr"]} for group in groups if group["params"]]
    return optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def set_learning_rate(optimizer: "optim.Optimizer", factor: float) -> float:
    """Sets the learning rate of every group to `factor` times its peak; returns that of the first."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return optimizer.param_groups[0]["lr"]


def _at_least(least: int) -> Any:
    def check(value: Any) -> str | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and value >= least else f"a whole number of at least {least}"

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> str | None:
    return None if _is_number(value) and value > 0 else "a positive number"


def _not_negative(value: Any) -> str | None:
    return None if _is_number(value) and value >= 0 else "a number of at least 0"


def _share(value: Any) -> str | None:
    return None if _is_number(value) and 0 <= value < 1 else "a number from 0 to below 1"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"
