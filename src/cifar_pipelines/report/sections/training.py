"""The section on what it took to train each network, and how well it knew its training images in the end."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby

import pandas as pd

from cifar_pipelines.common.contents import TEXT, content_of
from cifar_pipelines.records.parts import Data
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.training_parts import WorkerReport
from cifar_pipelines.report.document.blocks import Section, say
from cifar_pipelines.report.sections.cells import Columns, behind, table_of, without_empty

CAVEAT = (
    "Training accuracy is that of the last epoch, counted while the network learned and on what augmentation made, so "
    "that it can lie below the others. Validation F1 is there where a validation split was cut from training and models are judged "
    "on a test split. As augmented, a training image counts once for every epoch that changes it at "
    "random, or for every stored view. Memory is that of the largest worker; on a card that of its tensors. The batch is that of all "
    "workers together. Trained parameters "
    "are said of networks that were trained in phases: those of the phase that trained most."
)


def training(records: pd.DataFrame) -> Section | None:
    """Batch, size, memory, time and accuracies of the newest run of every network of a study; None where there is none.

    Args:
        records: Its run records, the oldest first.
    """
    networks = records[records["raw"].map(lambda record: bool(record.history))]
    if networks.empty:
        return None
    latest = networks.groupby(["label", "setting"], dropna=True).tail(1).sort_values(["label", "setting"])
    return Section(
        "training",
        "What it took to train each network",
        (without_empty(table_of(latest, _columns(latest.iloc[-1]["raw"].data))), say(CAVEAT)),
    )


def _of(value: Callable[[RunRecord], object]) -> Callable[[pd.Series], object]:
    return lambda row: value(row["raw"])


def _images(record: RunRecord) -> str:
    data = record.data
    sizes = (data.train_size, data.validation_size, data.test_size)
    return " / ".join("–" if not size else f"{size:,}" for size in sizes)


def _batch(record: RunRecord) -> str | None:
    sizes = [worker.batch_size for worker in record.workers]
    return None if not sizes or None in sizes else f"{sum(sizes):,}"


def _device(record: RunRecord) -> str | None:
    """Names what the workers of all phases computed on."""
    return ", ".join(dict.fromkeys(worker.device for worker in _workers(record) if worker.device)) or None


def _trained_parameters(record: RunRecord) -> str | None:
    return f"{max(phase.trained_parameters for phase in record.phases):,}" if record.phases else None


def _workers(record: RunRecord) -> Iterator[WorkerReport]:
    """Those of all phases; the last phase's may be the record's own."""
    return chain(*(phase.workers for phase in record.phases), record.workers)


def _largest(peaks: Iterable[float | None]) -> str | None:
    known = [peak for peak in peaks if peak]
    return f"{max(known):,.0f}" if known else None


def _augmented(record: RunRecord) -> str | None:
    """How many images were seen, of which augmentation makes each anew in every epoch; None of texts, which none changes."""
    if content_of(vars(record.data)) is TEXT:
        return None
    recipe = record.params.get("recipe") or {}
    versions = [
        len(record.history)
        if any(recipe.get(name) for name in ("crop_padding", "flip", "cutout", "augmentation"))
        else 1
    ]
    if asked := record.params.get("phases"):
        changed = [bool(one.get("augmentation") or any((one.get("mixing") or {}).values())) for one in asked]
        drawn = [went.epochs for went, anew in zip(record.phases, changed, strict=False) if anew]
        stored = [record.params.get("views") or 1 for went in record.phases if went.on_cache]
        versions = [sum(drawn), *stored[:1], 1]
    return f"{record.data.train_size * max(versions):,}"


def _optimiser(record: RunRecord) -> str | None:
    """Names by phase, those that follow each other being one; the recipe of a CNN has Nesterov's momentum and no name."""
    names = [phase["optimiser"]["name"] for phase in record.params.get("phases", ())]
    names = [name for name, _ in groupby(names)] or (["sgd"] if "recipe" in record.params else [])
    return ", then ".join(names) or None


def _training_accuracy(record: RunRecord) -> str | None:
    accuracy = record.history[-1].accuracy
    return None if accuracy is None else f"{accuracy:.1%}"


def _validation_f1(record: RunRecord) -> str | None:
    f1 = record.score("validation.f1_macro")
    return None if f1 is None else f"{f1:.3f}"


def _curve_end(record: RunRecord) -> str:
    return f"{record.history[-1].validation_accuracy:.1%} ({record.validation_from or 'test'})"


def _columns(data: Data) -> Columns:
    """The columns, of which some are named by what the study holds and was judged on."""
    split, _, noun = data.judged_on.partition(" ")
    return {
        "model": "label",
        "setting": "setting",
        "network": "network",
        "device": _of(_device),
        "batch size": _of(_batch),
        "optimiser": _of(_optimiser),
        "parameters": "parameter_count:,.0f",
        "trained parameters": _of(_trained_parameters),
        "worker [MB]": _of(lambda record: _largest(worker.peak_memory_mb for worker in record.workers)),
        "card [MB]": _of(lambda record: _largest(worker.card_memory_mb for worker in _workers(record))),
        f"{noun}s: training / validation / test": _of(_images),
        "training images as augmented": _of(_augmented),
        "epochs": _of(lambda record: len(record.history)),
        "fit [s]": "fit_s:seconds",
        "training accuracy": _of(_training_accuracy),
        "at the end of the learning curve": _of(_curve_end),
        "validation F1 macro": _of(_validation_f1),
        f"{split} accuracy": "accuracy:.1%",
        "F1 macro": "f1_macro:.3f",
        "records": behind,
    }
