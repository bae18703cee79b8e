"""What the report says of images or texts, and of features: questions A1 to A4."""

from collections.abc import Callable

import pandas as pd

from cifar_pipelines.common.contents import content_of
from cifar_pipelines.common.places import place
from cifar_pipelines.common.words import counted, some
from cifar_pipelines.families import INGESTION
from cifar_pipelines.records.parts import Data
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.report.commands import run
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Blocks, bullets, missing, say, spans, strong
from cifar_pipelines.report.figures import study_figure
from cifar_pipelines.report.sections.cells import Columns, behind, marked, table_of
from cifar_pipelines.report.sections.images import MOST_NAMED, doubts
from cifar_pipelines.report.sections.leaks import leaks_figure

FEATURES, LEAKS = "features", "leaks"


def complete_data(content: Content) -> Blocks:
    """A1: the class distribution of the complete data set."""
    study = content.study
    names, make = study.newest["raw"].data.class_names or (), run(study, INGESTION)
    source = study.newest["source"]
    return (
        say(
            f"The {study.noun}s come from the source {source}, in {counted(len(names), 'class', 'classes')}: "
            f"{some(names, MOST_NAMED, 'class', 'classes')}.",
            _equal_left_out(study.newest["raw"].data),
        ),
        study_figure(
            study.folder, "source_classes", f"{study.noun.capitalize()}s of every class in the complete data set.", make
        ),
        study_figure(study.folder, "samples", f"Training {study.noun}s of every class.", make),
    )


def _equal_left_out(data: Data) -> str:
    """Says how many exact duplicates the source dropped; nothing where it does not say."""
    if not data.equal_left_out:
        return ""
    equal = "equals an earlier one and is" if data.equal_left_out == 1 else "equal an earlier one and are"
    return f" Exact duplicates: {counted(data.equal_left_out, data.noun)} of the source {equal} in no split."


def selected_data(content: Content) -> Blocks:
    """A2: the class distribution of the selected subset."""
    study, data = content.study, content.study.newest
    skipped = data["bad_images_skipped"] or 0
    without = f", without {skipped:,.0f} that cannot be decoded." if skipped else "; none had to be left out."
    caption = f"{study.noun.capitalize()}s of every class in the selected subset."
    return (
        say(f"Selected were {_sizes(data)}{without}"),
        study_figure(study.folder, "subset_classes", caption, run(study, INGESTION)),
        *_noteworthy(data["raw"].data),
    )


def _noteworthy(data: Data) -> Blocks:
    """What was found in the data that scores depend on, or that a reader would not expect of it."""
    facts = doubts(data)
    if data.images_treated:
        treated = "; ".join(
            f"{counted(number, data.noun)}: {what}" for what, number in sorted(data.images_treated.items())
        )
        facts.append((f"{content_of(vars(data)).treatment}. ", f"{treated}."))
    return (bullets(spans(strong(name), words) for name, words in facts),) if facts else ()


def _sizes(data: pd.Series) -> str:
    """How many images or texts of each split there are."""
    read = data["raw"].data
    cut = (
        f"{counted(read.validation_size, f'validation {read.noun}')} cut from training" if read.validation_size else ""
    )
    further = ", ".join(filter(None, [cut, f"{read.predict_size:,} without labels" if read.predict_size else ""]))
    test = counted(data["test_size"], f"test {read.noun}") if data["test_size"] else f"no test {read.noun}s with labels"
    return f"{data['train_size']:,} training and {test}{f', beside {further}' if further else ''}"


def subset(content: Content) -> Blocks:
    """A3: how the subset was made, and how it can be made again."""
    study, data = content.study, content.study.newest
    folder = f"{study.folder.parent.name}/{study.folder.name}" if study.folder else "<source>/<subset>"
    manifests = place("image_manifest").parents[2]  # <source>/<subset>/manifest.csv
    facts = [
        ("Seeded. ", f"The seed is {data['seed']}; the same seed selects the same {study.noun}s in any order of files."),
        ("Stratified. ", f"Every class keeps its share of the complete data set, to the nearest {study.noun}."),
        ("Nested. ", "A smaller subset of the same seed is contained in every larger one, so what is measured with "
         f"more {study.noun}s is measured with the same {study.noun}s and others."),
        ("Listed. ", f"The manifest names every {study.noun} with its class and rank: {manifests}/{folder}/manifest.csv."),
        ("Checked. ", f"The fingerprint of the table is {data['fingerprint']}; results with another one are "
         "another study."),
    ]  # fmt: skip
    method = say(
        f"Within a class of N {study.noun}s, in an order shuffled by the seed, the {study.noun} number j (from 0) has the priority "
        "(j + 1/2) / N, and the smallest priorities are taken. This is the divisor method of Webster and "
        "Sainte-Laguë, by which a larger subset never gives up what a smaller one has. The splits "
        "are selected apart."
    )
    twins = content.section("leaks")
    figure = [leaks_figure(study.folder, run(study, LEAKS))] if "leaks" in study.sections else []
    return (bullets(spans(strong(name), words) for name, words in facts), method, *twins, *figure)


def features(content: Content) -> Blocks:
    """A4: how features were extracted, and how fast."""
    study = content.study
    rows = study.rows[study.rows["family"] == FEATURES]
    if rows.empty:
        return (missing("No feature extraction is among the run records of this study.", run(study, "features")),)
    return (
        *map(say, dict.fromkeys(_extracted(record) for record in study.latest(FEATURES)["raw"])),
        table_of(study.latest(FEATURES), _extractors(study.noun)),
        table_of(rows, _speed(study.newest["raw"].data)),
        say(
            f"Time is the extraction of all {study.noun}s alone; starting Spark and its Python workers, where there are some, is "
            "not in it. Start-up is that of Spark."
        ),
    )


def _extracted(record: RunRecord) -> str:
    """Says what extracted: Python workers, which settle a precision, or Spark itself, which has none."""
    if record.features.precision is None:
        return f"Spark itself extracts, in the JVM and without a Python worker: every task has its share of the {record.data.noun}s."
    return f"Every core of the executors runs one Python worker, which extracts its share of the {record.data.noun}s."


def _described_by(key: str) -> Callable[[pd.Series], object]:
    return lambda record: getattr(record["raw"].features, key)


def _speed(data: Data) -> Columns:
    return {
        "features": "label",
        "setting": "setting",
        "executors": "executors",
        "cores": "cores",
        "time [s]": "time_s:seconds",
        f"{data.noun}s/s": lambda row: f"{data.images / row['time_s']:,.0f}",
        "start-up [s]": "start_up_s:seconds",
        "marks": marked,
        "records": behind,
    }


def _extractors(noun: str) -> Columns:
    return {
        "features": "label",
        "extractor": "extractor",
        "weights": _described_by("weights"),
        "input [px]": _described_by("input_size"),
        "input": lambda record: getattr(record["raw"].features.input, "in_full", None),
        f"numbers per {noun}": _described_by("dimension"),
        "precision": _described_by("precision"),
        "records": behind,
    }
