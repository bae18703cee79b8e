"""The exponential moving average of a network's weights (Polyak and Juditsky, 1992), with a decay that warms up."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

WARM_UP = 10  # steps until the decay is a half


class WeightAverage:
    """Averages weights and running statistics after every step; counters are copied.

    The decay is min(decay, step / (step + 10)): early steps count less, or the first weights would stay in the average
    for long, and all there is of a short training.

    Args:
        decay: Share of the average that a step keeps, below 1; 0 for no average.

    Attributes:
        weights: The average as a state dict, or None before the first step; a checkpoint holds it, and sets it again.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] | None = None

    def update(self, network: "nn.Module", step: int) -> None:
        """Takes in a network after its `step`-th step, counted from 1 over the whole training."""
        if not self.decay:
            return
        state = network.state_dict()
        if self.weights is None:
            self.weights = {name: value.clone() for name, value in state.items()}
            return
        decay = min(self.decay, step / (step + WARM_UP))
        for name, value in state.items():
            if value.dtype.is_floating_point:
                self.weights[name].lerp_(value, 1 - decay)
            else:
                self.weights[name].copy_(value)
