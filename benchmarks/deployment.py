"""ResNet-18 at 224 px as it is deployed: static int8 and structured pruning against float32 of the same runtime."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.common.squares import Square
from cifar_pipelines.compression.subject import ImageTable, Material, Subject
from cifar_pipelines.sources import ImageSource, open_source

NAME, BACKBONE = "deployment", "torchvision:resnet18"
BARS = {"onnx_int8": Bar(2.0, at_least=True), "structured_pruning": Bar(1.5, at_least=True)}
SIZE_BAR = Bar(3.8, at_least=True)
BASELINE = "onnx_fp32"
CALIBRATION, SECONDS, WARM_UP = 64, 3.0, 3


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Makes the variants of a network with random weights, which has the speed and size of a trained one, and times them.

    Every round makes a ratio of its own; one thread computes. How much accuracy a variant costs is said by
    `kedro run --pipelines deployment` for a network that was trained.
    """
    from cifar_pipelines.compression.timing import time_in_turn, torch_threads
    from cifar_pipelines.compression.variants import create_variant

    options = {"structured_pruning": {"epochs": 0}}  # further training changes no speed
    variants = {name: create_variant(name, options.get(name)) for name in (BASELINE, *BARS)}
    with tempfile.TemporaryDirectory() as folder, torch_threads(1):
        source = open_source(arguments.source, arguments.source_path)
        subject = _subject(source)
        table = _table(source, Path(folder) / "images.parquet", subject.square)
        material, loaded, sizes = Material(table, CALIBRATION, seed=0), {}, {}
        for name, variant in variants.items():
            step(f"Making {name} of ResNet-18.")
            file = Path(folder) / f"{name}.{variant.ending}"
            variant.make(subject, material, file)
            loaded[name], sizes[name] = variant.load(subject, file, threads=1), file.stat().st_size
        speeds: dict[str, list[float]] = {name: [] for name in variants}
        for repeat in range(arguments.repeats):
            step(f"Deployment, round {repeat + 1} of {arguments.repeats}.")
            for name, latency in time_in_turn(loaded, subject.example(1), WARM_UP, SECONDS).items():
                speeds[name].append(latency.images_per_s)
    note = "One image at a time, one thread, ONNX Runtime on both sides."
    fast = [
        Result(f"{NAME}_{name}", "images/s", speeds[name], speeds[BASELINE], bar, [note]) for name, bar in BARS.items()
    ]
    smaller = Result(f"{NAME}_int8_size", "x", [sizes[BASELINE] / sizes["onnx_int8"]], bar=SIZE_BAR, notes=[
        f"{sizes[BASELINE] / 1e6:.1f} MB and {sizes['onnx_int8'] / 1e6:.1f} MB."
    ])  # fmt: skip
    return [*fast, smaller]


def _subject(source: ImageSource) -> Subject:
    from cifar_pipelines.backbones import create_backbone, load_weights

    backbone = create_backbone(BACKBONE)
    weights = load_weights(backbone, "none")
    spec, names = backbone.input_spec(weights), source.class_names
    return Subject(lambda: backbone.build(len(names), weights.state_dict).eval(), spec.square, names, spec.prepare)


def _table(source: ImageSource, file: Path, square: Square) -> ImageTable:
    """The first training images as an image table; reads no pixel of them."""
    import pyarrow as pa
    from pyarrow import parquet

    index = source.index("train")[:CALIBRATION]
    rows = zip(index["label"], source.read(index["image_id"]), strict=True)
    columns = [
        {"image_id": name, "label": label, "split": "train", "rank": rank, "image": image}
        for rank, (label, (name, image)) in enumerate(rows)
    ]
    parquet.write_table(pa.Table.from_pylist(columns), file)
    return ImageTable((str(file),), square)
