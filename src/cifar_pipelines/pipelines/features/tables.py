"""Features that Spark itself computes of a table, without Python workers."""

import logging
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.words import counted
from cifar_pipelines.extractors import State, TableExtractor, options_of, state_sha256
from cifar_pipelines.records.model_report import FitReport, ModelReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.records.provenance import make_record
from cifar_pipelines.spark.run_context import RunContext

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.features.nodes import FeaturesSpec

logger = logging.getLogger(__name__)


def learn_from_table(extractor: TableExtractor, images: DataFrame) -> State:
    """Learns from the training rows, on the executors."""
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    with measured_work(active_session(), f"Preparing {extractor.name}") as work:
        state = extractor.learn(images.where("split = 'train'"))
    logger.info("%s learned from the training %ss in %.1f s.", extractor.name, extractor.content.noun, work.wall_s)
    return state


def extract_table(
    images: DataFrame,
    images_info: dict[str, Any],
    extractor: TableExtractor,
    state: State,
    spec: "FeaturesSpec",
    parameters: dict[str, Any],
    run_context: RunContext,
) -> tuple[DataFrame, dict[str, Any], dict[str, Any]]:
    """Computes the features of all rows; see `nodes.extract_features`, whose order of reading and timing is the same.

    Returns:
        The feature table (`image_id`, `label`, `split`, `features` as vectors of Spark ML), what identifies it, and the run
        record of the extraction.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work, timed

    session, cores = active_session(), run_context.cluster.cores
    rows = images.select("image_id", "label", "split", "image").repartition(cores * spec.tasks_per_core).persist()
    with measured_work(session, f"Reading {extractor.content.noun}s") as reading:
        total = rows.count()
    # PARALLEL(executors): every task computes the features of its partition.
    table = extractor.transform(rows, state).persist()
    what = f"Extracting {extractor.name} from {counted(total, extractor.content.noun)}"
    with timed(session, what) as timing, timing.repeat() as work:
        table.count()
    rows.unpersist()
    info = {
        **extractor.describe(),
        "dimension": len(table.first()["features"]),
        "precision": None,
        "options": options_of(spec.extractor, spec.options),
        "images_fingerprint": images_info["fingerprint"],
        "state_sha256": state_sha256(state),
        "rows": total,
        "images_per_s": round(total / work.wall_s, 1),
        "setting": run_context.cluster.setting,
    }
    report = ModelReport(
        model=extractor.name,
        family="features",
        engine="Spark ML, in the JVM",
        params={},
        fit=FitReport.of(timing, Timings(read_s=round(reading.wall_s, 3), extract_s=timing.seconds)),
    )
    return table, info, make_record(report, images_info, parameters, run_context, info).to_json()
