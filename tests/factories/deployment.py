"""A small trained network, its images and its variants for the tests of deployment."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from tests.factories.training import RECIPE, write_images
from torch import nn

from cifar_pipelines.common.squares import Square
from cifar_pipelines.compression.fine_tuning import fine_tune
from cifar_pipelines.compression.subject import ImageTable, Material, Subject, load_subject
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.records.deployment_record import DeploymentRecord, Latency, Limits, Quality, VariantResult
from cifar_pipelines.records.parts import Data, HostLoad
from cifar_pipelines.training.shard import normalise
from cifar_pipelines.training.trained_network import TrainedNetwork

SIZE, CLASSES = 16, ("dark", "grey", "bright")
TRAIN, TEST, VALIDATION = 96, 60, 45


def save_network(file: Path, name="lenet", options=None, training=None, seed=0) -> Path:
    """Saves a network with random weights as a training saves it."""
    torch.manual_seed(seed)
    options = options or {}
    weights = build_network(name, NetworkShape(SIZE, len(CLASSES)), options).state_dict()
    file.parent.mkdir(parents=True, exist_ok=True)
    trained = TrainedNetwork(
        name, options, NetworkShape(SIZE, len(CLASSES)), weights, CLASSES, {"recipe": RECIPE} | (training or {})
    )
    torch.save(trained.as_dict(), file)
    return file


def unchanged(images, labels, seed, epoch, batch_size):
    """Batches of an epoch in the order of the images."""
    for start in range(0, len(images) // batch_size * batch_size, batch_size):
        yield normalise(images[start : start + batch_size]), labels[start : start + batch_size]


def small(padding="same"):
    """One convolution of 8 channels, and a linear layer."""
    layers = (nn.Conv2d(3, 8, 3, padding=padding), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    return Subject(
        lambda: nn.Sequential(*layers).eval(), Square(SIZE), ("a", "b", "c"), normalise, learned_from=unchanged
    )


def make_material(folder: Path, calibration_images=32) -> Material:
    """Images of three classes that differ in brightness."""
    write_images(folder / "images", TRAIN, TEST, size=SIZE, classes=len(CLASSES), parts=2, validation=VALIDATION)
    files = tuple(map(str, sorted((folder / "images").glob("*.parquet"))))
    return Material(ImageTable(files, Square(SIZE)), calibration_images, seed=3)


def train(file: Path, material: Material) -> None:
    """Trains a saved network until it tells the classes apart."""
    subject = load_subject(file)
    module = subject.build()
    fine_tune(module, subject, material, epochs=5, learning_rate=0.05, batch_size=16)
    content = torch.load(file, weights_only=True)
    torch.save(content | {"state_dict": module.state_dict()}, file)


def write_info(file: Path) -> dict:
    """What stands beside the image table."""
    info = {
        "source": "made_up", "fingerprint": "0123456789abcdef-156", "class_names": list(CLASSES), "train_size": TRAIN,
        "test_size": TEST, "bad_images_skipped": 0,
    }  # fmt: skip
    file.write_text(json.dumps(info))
    return info


def make_result(name="onnx_int8", ms=2.0, megabytes=11.0, right=900, **changes) -> VariantResult:
    """A variant that was measured on 1,000 test images, of which the original got 900 right."""
    accuracy = right / 1000
    quality = Quality(accuracy, accuracy - 0.02, accuracy + 0.02, 0.98, 0.1, 10, 8, 0.6, 0.6, -0.004, 0.006)
    latency = (Latency(1, ms, 1.2 * ms, 1000 / ms, 50), Latency(32, 20 * ms, 22 * ms, 1600 / ms, 20))
    fields = {
        "name": name, "runtime": "ONNX Runtime", "baseline": "onnx_fp32", "file": f"data/{name}.onnx",
        "file_bytes": int(megabytes * 1e6), "parameters": 11_000_000, "make_s": 3.0, "latency": latency, "quality": quality,
    }  # fmt: skip
    return VariantResult(**fields | changes)


def make_original(ms=8.0, megabytes=44.0) -> VariantResult:
    return make_result("original", ms, megabytes, runtime="torch", baseline="original", flops=3_000_000_000)


def make_deployment(*variants: VariantResult, **changes) -> DeploymentRecord:
    """The record of a study of deployment."""
    data = Data("cifar10", "0123456789abcdef-1000", CLASSES, 10_000, 1000, 0, 42)
    record = DeploymentRecord(
        "2026-11-20T10.00.00.000Z", "2026-11-20T10:00:00+00:00", "resnet18", "data/resnet18.pt", "exec_2x1", data, 1000,
        224, 2, 5, 3.0, 2, HostLoad(0.1, 0.2, 0.03), {"python": "3.11"}, None, Limits(0.5, 100.0), "onnx_int8",
        "Ship onnx_int8.", variants or (make_original(), make_result()),
    )  # fmt: skip
    return replace(record, **changes)
