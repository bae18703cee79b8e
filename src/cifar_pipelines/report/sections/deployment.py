"""The section on variants of trained networks for deployment, from what lies in the reporting folder."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted, three_digits
from cifar_pipelines.records.deployment_record import DeploymentRecord, VariantResult
from cifar_pipelines.report.document.blocks import (
    Block,
    Blocks,
    Figure,
    Section,
    bullets,
    png_size,
    say,
    spans,
    strong,
    table,
)
from cifar_pipelines.report.sections.pairs import write_p

FOLDER = "deployments"
Cell = Callable[[DeploymentRecord, VariantResult], object]


def deployments(reporting: Path) -> Section | None:
    """Tells of the newest study of every network that was deployed; None where there is none that can be read.

    Args:
        reporting: The folder with the results of all runs.
    """
    parts = tuple(_network(file, record) for file, record in _newest(reporting / FOLDER))
    return (
        Section("deployment", "Smaller and faster variants of trained networks", (say(INTRODUCTION), *parts))
        if parts
        else None
    )


INTRODUCTION = (
    "Every variant is made in one file, loaded back from it, timed in turn with the others on the same threads after calls "
    "that warm it up, and judged on all test images. Speed-up is that of the median against float32 of the same runtime. "
    "p is that of the exact McNemar test against the original, by Holm's correction; int8 says how many of the layers that "
    "multiply do so with integers. A hollow variant only looks smaller or faster, and is never chosen."
)


def _newest(folder: Path) -> Iterator[tuple[Path, DeploymentRecord]]:
    """The newest record of every network that can be read, with its file."""
    for model in sorted(folder.glob("*.json")):
        for file in sorted(model.glob("*/*.json"), reverse=True):
            try:
                yield file, DeploymentRecord.from_json(json.loads(file.read_text(encoding="utf-8")))
            except (OSError, ValueError, UserError):
                continue  # of another version, or cut short
            break


def _network(file: Path, record: DeploymentRecord) -> Section:
    rows = [[cell(record, variant) for cell in COLUMNS.values()] for variant in record.variants]
    blocks: Blocks = (say(strong(record.answer)), say(_how(record)), table(list(COLUMNS), rows), *_figure(file, record))
    notes = [spans(strong(one.name), f" is not measured: {one.reason}") for one in record.not_measured]
    notes += [
        spans(strong(variant.name), f" is hollow: {variant.hollow}") for variant in record.variants if variant.hollow
    ]
    notes += [spans(note) for note in record.notes]
    return Section(f"deployment {record.model}", record.model, (*blocks, *((bullets(notes),) if notes else ())))


def _how(record: DeploymentRecord) -> str:
    busy = record.host_load.other_cpu_share
    load = "" if busy is None else f" Other programs had {busy:.0%} of the host's CPU time while the clock ran."
    decided = (
        f" What to ship was chosen on {record.validation_images:,} validation images."
        if record.validation_images
        else ""
    )
    judged = (
        f"{record.test_images:,} test images"
        if record.test_images
        else f"judged on {record.validation_images:,} validation images"
    )
    return (
        f"{record.network}, trained under {record.setting}; {judged} of {record.data.source} at "
        f"{record.image_size} pixels, {counted(record.threads, 'thread')} on a host with {counted(record.host_cores, 'core')}, run "
        f"{record.run_id}.{decided}{load}"
    )


def _figure(file: Path, record: DeploymentRecord) -> tuple[Block, ...]:
    """The plot of the same run; nothing where it is not there."""
    name = f"{file.stem}.png"
    png = file.parents[2] / name / file.parent.name / name
    content = png.read_bytes() if png.is_file() else b""
    caption = f"Accuracy, time and bytes of the variants of {record.model}."
    return () if png_size(content) is None else (Figure(content, caption, name),)


def _speed(batch: int) -> Cell:
    def write(record: DeploymentRecord, variant: VariantResult) -> str:
        speedup = record.speedup(variant, batch)
        times = "" if speedup is None or variant.name == variant.baseline else f" ({speedup:.2f} times)"
        return f"{three_digits(variant.at(batch).p50_ms)} / {three_digits(variant.at(batch).p95_ms)}{times}"

    return write


def _accuracy(_: DeploymentRecord, variant: VariantResult) -> str:
    quality = variant.quality
    return f"{quality.accuracy:.2%} ({100 * quality.low:.1f} to {100 * quality.high:.1f})"


def _int8(_: DeploymentRecord, variant: VariantResult) -> str | None:
    return None if variant.int8_layers is None else f"{variant.int8_layers} of {variant.layers}"


COLUMNS: dict[str, Cell] = {
    "variant": lambda record, variant: variant.name + (" (hollow)" if variant.hollow else ""),
    "runtime": lambda record, variant: variant.runtime,
    "file [MB]": lambda record, variant: three_digits(variant.file_bytes / 1e6),
    "1 image: p50 / p95 [ms]": _speed(1),
    "32 images: p50 / p95 [ms]": _speed(32),
    "images/s": lambda record, variant: f"{variant.at(32).images_per_s:,.0f}",
    "accuracy": _accuracy,
    "agreement": lambda record, variant: f"{variant.quality.agreement:.2%}",
    "p, Holm": lambda record, variant: None if variant is record.original else write_p(variant.quality.p_holm),
    "largest shift": lambda record, variant: f"{variant.quality.largest_shift:.3f}",
    "int8": _int8,
    "weights": lambda record, variant: f"{variant.parameters:,}",
    "MFLOP": lambda record, variant: f"{(variant.flops or record.original.flops or 0) / 1e6:,.1f}",
}
