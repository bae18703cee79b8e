"""What the report says of parallelism settings and of the whole: questions A8 to A10, A14 and A15."""

from itertools import chain

import pandas as pd

from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.summary import trained
from cifar_pipelines.report.chapters.laboratory.first_page import KEY_PLOT
from cifar_pipelines.report.commands import run
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Blocks, Section, missing, say, table
from cifar_pipelines.report.parallelism_map import parallelism
from cifar_pipelines.report.sections.answer import BY_SETTING, IN_FULL
from cifar_pipelines.report.sections.cells import behind, cell_of, marked
from cifar_pipelines.report.sections.ranking import interval
from cifar_pipelines.report.sections.verdict import (
    ALL_BUT_FIT_TIME,
    CAUTIONS,
    FIT_TIME,
    FIT_TIME_OVER_ALL,
    verdict_section,
)

CLASSIFIERS = "ingestion,features,spark_ml"
ALL = f"{CLASSIFIERS},bigdl_cnn"


def settings(content: Content) -> Blocks:
    """A8: what every setting asked for, and what the cluster gave."""
    used = content.study.used.sort_values(["asked_cores", "executor_cores"], kind="stable")
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


def _setting(records: pd.DataFrame) -> list[object]:
    """What a setting asked for and what the executors themselves reported, by its newest run."""
    newest = records.iloc[-1]
    parallelism = newest["raw"].parallelism
    asked, effective = parallelism.asked, parallelism.effective
    memory = (parallelism.properties or {}).get("spark.executor.memory")
    if memory is None and asked.executor_memory_mb is not None:
        memory = f"{asked.executor_memory_mb} MB"
    executors = asked.executors or asked.cores_max // asked.executor_cores
    return [
        newest["setting"], asked.cores_max, effective and effective.cores, newest["executor_cores"],
        executors, effective and effective.executors, memory, newest["host_cores"],
        "yes" if newest["oversubscribed"] else "no", behind(records),
    ]  # fmt: skip


def results_by_setting(content: Content) -> Blocks:
    """A9: times, speed-up and efficiency by setting, which did best, and where the time went."""
    about_time = (FIT_TIME, FIT_TIME_OVER_ALL, CAUTIONS)
    shown = (content.section(key) for key in ("times", "scaling", "components"))
    return (verdict_section(content.study.verdict, about_time, anchor=BY_SETTING), *chain(*shown))


def parallelism_in_the_code(content: Content) -> Blocks:
    """A10: where parallelism is used in the code; made from the marks in the code itself."""
    return parallelism().blocks


def all_models(content: Content) -> Blocks:
    """A14: accuracy and training time of every model."""
    study = content.study
    models = trained(study.rows)
    if models.empty:
        return (
            missing("No model was trained in this study.", run(study, CLASSIFIERS if study.noun == TEXT.noun else ALL)),
        )
    summed_up = (
        say(
            "The accuracy is that of the latest run, the time the shortest median over the settings. Features are the "
            f"time of their extraction under that setting, which models that read {study.noun}s themselves do not need."
        ),
        table(
            ["model", "engine", "accuracy", "shortest fit [s]", "under", "features [s]", "marks", "records"],
            [_summed_up(latest, models) for _, latest in fastest_of_each_model(models).iterrows()],
        ),
    )
    on_page_1, *figures = content.figures.get(KEY_PLOT, (None,))
    seen = (say("The plot on page 1 shows both."),) if on_page_1 else ()
    return (Section("all_models", "", (*summed_up, *seen)), *figures)


def _summed_up(latest: pd.Series, models: pd.DataFrame) -> list[object]:
    own = models[models["label"] == latest["label"]]
    fastest = own.loc[own["time_s"].idxmin()]
    features = cell_of(fastest, "extract_s:seconds")
    return [
        latest["label"], latest["engine"], interval(latest), cell_of(fastest, "time_s:seconds"), fastest["setting"],
        features, marked(fastest), behind(own),
    ]  # fmt: skip


def the_best(content: Content) -> Blocks:
    """A15: the conclusions, and the resources that they rest on."""
    return (
        verdict_section(content.study.verdict, ALL_BUT_FIT_TIME, anchor=IN_FULL),
        *content.section("training"),
        *content.section("resources"),
    )
