"""BigDL Orca's own CIFAR-10 example against ours: seconds of training until half of the test images are right.

The example (python/orca/example/learn/pytorch/cifar10 of the BigDL repository): LeNet, batches of 4, SGD with
learning rate 0.001 and momentum 0.9, images that PIL and torchvision turn into tensors one by one.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from benchmarks.cnn_training import NETWORK, CnnWorkload, open_setting
from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.pipelines.bigdl_cnn import nodes
from cifar_pipelines.pipelines.bigdl_cnn.specification import specify_cnn
from cifar_pipelines.training.checkpoint import forget
from cifar_pipelines.training.job import TrainingJob

NAME = "orca_example"
BAR = Bar(10, at_least=True)
TARGET = 0.5
EPOCHS = 15
# A narrow network and two epochs: half of the images right is far below what either network reaches in the end.
OUR_OPTIONS = {"width": 32, "growth": 2}
OUR_RECIPE = {"epochs": 2, "batch_size": 250, "learning_rate": 0.4, "weight_decay": 0.001}
BATCH = 4


class ExampleImages(torch.utils.data.Dataset):
    """The images as torchvision's CIFAR10 holds them: uint8 (n, h, w, 3), turned into tensors one by one."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        from torchvision import transforms

        self.data = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.targets = labels.tolist()
        half = (0.5, 0.5, 0.5)
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(half, half)])

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def create_network(config: dict[str, Any]) -> nn.Module:
    """The example's LeNet."""
    return build_network("lenet", NetworkShape(32, 10))


def create_optimizer(network: nn.Module, config: dict[str, Any]) -> torch.optim.Optimizer:
    """The example's optimizer."""
    return torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)


def training_loader(config: dict[str, Any], batch_size: int) -> torch.utils.data.DataLoader:
    """The example's loader of training images."""
    shard = config["job"].read_shard(0, 1)
    images = ExampleImages(shard.images, shard.labels)
    return torch.utils.data.DataLoader(images, batch_size=batch_size, shuffle=True)


def test_loader(config: dict[str, Any], batch_size: int) -> torch.utils.data.DataLoader:
    """Its loader of test images; in larger batches, so that validation takes little of its time."""
    images, labels = config["job"].read_validation(0, 1)
    return torch.utils.data.DataLoader(ExampleImages(images, labels), batch_size=250)


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Trains both at `exec_2x2` on the same images, once, and adds up the seconds of the epochs until the target."""
    with open_setting(arguments, "exec_2x2", (arguments.train_images, 1000), step) as work:
        step(f"Ours: {NETWORK} of width {OUR_OPTIONS['width']}, {OUR_RECIPE['epochs']} epochs.")
        history = _ours(work)
        ours, our_accuracy = _seconds_to_target(history)
        step(f"Orca's example: LeNet, batches of {BATCH}, at most {EPOCHS} epochs.")
        example, accuracy = _seconds_to_target(_example(work))
    best = f"best {accuracy:.1%}" if example is None else f"{accuracy:.1%} after {example:.0f} s"
    if ours is None or example is None:
        note = f"Not both reached {TARGET:.0%}: ours {our_accuracy:.1%}, the example's {best}."
        total = sum(row["seconds"] for row in history)
        return [Result(NAME, "s", [ours or total], notes=[note], holds=False)]
    note = (
        f"Time to {TARGET:.0%} of 1,000 test images: ours {our_accuracy:.1%} after {ours:.0f} s, the example's {best}."
    )
    return [Result(NAME, "s", [example], [ours], BAR, notes=[note, "Here the ratio is theirs over ours."])]


def _ours(work: CnnWorkload) -> list[dict[str, float]]:
    spec = specify_cnn(NETWORK, "bigdl", work.parameters["bigdl_cnn"])
    spec = replace(spec, options=OUR_OPTIONS, recipe=replace(spec.recipe, **OUR_RECIPE))
    checkpoints = work.folder / "checkpoints"
    _, history, _ = nodes.train_cnn(
        work.images, work.info, spec, {}, checkpoints, work.parameters["subset"]["seed"], work.context
    )
    forget(checkpoints, work.context.run_id)  # a further fit begins anew
    history["seconds"] += history["validation_seconds"]
    return history[["seconds", "validation_accuracy"]].to_dict("records")


def _example(work: CnnWorkload) -> list[dict[str, float]]:
    from bigdl.dllib.nncontext import init_nncontext
    from bigdl.orca.learn.metrics import Accuracy
    from bigdl.orca.learn.pytorch import Estimator

    from cifar_pipelines.engines.bigdl.estimator import contained

    shape = NetworkShape(32, len(work.info["class_names"]))
    spec = specify_cnn("lenet", "bigdl", work.parameters["bigdl_cnn"])
    files = tuple(work.images.inputFiles())
    job = TrainingJob("lenet", {}, shape, spec.recipe, "fp32", 42, files, work.info["train_size"], 1000, "")
    with contained():
        init_nncontext(spark_log_level="ERROR", redirect_spark_log=False)
        estimator = Estimator.from_torch(
            model=create_network, optimizer=create_optimizer, loss=nn.CrossEntropyLoss(), metrics=[Accuracy()],
            config={"job": job}, backend="spark", log_to_driver=False, log_level=logging.WARNING,
        )  # fmt: skip
        rows = estimator.fit(
            data=training_loader, epochs=EPOCHS, batch_size=BATCH, validation_data=test_loader, profile=True
        )
    return [
        {
            "seconds": row["profile"]["mean_train_epoch_s"] + row["profile"]["mean_validation_s"],
            "validation_accuracy": float(row["val_accuracy"]),
        }
        for row in rows
    ]


def _seconds_to_target(rows: Sequence[dict[str, float]]) -> tuple[float | None, float]:
    """Seconds until the first epoch that reaches the target, with its accuracy; None and the best if none does."""
    total = 0.0
    for row in rows:
        total += float(row["seconds"])
        if row["validation_accuracy"] >= TARGET:
            return total, float(row["validation_accuracy"])
    return None, max(row["validation_accuracy"] for row in rows)
