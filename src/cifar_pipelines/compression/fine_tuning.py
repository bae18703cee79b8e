"""A short training of a network that was changed, so that it gets used to it."""

import math
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.progress import Progress
from cifar_pipelines.common.words import first_line
from cifar_pipelines.compression.subject import Material, Subject
from cifar_pipelines.training.device import CPU, cards, device_of, settle_precision

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4


def fine_tune(
    module: nn.Module, subject: Subject, material: Material, epochs: int, learning_rate: float, batch_size: int
) -> dict[str, Any]:
    """Trains a module on the training images; its running statistics follow.

    SGD with Nesterov momentum; the learning rate falls to 0 along a cosine (Loshchilov and Hutter, arXiv:1608.03983);
    images are changed at random as when the network was trained; on a card where the host has one; bf16 where the device has it.

    Returns:
        What was done: epochs, images, seconds, device, precision, and the mean loss of the first and of the last epoch.

    Raises:
        UserError: If there are fewer images than one step takes, or the loss is not finite.
    """
    images, labels = material.table.read("train")
    steps = len(images) // batch_size
    if not steps:
        raise UserError(
            f"A step takes {batch_size} images, and there are {len(images)} training images. Lower "
            "deployment.options.structured_pruning.batch_size."
        )
    started = time.perf_counter()
    device = device_of(cards() > 0)
    precision = settle_precision("auto", device is not CPU)
    module.to(device.name, memory_format=torch.channels_last).train()
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learned, learning_rate, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    losses, progress = [], Progress("Training what was changed, step", epochs * steps)
    for epoch in range(epochs):
        total = 0.0
        for batch, classes in subject.learned_from(images, labels, material.seed, epoch, batch_size):
            with device.autocast(precision):
                logits = _logits(module, batch.to(device.name))
            loss = cross_entropy(logits.float(), classes.to(device.name))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            progress.advance()
        if not math.isfinite(total):
            raise UserError(
                f"The loss is not finite. Lower the learning rate ({learning_rate}), "
                "deployment.options.structured_pruning.learning_rate."
            )
        losses.append(round(total / steps, 4))
    module.to(CPU.name).eval()
    seconds = round(time.perf_counter() - started, 1)
    return {
        "epochs": epochs, "images": len(images), "seconds": seconds, "device": device.kind, "precision": precision,
        "first_loss": losses[0], "last_loss": losses[-1],
    }  # fmt: skip


def _logits(module: nn.Module, batch: Tensor) -> Tensor:
    """The logits of a batch in training mode.

    Raises:
        UserError: If there are none, as in a network whose auxiliary head saw other channels before.
    """
    try:
        logits = module(batch)
    except RuntimeError as error:  # of shapes that do not fit any more
        raise UserError(f"The network cannot be trained any further ({first_line(str(error), 160)}).") from error
    if not isinstance(logits, Tensor):
        raise UserError("The network has an auxiliary head, with which it cannot be trained any further here.")
    return logits
