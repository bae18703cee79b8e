"""What the report says of images and features: sections A1 to A4."""

import pandas as pd

from cifar_pipelines.common.places import place
from cifar_pipelines.records.summary import marks
from cifar_pipelines.report.document.blocks import Blocks, Span, bullets, from_markdown, missing, say, table
from cifar_pipelines.report.figures import study_figure
from cifar_pipelines.report.studies import Content, Study

FEATURES = "features"


def complete_data(content: Content) -> Blocks:
    """A1: the class distribution of the complete data set."""
    study, data = content.study, content.study.data
    names = data.get("class_names") or []
    make = ingestion(study)
    return (
        say(
            f"The images come from the source {data['source']}, in {len(names)} classes: {', '.join(names)}."
        ),
        study_figure(study.folder, "source_classes", "Images of every class in the complete data set.", make),
        study_figure(study.folder, "samples", "Training images of every class.", make),
    )


def selected_data(content: Content) -> Blocks:
    """A2: the class distribution of the selected subset."""
    study, data = content.study, content.study.data
    skipped = data.get("bad_images_skipped") or 0
    return (
        say(
            f"Selected were {data['train_size']:,} training and {data['test_size']:,} test images"
            + (f", without {skipped:,} that cannot be decoded." if skipped else "; none had to be left out.")
        ),
        study_figure(
            study.folder,
            "subset_classes",
            "Images of every class in the selected subset.",
            ingestion(study),
        ),
    )


def subset(content: Content) -> Blocks:
    """A3: how the subset was made, and how it can be made again."""
    study, data = content.study, content.study.data
    folder = f"{study.folder.parent.name}/{study.folder.name}" if study.folder else "<source>/<subset>"
    manifests = place("image_manifest").parents[2]  # <source>/<subset>/manifest.csv
    facts = [
        ("Seeded. ", f"The seed is {data['seed']}; the same seed selects the same images in any order of files."),
        ("Stratified. ", "Every class keeps its share of the complete data set, to the nearest image."),
        ("Nested. ", "A smaller subset of the same seed is contained in every larger one, so what is measured with "
         "more images is measured with the same images and others."),
        ("Listed. ", f"The manifest names every image with its class and rank: {manifests}/{folder}/manifest.csv."),
        ("Checked. ", f"The fingerprint of the image table is {data['fingerprint']}; results with another one are "
         "another study."),
    ]  # fmt: skip
    method = from_markdown(
        "Within a class of N images, in an order shuffled by the seed, the image number j (from 0) has the priority "
        "(j + 1/2) / N, and the smallest priorities are taken. This is the divisor method of Webster and "
        "Sainte-Laguë, by which a larger subset never gives up an image of a smaller one. Training and test images "
        "are selected apart."
    )
    return (bullets((Span(name, strong=True), Span(words)) for name, words in facts), *method)


def features(content: Content) -> Blocks:
    """A4: how features were extracted, and how fast."""
    study = content.study
    rows = study.rows[study.rows["family"] == FEATURES]
    if rows.empty:
        return (
            missing("No feature extraction is among the run records of this study.", run(study, "features")),
        )
    return (
        say("Every core of the executors runs one Python worker, which extracts its share of the images."),
        table(
            ["features", "extractor", "weights", "input [px]", "numbers per image", "precision", "records"],
            [
                (label, *(_of(record["features"], key) for key in _DESCRIBED), behind)
                for label, record, behind in study.latest(FEATURES)
            ],
        ),
        table(
            ["features", "setting", "executors", "cores", "time [s]", "images/s", "start-up [s]", "marks", "records"],
            [_speed(row, study) for _, row in rows.iterrows()],
        ),
        say(
            "Time is the extraction of all training and test images alone; starting Spark and the workers is not in "
            "it. Start-up is that of Spark."
        ),
    )  # fmt: skip


_DESCRIBED = ("extractor", "weights", "input_size", "dimension", "precision")


def _of(features: object, key: str) -> object:
    return features.get(key) if isinstance(features, dict) else None


def _speed(row: pd.Series, study: Study) -> tuple:
    images = row["train_size"] + row["test_size"]
    start_up = None if pd.isna(row["start_up_s"]) else f"{row['start_up_s']:.1f}"
    return (
        *(row["label"], row["setting"], row["executors"], row["cores"], f"{row['time_s']:.3g}"),
        *(f"{images / row['time_s']:,.0f}", start_up, ", ".join(marks(row)) or None, study.behind(row)),
    )


def ingestion(study: Study) -> str:
    """The command that makes the plots of the data."""
    return run(study, "ingestion", measured=False)


def run(study: Study, pipeline: str, measured: bool = True) -> str:
    """The command that makes what is missing in a study.

    Args:
        study: The study.
        pipeline: The pipeline that makes it.
        measured: Whether to name a setting; pipelines whose work is measured need one.
    """
    data = study.data
    given = {name: data[name] for name in ("source", "train_size", "test_size", "seed")}
    if data["source"] == "image_folder":
        given["source_path"] = "<folder>"
    params = ",".join(f"{name}={value}" for name, value in given.items())
    env = f" --env {study.rows.iloc[0]['setting']}" if measured else ""
    return f"kedro run --pipelines {pipeline}{env} --params {params}"
