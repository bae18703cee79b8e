"""One worker's training: the step, the epoch, the validation, and the state that a checkpoint holds."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cifar_pipelines.training.ema import WeightAverage
from cifar_pipelines.training.loading import EVALUATION_BATCH
from cifar_pipelines.training.losses import count_correct
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.recipe import Recipe, set_learning_rate
from cifar_pipelines.training.shard import Shard, normalise

INITIALISATION_IMAGES = 2000

ONE_VIEW = PredictionViews()


class NotFiniteError(FloatingPointError):
    """The loss is infinite or not a number."""


@dataclass
class Trainer:
    """Trains one replica of a network; replicas are kept equal by whatever wraps `model`.

    Attributes:
        network: The bare network.
        optimizer: Its optimizer, from `create_optimizer`.
        recipe: The recipe.
        shard: This worker's training images.
        steps: Steps per epoch, the same for every worker.
        batch_size: Images of this worker per step.
        precision: "bf16" or "fp32".
        model: What is called for a forward pass: the network, or a wrapper that averages gradients.
        loss_weight: This worker's images per step over the mean of all workers', so that every image counts
            the same in the averaged gradient.
        epoch: Epochs done.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    recipe: Recipe
    shard: Shard
    steps: int
    batch_size: int
    precision: str
    model: nn.Module | None = None
    loss_weight: float = 1.0
    epoch: int = 0
    _sums: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.model or self.network
        self._average = WeightAverage(self.recipe.averaging)
        self._step = 0

    def initialise(self) -> None:
        """Lets the network look at training images before the first step, if it wants to."""
        if hasattr(self.network, "initialise"):
            self.network.initialise(normalise(self.shard.images[:INITIALISATION_IMAGES]))

    def begin_epoch(self) -> Any:
        """Starts an epoch and returns an iterator over its batches."""
        self._sums = {"loss": 0.0, "correct": 0.0, "images": 0.0}
        self._started = time.perf_counter()
        self._step = self.epoch * self.steps
        self.model.train()
        return self._batches()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of this epoch: inputs and targets."""
        return self.shard.batches(self.epoch, self.steps, self.batch_size, self.recipe)

    def _output(self, inputs: Tensor) -> Any:
        """What the network, as it is in training mode, makes of a batch."""
        with autocast(self.precision):
            return self.model(inputs).float()

    def _loss(self, output: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss of a batch, and its logits."""
        return cross_entropy(output, targets, label_smoothing=self.recipe.label_smoothing), output

    def _descend(self, loss: Tensor) -> None:
        """Takes one step down the gradient of the loss."""
        loss.backward()
        self.optimizer.step()

    def evaluate(self, validation: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Sums over validation images and labels, with the weights that are kept; see `evaluate`."""
        return evaluate(self.network, self.weights(), *validation, self.precision)

    def judged(self, row: dict[str, float]) -> None:
        """Is told the row of the history that an epoch ended with, before the state is kept."""

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Computes the mean loss of a batch.

        Args:
            inputs: What the shard gives for images.
            targets: Labels, int64 (n,); or shares of classes (n, classes), of which no prediction is right or wrong.

        Raises:
            NotFiniteError: If it is infinite or not a number; the epoch and the step are named.
        """
        loss, logits = self._loss(self._output(inputs), targets)
        value = loss.item()
        if not math.isfinite(value):
            raise NotFiniteError(
                f"The loss is {value} in epoch {self.epoch + 1}, step {self._step - self.epoch * self.steps + 1}. "
                f"Lower the recipe's learning_rate ({self.recipe.learning_rate})."
            )
        correct = count_correct(logits, targets.to(logits.device))
        self._sums["loss"] += value * len(targets)
        self._sums["correct"] += math.nan if correct is None else correct
        self._sums["images"] += len(targets)
        return loss

    def so_far(self) -> dict[str, float]:
        """How far this epoch has come after a forward pass: `step`, from 1, of so many `steps`, and the mean `loss`."""
        step = self._step - self.epoch * self.steps + 1
        return {"step": step, "steps": self.steps, "loss": self._sums["loss"] / self._sums["images"]}

    def backward(self, loss: Tensor) -> None:
        """Takes one step of the optimizer at this step's learning rate."""
        factor = self.recipe.schedule(self._step, self.steps * self.recipe.epochs)
        self.learning_rate = set_learning_rate(self.optimizer, factor)
        self.optimizer.zero_grad(set_to_none=True)
        self._descend(loss * self.loss_weight)
        self._step += 1
        self._average.update(self.network, self._step)

    def end_epoch(self) -> dict[str, float]:
        """Ends an epoch; returns the sums `loss`, `correct` and `images` over this worker's images, and `seconds`.

        `correct` is not a number where images were mixed.
        """
        self.epoch += 1
        return self._sums | {"seconds": time.perf_counter() - self._started}

    def weights(self) -> dict[str, Tensor]:
        """The state dict that is kept: the averaged one where the recipe averages, else the latest."""
        return self.network.state_dict() if self._average.weights is None else self._average.weights

    def buffers(self) -> list[Tensor]:
        """The running statistics of the network, and their averages where the recipe averages; every worker has its own."""
        named, averages = dict(self.network.named_buffers()), self._average.weights or {}
        return [*named.values(), *(averages[name] for name in named if name in averages)]

    def state(self) -> dict[str, Any]:
        """Everything that training needs to go on: weights, their average, momentum, epoch."""
        return {
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "average": self._average.weights,
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from a state that `state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._average.weights = state["average"]
        self.epoch = state["epoch"]


def autocast(precision: str) -> Any:
    """The context in which a forward pass computes in `precision`."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


@torch.inference_mode()
def predict_logits(
    network: Callable[[Tensor], Tensor],
    images: Tensor,
    precision: str,
    views: PredictionViews = ONE_VIEW,
    prepare: Callable[[Tensor], Tensor] = normalise,
) -> Tensor:
    """Predicts images with a network in evaluation mode.

    Args:
        network: The network.
        images: uint8 tensor of shape (n, 3, size, size).
        precision: "bf16" or "fp32".
        views: Over which views of an image the logits are averaged.
        prepare: Makes of such images what the network takes.

    Returns:
        Logits, float32, of shape (n, classes).
    """
    parts = []
    with autocast(precision):
        # No images are one empty batch: a worker's share of few validation images may be none.
        for start in range(0, max(len(images), 1), EVALUATION_BATCH):
            batch = prepare(images[start : start + EVALUATION_BATCH])
            parts.append(sum(network(view).float() for view in views(batch)) / views.count)
    return torch.cat(parts)


def evaluate(
    network: nn.Module, weights: dict[str, Tensor], images: Tensor, labels: Tensor, precision: str
) -> dict[str, float]:
    """Sums of loss (without label smoothing) and of right predictions over images, with given weights.

    The network's own weights and mode are as before afterwards.
    """
    training = network.training
    network.eval()
    logits = predict_logits(lambda batch: torch.func.functional_call(network, weights, (batch,)), images, precision)
    network.train(training)
    return {
        "loss": cross_entropy(logits, labels, reduction="sum").item(),
        "correct": (logits.argmax(1) == labels).sum().item(),
        "images": len(labels),
    }
