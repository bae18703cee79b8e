"""What the frozen network makes of the images: extracted by the executors once, stored, and read by the driver."""

import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones import TextSpec
from cifar_pipelines.common import whole_files
from cifar_pipelines.common.contents import TEXT, content_of
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.resolvers import slug
from cifar_pipelines.common.tables import FEATURES
from cifar_pipelines.datasets.table_locks import lock_tables
from cifar_pipelines.extractors import Extractor, FeatureFunction, State, create_extractor
from cifar_pipelines.pipelines.features.worker import COLUMNS, ExtractionJob, extract_batches
from cifar_pipelines.pipelines.large_images import spread
from cifar_pipelines.pipelines.tasks import TASKS_PER_CORE
from cifar_pipelines.pipelines.transfer.specification import TransferSpec
from cifar_pipelines.pipelines.transfer.views import view
from cifar_pipelines.records.digest import short_digest
from cifar_pipelines.spark.python_tasks import on_every_core
from cifar_pipelines.spark.run_context import RunContext

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from pyarrow import dataset

    from cifar_pipelines.training.head import StoredFeatures

logger = logging.getLogger(__name__)

MICRO_BATCH = 16
ROWS_AT_ONCE = 1024  # of stored features that are read


@dataclass(frozen=True)
class Stored:
    """Features that lie on disk.

    Attributes:
        folder: The table, and beside it what is known of its extraction.
        reused: Whether they were there before.
        images: Images.
        extract_s: Seconds of the extraction.
        truncated: Texts that are longer than the network sees; None for images, and where an earlier version stored them.
        cpu_s: CPU seconds that it took of Python workers in this run.
    """

    folder: Path
    reused: bool
    images: int
    extract_s: float
    truncated: int | None = None
    cpu_s: float = 0.0


class Views(Extractor):
    """The features of all views of an image, one behind the other; see `view`.

    Args:
        spec: The transfer, whose network and input they are of.
    """

    def __init__(self, spec: TransferSpec) -> None:
        block, given = spec.wanted, spec.input
        if isinstance(given, TextSpec):
            size, options = None, {"max_tokens": given.max_tokens, "pooling": given.pooling}
        else:
            size, options = given.size, {"policy": given.policy}
        self._one = create_extractor(block.backbone, None, size, options, block.weights)
        self.name, self.input_size, self._views = self._one.name, self._one.input_size, block.views
        self._one.check()

    @property
    def square(self) -> Any:
        """See `Extractor`."""
        return self._one.square

    @property
    def texts(self) -> TextSpec | None:
        """What the network expects of a text; None where it reads images."""
        return self._one.spec if self._one.content is TEXT else None

    def load(self, encoded: Sequence[bytes]) -> "torch.Tensor":
        """See `Extractor`."""
        return self._one.load(encoded)

    def chunks(self, encoded: Sequence[bytes], size: int) -> Iterator[list[int]]:
        """See `Extractor`."""
        return self._one.chunks(encoded, size)

    def check(self) -> None:
        """Nothing to check that was not when it was made."""

    def prepare(self, images: Any = (), seed: int = 0) -> State:
        """Loads the weights."""
        return self._one.prepare(images, seed)

    def build(self, state: State, precision: str) -> FeatureFunction:
        """See `Extractor`; features have the shape (n, views * d)."""
        import numpy as np

        features = self._one.build(state, precision)
        return lambda images: np.concatenate(
            [features(images), *(features(view(images, number)) for number in range(1, self._views))], axis=1
        )

    def describe(self) -> dict[str, Any]:
        """Name, weights and input, with the number of views."""
        return self._one.describe() | {"views": self._views}


def store_features(
    images: DataFrame,
    images_info: dict[str, Any],
    spec: TransferSpec,
    precision: str,
    root: Path,
    validation: tuple[str, int],
    run_context: RunContext,
) -> Stored:
    """Extracts the features of training images and of those that draw the learning curve, unless they are there.

    The folder's name depends on network, weights, input, views, precision and images, so that none is taken for another.

    Args:
        images: The image table.
        images_info: Its description.
        spec: The transfer.
        precision: Of the extraction.
        root: Where features are stored.
        validation: Split and number of the images of the learning curve, the first by rank.
        run_context: The run.
    """
    extractor = Views(spec)
    identity = extractor.describe() | {"precision": precision, "images_fingerprint": images_info["fingerprint"]}
    identity["validation"] = list(validation)
    folder = root / f"{slug(spec.wanted.backbone.replace(':', '_'))}-{short_digest(identity, 16)}"
    noun, facts = content_of(images_info).noun, folder / "features.json"
    with lock_tables(written=[folder / "features"], read=[]):  # the folder is the same under every setting
        if facts.exists():
            known = json.loads(facts.read_text(encoding="utf-8"))
            logger.info("%s: stored features of %d %ss are there already.", spec.model, known["images"], noun)
            return Stored(folder, True, known["images"], known["extract_s"], known.get("truncated"))
        split, most = validation
        wanted = images.where(f"split = 'train' or (split = '{split}' and rank < {most})")
        count, seconds, truncated, cpu_s = _extract(
            wanted, images_info, extractor, precision, folder / "features", run_context
        )
        known = identity | {"images": count, "extract_s": round(seconds, 3), "truncated": truncated}
        whole_files.write_json(facts, known)
    logger.info(
        "%s: features of %s%d %ss in %.1f s, %.0f a second; later epochs read them.",
        spec.model, f"{spec.wanted.views} views of " if spec.wanted.views > 1 else "", count, noun, seconds,
        count * spec.wanted.views / seconds,
    )  # fmt: skip
    return Stored(folder, False, count, known["extract_s"], truncated, cpu_s)


def _extract(
    images: DataFrame,
    images_info: dict[str, Any],
    extractor: Views,
    precision: str,
    target: Path,
    run_context: RunContext,
) -> tuple[int, float, int | None, float]:
    """Writes the table of features.

    Returns:
        The number of images, the seconds without those of reading and starting, how many are truncated texts, and CPU seconds of the
        Python workers.
    """
    from cifar_pipelines.spark.paths import spark_path
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import measured_work

    session, cores = active_session(), run_context.cluster.cores
    broadcast = session.sparkContext.broadcast(extractor.prepare())
    job = ExtractionJob(uuid.uuid4().hex, extractor, partial(getattr, broadcast, "value"), precision, MICRO_BATCH)
    cached = spread(images, COLUMNS, images_info, extractor.square, cores * TASKS_PER_CORE)
    count, truncated = cached.count(), _truncated(cached, extractor.texts)
    # PARALLEL(executors): one task per core, so that no worker builds the network inside the timed extraction.
    on_every_core(session, cores, lambda: bool(job.features()))
    python_cpu = session.sparkContext.accumulator(0.0)
    # PARALLEL(executors): every core runs one Python worker that extracts its share of the images.
    table = cached.mapInArrow(lambda batches: extract_batches(batches, job, python_cpu.add), FEATURES.ddl)
    with measured_work(session, f"Storing features of {extractor.name}") as work:
        table.write.mode("overwrite").parquet(spark_path(target))
    cached.unpersist()
    broadcast.unpersist()
    return count, work.wall_s, truncated, python_cpu.value


def _truncated(table: DataFrame, spec: TextSpec | None) -> int | None:
    """How many texts of a table are longer than the network sees; None for images."""
    if spec is None:
        return None

    def count(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            yield pa.RecordBatch.from_pydict({"truncated": [spec.tokens(batch.column("image").to_pylist()).truncated]})

    # PARALLEL(executors): every task counts the tokens of its texts.
    return table.select("image").mapInArrow(count, "truncated long").groupBy().sum().first()[0]


def read_features(stored: Stored, views: int, files: tuple[str, ...], curve_split: str) -> "StoredFeatures":
    """Reads what `store_features` left, in the order of ranks, by which images get their places in batches.

    Args:
        stored: The features.
        views: Views of an image.
        files: Those of the image table, which knows the ranks.
        curve_split: Whose images draw the learning curve.

    Raises:
        UserError: If they are not as many as were stored.
    """
    import torch
    from pyarrow import dataset

    from cifar_pipelines.training.draws import image_keys
    from cifar_pipelines.training.head import StoredFeatures

    table = dataset.dataset(stored.folder / "features", format="parquet")
    if (count := table.count_rows()) != stored.images:
        raise UserError(
            f"The stored features in {stored.folder} are {count:,}, but were {stored.images:,} when they were stored: files are "
            "missing there, or too many. Remove that folder, and give the same command again."
        )
    ids, labels, vectors = _by_rank(table, "train", files)
    _, held_out, of_validation = _by_rank(table, curve_split, files)
    dimension = vectors.shape[1] // views
    of_validation = of_validation[:, :dimension] if len(of_validation) else torch.empty(0, dimension)
    chooses = curve_split == "validation"
    return StoredFeatures(
        vectors.view(len(ids), views, dimension), labels, image_keys(ids), of_validation, held_out, chooses
    )


def _by_rank(
    table: "dataset.Dataset", split: str, files: tuple[str, ...]
) -> "tuple[list[str], torch.Tensor, torch.Tensor]":
    """Ids, labels, int64 (n,), and features, float32 (n, views * d), of a split; the table is never in memory beside them."""
    import numpy as np
    import torch
    from pyarrow import compute as pc

    from cifar_pipelines.training.job import scan

    ranks = dict(
        pair
        for batch in scan(files, split, ["image_id", "rank"])
        for pair in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    of_split = pc.field("split") == split
    ids = sorted(table.to_table(["image_id"], of_split).column(0).to_pylist(), key=ranks.__getitem__)
    place = {one: at for at, one in enumerate(ids)}
    labels, vectors = np.empty(len(ids), np.int64), np.empty((len(ids), 0), np.float32)
    columns, few = ["image_id", "label", "features"], {"batch_size": ROWS_AT_ONCE, "batch_readahead": 1}
    for batch in table.to_batches(columns, of_split, **few, fragment_readahead=1):
        if not len(batch):
            continue
        at = [place[one] for one in batch.column("image_id").to_pylist()]
        found = batch.column("features").flatten().to_numpy(zero_copy_only=False).reshape(len(batch), -1)
        if not vectors.shape[1]:
            vectors = np.empty((len(ids), found.shape[1]), np.float32)
        labels[at], vectors[at] = batch.column("label").to_numpy(), found
    return ids, torch.from_numpy(labels), torch.from_numpy(vectors)
