"""Small transfers for the tests: a network of timm with 100,000 weights, on images of 16 pixels."""

import hashlib

import torch

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.head import HeadJob, StoredFeatures
from cifar_pipelines.training.phase_job import PhaseJob, write_start
from cifar_pipelines.training.phases import CACHE, build_phases

BACKBONE = "timm:test_efficientnet"
CLASSES = 3
ADAMW = {"name": "adamw", "learning_rate": 0.001}
SGD = {"name": "sgd", "learning_rate": 0.01, "layer_decay": 0.7}
HEAD = {"train": "head", "inputs": "cache", "epochs": 2, "batch_size": 8, "optimiser": ADAMW}
LAST = {"train": "last:1", "epochs": 2, "batch_size": 8, "optimiser": ADAMW, "augmentation": ["flip", "shift"]}
WHOLE = {"train": "all", "epochs": 2, "batch_size": 8, "optimiser": SGD, "bn": "affine", "averaging": 0.5}


def phases_of(*blocks):
    return build_phases(list(blocks), "transfer.models.tiny")


def make_features(images=24, dimension=256, views=2, validation=8):
    """Features in which the label can be read, with noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(images) % CLASSES
    held_out = torch.arange(validation) % CLASSES

    def draw(labels, *shape):
        noise = torch.randn(len(labels), *shape, dimension, generator=generator)
        signal = torch.nn.functional.one_hot(labels, CLASSES)
        noise[..., :CLASSES] += 4 * signal.view(len(labels), *(1 for _ in shape), CLASSES)
        return noise

    return StoredFeatures(draw(labels, views), labels, torch.arange(images), draw(held_out), held_out)


def begin(folder, seed=0):
    """A checkpoint that holds the start of the network."""
    checkpoint = Checkpoint(folder)
    checkpoint.begin({})
    torch.manual_seed(seed)
    write_start(checkpoint, create_backbone(BACKBONE).build(CLASSES).state_dict())
    return checkpoint


def make_jobs(files, folder, phases, **changes):
    """The jobs of all phases, in order."""
    fields = {
        "backbone": BACKBONE,
        "classes": CLASSES,
        "input": create_backbone(BACKBONE).input_spec("none", 16),
        "seed": 7,
        "keep": "best",
        "validation": ("test", 6),
        "loader": "memory",
        "precision": "fp32",
        "files": files,
        "train_images": 24,
        "checkpoint": str(folder),
    } | changes
    jobs = []
    for number, phase in enumerate(phases, start=1):
        of_phase = fields | {"phase": phase, "number": number}
        if phase.inputs == CACHE:
            jobs.append(HeadJob(**of_phase, features=make_features()))
        else:
            jobs.append(PhaseJob(**of_phase))
    return jobs


def digest(weights):
    """One text for all bits of a state dict."""
    content = b"".join(name.encode() + value.detach().numpy().tobytes() for name, value in sorted(weights.items()))
    return hashlib.sha256(content).hexdigest()
