"""Nodes of the features pipeline."""

import logging
from operator import itemgetter
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.tables import image_table_fingerprint
from cifar_pipelines.common.words import counted
from cifar_pipelines.extractors import Extractor, TableExtractor, options_of, state_sha256
from cifar_pipelines.pipelines.features.extraction import BySpark, ByWorkers
from cifar_pipelines.pipelines.features.specification import FeaturesSpec
from cifar_pipelines.pipelines.features.worker import COLUMNS
from cifar_pipelines.pipelines.large_images import shrunk, spread
from cifar_pipelines.records.model_report import FitReport, ModelReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.records.provenance import make_record
from cifar_pipelines.spark.run_context import RunContext

logger = logging.getLogger(__name__)


def prepare_extractor(
    extractor: Extractor, images: DataFrame, images_info: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Loads the weights, or learns the dictionary from the first training images by rank.

    Returns:
        The extractor's state, which does not depend on the parallelism setting.
    """
    _require_same_images(images, images_info)
    if isinstance(extractor, TableExtractor):
        return _learned(extractor, images)
    sample: list[bytes] = []
    if extractor.training_images:
        train = images.where("split = 'train'").where(f"rank < {extractor.training_images}")
        rows = shrunk(train, ("rank", "image"), images_info, extractor.square).collect()
        sample = [bytes(row["image"]) for row in sorted(rows, key=itemgetter("rank"))]
        logger.info("Learning the dictionary of %s from %d training images.", extractor.name, len(sample))
    return extractor.prepare(sample, seed)


def extract_features(
    images: DataFrame,
    images_info: dict[str, Any],
    extractor: Extractor,
    extractor_state: dict[str, Any],
    spec: FeaturesSpec,
    parameters: dict[str, Any],
    run_context: RunContext,
) -> tuple[DataFrame, dict[str, Any], dict[str, Any]]:
    """Extracts the features of all images on the executors.

    Images are cached and the workers are warm before the clock starts; both are timed apart. Photographs are too large
    for a cache: they are decoded and resized while they are read, in the time of reading.

    Returns:
        The feature table (`image_id` string, `label` int, `split` string, `features` array<float>, or vectors of Spark ML),
        what identifies it, and the run record of the extraction.
    """
    from pyspark import StorageLevel

    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work, timed

    session, cores, noun = active_session(), run_context.cluster.cores, extractor.content.noun
    by_spark = isinstance(extractor, TableExtractor)
    extraction = (
        BySpark(extractor, extractor_state) if by_spark else ByWorkers(session, extractor, extractor_state, spec)
    )
    cached = spread(images, COLUMNS, images_info, None if by_spark else extractor.square, cores * spec.tasks_per_core)
    with measured_work(session, f"Reading {noun}s") as reading:
        total = cached.count()
    with measured_work(session, f"Starting {cores} Python workers with {extractor.name}") as starting:
        extraction.start(cores)
    table = extraction.features_of(cached).persist(StorageLevel.DISK_ONLY)
    with timed(session, f"Extracting {extractor.name} from {total} {noun}s") as timing, timing.repeat() as work:
        rows = table.count()
    cached.unpersist()
    info = {
        **extractor.describe(),
        "dimension": len(table.select("features").first()["features"]),
        **extraction.facts,
        "options": options_of(spec.extractor, spec.options),
        "images_fingerprint": images_info["fingerprint"],
        "state_sha256": state_sha256(extractor_state),
        "rows": rows,
        "images_per_s": round(rows / work.wall_s, 1),
        "setting": run_context.cluster.setting,
    }
    logger.info(
        "%s in %.1f s: %.0f %ss/s on %s, %s.",
        counted(rows, noun), work.wall_s, rows / work.wall_s, noun, counted(cores, "core"),
        extraction.facts["precision"] or extraction.engine,
    )  # fmt: skip
    start_up_s = None if by_spark else round(starting.wall_s, 3)
    timings = Timings(read_s=round(reading.wall_s, 3), worker_start_up_s=start_up_s, extract_s=timing.seconds)
    report = ModelReport(
        model=extractor.name,
        family="features",
        engine=extraction.engine,
        params=extraction.params,
        fit=FitReport.of(timing, timings, extraction.python_cpu_s, workers=extraction.workers),
    )
    return table, info, make_record(report, images_info, parameters, run_context, info).to_json()


def _learned(extractor: TableExtractor, images: DataFrame) -> dict[str, Any]:
    """What an extractor of tables learns from the training rows, on the executors."""
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    with measured_work(active_session(), f"Preparing {extractor.name}") as work:
        state = extractor.learn(images.where("split = 'train'"))
    logger.info("%s learned from the training %ss in %.1f s.", extractor.name, extractor.content.noun, work.wall_s)
    return state


def _require_same_images(images: DataFrame, images_info: dict[str, Any]) -> None:
    """Refuses an image table that its description does not describe."""
    fingerprint = image_table_fingerprint(images, treated=images_info.get("images_treated", ()))
    if fingerprint != images_info["fingerprint"]:
        raise UserError(
            f"The image table has the fingerprint {fingerprint}, but its description says "
            f"{images_info['fingerprint']}: an earlier ingestion was cut short. Run it again: {command_to_run('ingestion')}"
        )
