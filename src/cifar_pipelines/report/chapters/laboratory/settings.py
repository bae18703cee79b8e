"""What the report says of parallelism settings and of the whole: sections A8 to A10, A14 and A15."""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cifar_pipelines.records.summary import marks, trained
from cifar_pipelines.report.chapters.laboratory.data import run
from cifar_pipelines.report.document.blocks import (
    Block,
    Blocks,
    Bullets,
    Figure,
    Heading,
    Paragraph,
    from_markdown,
    missing,
    plain,
    say,
    table,
)
from cifar_pipelines.report.parallelism_map import parallelism_document
from cifar_pipelines.report.references import reference
from cifar_pipelines.report.sections.ranking import fastest_of_each_model, interval
from cifar_pipelines.report.studies import Content, Study

ALL = "ingestion,features,spark_ml,bigdl_cnn"


def settings(content: Content) -> Blocks:
    """A8: what every setting asked for, and what the cluster gave."""
    used = content.study.used.sort_values(["asked_cores", "executor_cores", "number"])
    rows = [_setting(records) for _, records in used.groupby("setting", sort=False)]
    return (
        say(
            "A setting exec_MxC asks for M cores in all (spark.cores.max) and C cores per executor "
            "(spark.executor.cores), hence M/C executors. In effect is what the executors themselves reported, in the "
            "newest run under that setting."
        ),
        table(
            ["setting", "cores asked", "in effect", "per executor", "executors asked", "in effect",
             "memory per executor", "host cores", "oversubscribed", "records"],
            rows,
        ),
    )  # fmt: skip


def _setting(records: pd.DataFrame) -> tuple:
    newest = records.iloc[-1]["raw"]["parallelism"]
    asked, effective = newest["asked"], newest.get("effective") or {}
    memory = (newest.get("properties") or {}).get("spark.executor.memory")
    if memory is None and asked.get("executor_memory_mb") is not None:
        memory = f"{asked['executor_memory_mb']} MB"
    executors = asked.get("executors") or asked["cores_max"] // asked["executor_cores"]
    return (
        *(newest["setting"], asked["cores_max"], effective.get("cores"), asked["executor_cores"]),
        *(executors, effective.get("executors"), memory, newest["host_cores"]),
        *("yes" if newest["oversubscribed"] else "no", reference(records["number"])),
    )


def results_by_setting(content: Content) -> Blocks:
    """A9: times, speed-up and efficiency by setting, and which did best."""
    study = content.study
    return (
        *topics(study.verdict, "Training time|Cautions"),
        *study.parts.take_whole("Time by"),
        *_plots(content, "time_by_setting.png", "speedup.png", "components.png", "timeline.png"),
    )


def parallelism(content: Content) -> Blocks:
    """A10: where parallelism is used in the code; made from the marks in the code itself."""
    content.parts.take("Where parallelism is used")
    written = from_markdown(parallelism_document(Path(__file__).parents[3]))
    return tuple(block for block in written if not isinstance(block, Heading))


def all_models(content: Content) -> Blocks:
    """A14: accuracy and training time of every model."""
    study = content.study
    models = trained(study.rows)
    if models.empty:
        return (missing("No model was trained in this study.", run(study, ALL)),)
    return (
        say(
            "The accuracy is that of the latest run, the time the shortest median over the settings. Features are the "
            "time of their extraction under that setting, which models that read images do not need."
        ),
        table(
            ["model", "engine", "accuracy", "shortest fit [s]", "under", "features [s]", "marks", "records"],
            [_summed_up(latest, models, study) for _, latest in fastest_of_each_model(models).iterrows()],
        ),
        *_plots(content, "accuracy_time.png"),
    )


def _summed_up(latest: pd.Series, models: pd.DataFrame, study: Study) -> tuple:
    own = models[models["label"] == latest["label"]]
    fastest = own.loc[own["time_s"].idxmin()]
    extraction = None if pd.isna(fastest["extract_s"]) else f"{fastest['extract_s']:.3g}"
    numbers = study.used.loc[study.used["label"] == latest["label"], "number"]
    return (
        *(
            latest["label"],
            latest["engine"],
            interval(latest),
            f"{fastest['time_s']:.3g}",
            fastest["setting"],
        ),
        *(extraction, ", ".join(marks(fastest)) or None, reference(numbers)),
    )


def the_best(content: Content) -> Blocks:
    """A15: the conclusions, and the resources that they rest on."""
    study = content.study
    return (
        *topics(study.verdict, "(?!Training time of)"),
        *study.parts.take_whole("Resources by"),
        *_plots(content, "resources.png"),
    )


def topics(verdict: Iterable[Block], pattern: str) -> Blocks:
    """The conclusions whose first words match; what is no list of conclusions is kept."""
    kept: list[Block] = []
    for block in verdict:
        if isinstance(block, Bullets):
            items = tuple(item for item in block.items if re.match(pattern, _first_words(item)))
            kept += [Bullets(items, block.ordered)] if items else []
        elif "(?!" in pattern:
            kept.append(block)
    return tuple(kept)


def _first_words(item: Blocks) -> str:
    return plain(item[0].spans) if item and isinstance(item[0], Paragraph) else ""


def _plots(content: Content, *names: str) -> list[Figure]:
    return [content.plots.pop(name) for name in names if name in content.plots]
