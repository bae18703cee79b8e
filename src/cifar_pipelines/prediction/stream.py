"""A saved model predicts the images of a stream as they come, into a CSV that grows."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.contents import TEXT, content_of
from cifar_pipelines.common.disk import disk_errors_explained
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, SparkSession
from cifar_pipelines.common.paths import local_path
from cifar_pipelines.common.places import place
from cifar_pipelines.common.resolvers import slug
from cifar_pipelines.common.words import counted
from cifar_pipelines.pipelines.new_images import FrameImages, Predictor
from cifar_pipelines.pipelines.streaming.query import (
    Taker,
    put_in_place,
    reading,
    require_same_stream,
    run_query,
    set_aside,
)
from cifar_pipelines.pipelines.streaming.specification import StreamSpec, stream_of
from cifar_pipelines.prediction.growing_csv import FIRST_SEQUENCE, GrowingCsv
from cifar_pipelines.prediction.request import Request
from cifar_pipelines.prediction.run import explained, to_rows
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import MODEL
from cifar_pipelines.spark.session import SparkRuntime
from cifar_pipelines.spark.spark_config import SparkConfig
from cifar_pipelines.streaming.journal import commit as mark_taken
from cifar_pipelines.streaming.journal import read_journal

logger = logging.getLogger(__name__)

SAY_S = 2.0


@dataclass(frozen=True)
class StreamRequest:
    """A saved model and a stream.

    Attributes:
        request: The model and how to run; its folder is where frames land.
        servers: Addresses of servers that are received from meanwhile; none where `kedro stream receive` does.
    """

    request: Request
    servers: Sequence[str]

    def stream(self) -> StreamSpec:
        """The stream, checked; the configuration says the rest of it.

        Raises:
            UserError: If no frame has landed and none will.
        """
        block = self.request.loader["parameters"]["streaming"]
        folder = local_path(self.request.folder, "The folder where frames land")
        stream = replace(stream_of(block), landing=str(folder), servers=list(self.servers))
        if not self.servers and not read_journal(folder).producers:
            raise UserError(
                f"No frame has landed in {folder}, and no server is named to receive from. Start `kedro stream serve`, and give its address."
            )
        return stream

    def target(self) -> Path:
        """The CSV."""
        if self.request.output is None:
            folder = PROJECT_PATH / place("new_predictions") / slug(Path(self.request.folder).name)
            return folder / slug(Path(self.request.model).stem) / "stream.csv"
        target = local_path(str(self.request.output), "--output")
        if target.suffix.lower() != ".csv":
            raise UserError(f"--output is {target}, but must end in .csv, which is what is written.")
        return target

    def saved_model(self) -> tuple[RunRecord, Predictor]:
        """The run record of the model, and what predicts with it.

        Raises:
            UserError: If there is none, or it reads texts.
        """
        record, predictor = self.request.saved_model()
        if content_of(vars(record.data)) is TEXT:
            raise UserError(
                f"{record.model} reads texts, and a stream brings images. Predict texts that lie in files: kedro predict "
                f"{self.request.model} <folder>."
            )
        return record, predictor


class Predictions(Taker):
    """Predicts micro-batches into a CSV.

    Args:
        session: The session.
        predictor: Predicts images.
        csv: Gets the predictions.
        class_names: The classes, by label.
        stream: The stream.
        cores: Cores of all executors.
    """

    def __init__(
        self, session: SparkSession, predictor: Predictor, csv: GrowingCsv, class_names: Sequence[str],
        stream: StreamSpec, cores: int,
    ) -> None:  # fmt: skip
        super().__init__(csv.next_sequence)
        self._session, self._predictor, self._csv, self._cores = session, predictor, csv, cores
        self._class_names, self._stream = class_names, stream
        self._since, self._images = time.monotonic(), csv.predicted

    def _take(self, frames: DataFrame) -> None:
        from pyspark.sql import functions as F  # noqa: N812

        first = self.next_sequence
        keyed = frames.where(F.col("sequence") >= first).withColumn("name", F.col("image_id"))
        # An image may come several times in a micro-batch, and each time is predicted.
        keyed = keyed.withColumn("image_id", F.format_string("%d/%d", "sequence", "position"))
        index = keyed.select("sequence", "position", "image_id", "name", "scheduled_at").toPandas()
        index = index.drop_duplicates("image_id").sort_values(["sequence", "position"])
        came = index["sequence"].unique().tolist()
        if came != list(range(first, first + len(came))):
            raise UserError(
                f"After frame {first - 1} of the stream come the frames {came}: one is missing. Put its file back where frames land."
            )
        if not came:
            return
        images = FrameImages(self._session, keyed.dropDuplicates(["image_id"]), self._cores)
        table = self._predictor(images)
        names = dict(zip(index["image_id"], index["name"], strict=True))
        bad = {names[one]: reason for one, reason in images.bad.items()}
        if bad and self._stream.on_bad_image == "fail":
            name, reason = next(iter(bad.items()))
            raise UserError(
                f"The image {name!r} of the stream cannot be decoded ({reason}). Give --params on_bad_image=skip to leave such images out."
            )
        rows = to_rows(table, [one for one in index["image_id"] if one not in images.bad], self._class_names)
        self._csv.producers = read_journal(self._stream.folder).digests
        self._csv.append(rows.assign(image=rows["image"].map(names)), came[-1] + 1, bad)
        mark_taken(self._stream.folder, came[-1])
        set_aside(self._stream.folder, first, came[-1])
        self.next_sequence = came[-1] + 1
        self._say(came[-1], index["scheduled_at"].max())

    def _say(self, sequence: int, due: float) -> None:
        now = time.monotonic()
        if now - self._since >= SAY_S:
            rate = (self._csv.predicted - self._images) / (now - self._since)
            waiting = max(0, read_journal(self._stream.folder).landed - sequence)
            logger.info(
                "Frame %d, %.0f images/s, %s, predicted %.1f s after it was due.",
                sequence, rate, counted(waiting, "frame waits", "frames wait"), time.time() - due,
            )  # fmt: skip
            self._since, self._images = now, self._csv.predicted


def predict_stream(asked: StreamRequest) -> tuple[RunRecord, GrowingCsv]:
    """Checks a request, and predicts until the stream has ended; the same request goes on where it was.

    Returns:
        The run record of the model, and the CSV.

    Raises:
        UserError: For whatever is wrong with the request, the model or the stream.
    """
    from kedro.io.core import generate_timestamp

    request = asked.request
    setting, config = request.setting, SparkConfig.from_config(request.loader["spark"])
    stream, target = asked.stream(), asked.target()
    record, predictor = asked.saved_model()
    run_id = generate_timestamp()
    run_name = "-".join(slug(part) for part in (config.run_name, "predict", run_id) if part)
    with disk_errors_explained(), reading(stream.folder):
        csv = GrowingCsv(target, _described(record, stream))
        if csv.next_sequence > FIRST_SEQUENCE:
            require_same_stream(stream.folder, csv.next_sequence - 1, csv.producers, "give another --output")
        put_in_place(stream.folder, csv.next_sequence)
        with explained(SparkRuntime(setting, config, run_name)) as runtime:
            cores = runtime.info.cores
            predictions = Predictions(runtime.session, predictor, csv, record.data.class_names, stream, cores)
            run_query(runtime.session, stream, predictions, runtime.log_dir / "receiver.log")
    return record, csv


def _described(record: RunRecord, stream: StreamSpec) -> dict[str, Any]:
    """Where the predictions come from, as values that JSON can hold."""
    return {
        "model": record.model,
        "family": record.family,
        "version": record.run_id,
        "path": record.artifacts[MODEL],
        "classes": list(record.data.class_names),
        "landing": str(stream.folder),
    }
