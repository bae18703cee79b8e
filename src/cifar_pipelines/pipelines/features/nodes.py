"""Nodes of the features pipeline."""

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, RecordBatch, SparkSession
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.params import command_to_run
from cifar_pipelines.common.precision import PRECISIONS
from cifar_pipelines.common.tables import FEATURES, image_table_fingerprint
from cifar_pipelines.extractors import Extractor, TableExtractor, create_extractor, options_of, state_sha256
from cifar_pipelines.pipelines.features.tables import extract_table, learn_from_table
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_batches, warm_up
from cifar_pipelines.pipelines.large_images import shrunk
from cifar_pipelines.records.model_report import FitReport, ModelReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.records.provenance import make_record
from cifar_pipelines.spark.run_context import RunContext

logger = logging.getLogger(__name__)

MOST = 4096  # pixels of height and width, images at once, tasks of a core


@dataclass(frozen=True)
class FeaturesSpec:
    """Which features, and how they are computed.

    Attributes:
        extractor: "kmeans_patches", "torchvision:<backbone>" or "timm:<backbone>" for images; "tfidf" for texts.
        weights_path: A state dict for the backbone, the same as `weights` "path:<file>".
        input_size: Height and width in pixels; None takes the extractor's default.
        precision: "auto" (bf16 where the executors' CPUs have it), "bf16" or "fp32".
        micro_batch: Images per forward pass.
        tasks_per_core: Tasks that every core gets; more make progress finer and skew smaller.
        options: Further options by family of extractors, "torchvision", "timm" or "kmeans_patches".
        weights: "download", "path:<file>", "package:<distribution>" or "none"; None takes the extractor's own.
    """

    extractor: str
    weights_path: str | None
    input_size: int | None
    precision: str
    micro_batch: int
    tasks_per_core: int
    options: dict[str, dict[str, Any]]
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UserError(f"precision is {self.precision!r}, but must be one of {', '.join(PRECISIONS)}.")
        for name in ("micro_batch", "tasks_per_core", "input_size"):
            if (value := getattr(self, name)) is not None or name != "input_size":
                whole(name, value, 1, MOST)


def create_checked_extractor(spec: FeaturesSpec) -> Extractor:
    """Creates the extractor and makes sure that its weights are there, before any Spark process starts."""
    extractor = create_extractor(
        spec.extractor, spec.weights_path, spec.input_size, options_of(spec.extractor, spec.options), spec.weights
    )
    extractor.check()
    return extractor


def prepare_extractor(
    extractor: Extractor, images: DataFrame, images_info: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Loads the weights, or learns the dictionary from the first training images by rank.

    Returns:
        The extractor's state, which does not depend on the parallelism setting.
    """
    _require_same_images(images, images_info)
    if isinstance(extractor, TableExtractor):
        return learn_from_table(extractor, images)
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
        The feature table (`image_id` string, `label` int, `split` string, `features` array<float>), what
        identifies it, and the run record of the extraction.
    """
    from pyspark import StorageLevel

    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work, timed

    if isinstance(extractor, TableExtractor):
        return extract_table(images, images_info, extractor, extractor_state, spec, parameters, run_context)
    session, cores = active_session(), run_context.cluster.cores
    job = _job(session, extractor, extractor_state, spec)
    small = shrunk(images, ("image_id", "label", "split", "image"), images_info, extractor.square)
    cached = small.repartition(cores * spec.tasks_per_core).persist(StorageLevel.DISK_ONLY)
    with measured_work(session, "Reading images") as reading:
        total = cached.count()
    with measured_work(session, f"Starting {cores} Python workers with {extractor.name}") as starting:
        workers, job = _warm_up_workers(session, job, cores)
    python_cpu = session.sparkContext.accumulator(0.0)
    # PARALLEL(executors): every core runs one Python worker that extracts its share of the images.
    table = cached.mapInArrow(lambda batches: extract_batches(batches, job, python_cpu.add), FEATURES.ddl)
    table = table.persist(StorageLevel.DISK_ONLY)
    what = f"Extracting {extractor.name} from {total} images"
    with timed(session, what) as timing, timing.repeat() as work:
        rows = table.count()
    info = _describe(spec, job, table, images_info) | {
        "state_sha256": state_sha256(extractor_state),
        "rows": rows,
        "images_per_s": round(rows / work.wall_s, 1),
        "setting": run_context.cluster.setting,
    }
    cached.unpersist()
    logger.info(
        "%d images in %.1f s: %.0f images/s on %d cores, %s.",
        rows, work.wall_s, rows / work.wall_s, cores, job.precision,
    )  # fmt: skip
    timings = Timings(
        read_s=round(reading.wall_s, 3), worker_start_up_s=round(starting.wall_s, 3), extract_s=timing.seconds
    )
    report = _report(spec, extractor, FitReport.of(timing, timings, python_cpu.value, workers=workers))
    return table, info, make_record(report, images_info, parameters, run_context, info).to_json()


def _report(spec: FeaturesSpec, extractor: Extractor, cost: FitReport) -> ModelReport:
    return ModelReport(
        model=extractor.name,
        family="features",
        engine="Spark mapInArrow, PyTorch in Python workers",
        params={"precision": spec.precision, "micro_batch": spec.micro_batch},
        fit=cost,
    )


def _job(
    session: SparkSession, extractor: Extractor, extractor_state: dict[str, Any], spec: FeaturesSpec
) -> ExtractionJob:
    """What the workers need; the extractor's state goes to every executor once."""
    broadcast = session.sparkContext.broadcast(extractor_state)
    return ExtractionJob(
        key=uuid.uuid4().hex,
        extractor=extractor,
        load_state=partial(getattr, broadcast, "value"),
        precision=spec.precision,
        micro_batch=spec.micro_batch,
    )


def _describe(spec: FeaturesSpec, job: ExtractionJob, table: DataFrame, images_info: dict[str, Any]) -> dict[str, Any]:
    """What identifies the features."""
    return {
        **job.extractor.describe(),
        "dimension": len(table.select("features").first()["features"]),
        "precision": job.precision,
        "micro_batch": spec.micro_batch,
        "options": options_of(spec.extractor, spec.options),
        "images_fingerprint": images_info["fingerprint"],
    }


def _warm_up_workers(
    session: SparkSession, job: ExtractionJob, cores: int
) -> tuple[list[dict[str, Any]], ExtractionJob]:
    """Lets every core's Python worker load torch and the network, and settles one precision for all."""
    from dataclasses import replace

    def warm(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        import pyarrow as pa

        for _ in batches:
            yield pa.RecordBatch.from_pylist([warm_up(job)])

    schema = "host string, pid long, precision string, threads long, seconds double"
    # PARALLEL(executors): one task per core, so that no worker starts inside the timed extraction.
    rows = session.range(cores, numPartitions=cores).mapInArrow(warm, schema).collect()
    found = {row["precision"] for row in rows}
    settled = "fp32" if len(found) > 1 else found.pop()
    if job.precision == "auto" and settled == "fp32":
        logger.info("Precision fp32: not every executor's CPU has bf16.")
    return [row.asDict() for row in rows], replace(job, precision=settled)


def _require_same_images(images: DataFrame, images_info: dict[str, Any]) -> None:
    """Refuses an image table that its description does not describe."""
    fingerprint = image_table_fingerprint(images, treated=images_info.get("images_treated", ()))
    if fingerprint != images_info["fingerprint"]:
        raise UserError(
            f"The image table has the fingerprint {fingerprint}, but its description says "
            f"{images_info['fingerprint']}: an earlier ingestion was cut short. Run it again: {command_to_run('ingestion')}"
        )
