"""One worker's part of a phase: what differs from the training of a CNN in loss, step, evaluation and state."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cifar_pipelines.backbones import training_loss
from cifar_pipelines.training.batches import PlacedShard
from cifar_pipelines.training.device import CPU, Device
from cifar_pipelines.training.losses import classification_loss
from cifar_pipelines.training.optimisers import clip_gradients, load_optimizer
from cifar_pipelines.training.trainer import Trainer

KEPT = ("best", "last")  # what a phase hands on: the weights of its epoch of best validation accuracy, or of its last


@dataclass
class PhaseTrainer(Trainer):
    """Trains one replica through one phase.

    Attributes:
        batches_of: Returns the batches that a shard gives in an epoch, counted from 0: inputs and targets, on the CPU.
        prepare: Makes of such inputs what the network takes, on its device.
        phase: Number of the phase, from 1.
        keep: One of `KEPT`.
        seed: Seeds what is random in the network itself, such as dropout, at every step.
        device: Where it computes.
    """

    batches_of: Callable[[PlacedShard, int], Iterator[tuple[Tensor, Tensor]]] | None = None
    prepare: Callable[[Tensor], Tensor] = field(default=lambda inputs: inputs)
    phase: int = 1
    keep: str = "last"
    seed: int = 0
    device: Device = CPU
    _best: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # Of use to fp16 alone, whose small gradients would vanish.
        self._scaler = torch.amp.GradScaler(self.device.kind, enabled=self.precision == "fp16")

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.batches_of(self.shard, self.epoch)

    def _output(self, inputs: Tensor) -> Any:
        # Nothing but the step decides what is dropped, so that a training that was stopped goes on as it would have.
        self.device.seed(((self.seed * 1009 + self.phase) * 1_000_003 + self._step) % 2**63)
        with self.device.autocast(self.precision):
            return self.model(self.prepare(inputs))

    def _loss(self, output: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
        smoothing, targets = self.recipe.label_smoothing, self.device.take(targets)
        loss = training_loss(output, lambda logits: classification_loss(logits.float(), targets, smoothing))
        return loss, output[0] if isinstance(output, tuple) else output

    def _descend(self, loss: Tensor) -> None:
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self.optimizer)
        clip_gradients(self.optimizer, self.recipe.optimiser.clip)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    @torch.inference_mode()
    def evaluate(self, validation: tuple[Iterable[Tensor], Tensor]) -> dict[str, float]:
        """Sums of loss (without label smoothing) and of right predictions over batches of images and all their labels."""
        batches, labels = validation
        weights, training = self.weights(), self.network.training
        self.network.eval()
        parts = [labels.new_empty((0, 1), dtype=torch.float32)]
        with self.device.autocast(self.precision):
            for inputs in batches:
                prepared = self.prepare(inputs)
                parts.append(torch.func.functional_call(self.network, weights, (prepared,)).float().cpu())
        self.network.train(training)
        if len(parts) == 1:
            return {"loss": 0.0, "correct": 0, "images": 0}
        logits = torch.cat(parts[1:])
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        return {"loss": loss, "correct": (logits.argmax(1) == labels).sum().item(), "images": len(labels)}

    def judged(self, row: dict[str, float]) -> None:
        """Keeps the weights of an epoch that no epoch of the phase before it was better than."""
        score = (row["validation_accuracy"], -row["validation_loss"])
        if self.keep == "best" and self._best is not None and score <= tuple(self._best["score"]):
            return
        weights = {name: value.detach().cpu().clone() for name, value in self.weights().items()}
        self._best = {"score": list(score), "epoch": row["epoch"], "weights": weights}

    def state(self) -> dict[str, Any]:
        """Everything that the phase needs to go on, and what it hands on: `kept`, with the `epoch` that it is of."""
        return super().state() | {"phase": self.phase, "kept": self._best, "scaler": self._scaler.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from a state that `state` returned; refuses one of other parameters, by name."""
        load_optimizer(self.optimizer, state["optimizer"])
        average = state["average"]
        on_device = average and {name: value.to(self.device.name) for name, value in average.items()}
        super().load_state(state | {"average": on_device})
        self._scaler.load_state_dict(state["scaler"])
        self._best = state["kept"]
