"""The streaming query: Spark reads frames where they land, and hands them to the learners."""

import logging
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import SparkSession
from cifar_pipelines.common.tables import FRAMES
from cifar_pipelines.common.words import counted
from cifar_pipelines.pipelines.streaming.learning import MicroBatches
from cifar_pipelines.pipelines.streaming.specification import StreamSpec
from cifar_pipelines.spark.paths import spark_pattern
from cifar_pipelines.streaming.journal import read_journal
from cifar_pipelines.streaming.landing import LEARNED, frame_file
from cifar_pipelines.streaming.supervision import SupervisedReceiver

logger = logging.getLogger(__name__)

LOOK_S = 0.1


def put_in_place(folder: Path, next_sequence: int) -> None:
    """Puts frames that are to be learned where Spark reads, and those that were learned aside.

    So a query needs no memory of what it has read: what is committed is the only truth, and nothing that Spark
    remembers of an earlier query can contradict it.
    """
    aside = folder / LEARNED
    for file in (*folder.glob("*.parquet"), *aside.glob("*.parquet")):
        put_one_in_place(file, folder, next_sequence)


def put_one_in_place(file: Path, folder: Path, next_sequence: int) -> None:
    """Does so with one file of a frame."""
    place = folder if int(file.stem) >= next_sequence else folder / LEARNED
    if file.parent != place:
        place.mkdir(exist_ok=True)
        file.replace(place / file.name)


def set_aside(folder: Path, first: int, last: int) -> None:
    """Puts frames that are committed aside, so that Spark does not list them again and again."""
    for sequence in range(first, last + 1):
        if (file := frame_file(folder, sequence)).exists():
            put_one_in_place(file, folder, last + 1)


def run_query(session: SparkSession, stream: StreamSpec, micro_batches: MicroBatches, log: Path) -> str:
    """Learns until the stream has ended and all of it is learned.

    Args:
        session: The session.
        stream: The stream.
        micro_batches: What is called with every micro-batch.
        log: Gets what the receiver prints, if this run receives.

    Returns:
        The id of the job group of the query.

    Raises:
        UserError: If no frame comes for too long, the receiver fails, or a frame cannot be learned.
    """
    with ExitStack() as stack:
        receiver = None
        if stream.addresses:
            receiver = SupervisedReceiver(stream.addresses, stream.folder, stream.max_backlog, log)
            stack.enter_context(receiver)
            _await_folder(stream, receiver)
        checkpoint = stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-"))
        frames = (
            session.readStream.schema(FRAMES.ddl)
            .option("maxFilesPerTrigger", stream.frames_per_trigger)
            .option("maxFileAge", "3650d")  # a stream may have paused; what is missing is noticed by its number
            .parquet(spark_pattern(stream.folder))
        )
        query = frames.writeStream.foreachBatch(micro_batches).option("checkpointLocation", checkpoint).start()
        try:
            _await_end(query, stream, micro_batches, receiver)
        finally:
            query.stop()
    return str(query.runId)


def _await_folder(stream: StreamSpec, receiver: SupervisedReceiver) -> None:
    """Waits until the receiver has made the folder, which Spark wants to be there."""
    while not stream.folder.is_dir():
        receiver.require_well()
        time.sleep(LOOK_S)


def _await_end(
    query: object, stream: StreamSpec, micro_batches: MicroBatches, receiver: SupervisedReceiver | None
) -> None:
    known, moved = -1, time.monotonic()
    while True:
        if micro_batches.failure is not None:
            raise micro_batches.failure
        if not query.isActive:
            raise query.exception() or RuntimeError("The query ended by itself.")
        if receiver is not None:
            receiver.require_well()
        journal, wanted = read_journal(stream.folder), micro_batches.next_sequence
        all_learned = wanted > journal.landed
        if all_learned and journal.ended and (receiver is None or receiver.has_ended):
            return
        if not all_learned:
            _require_there(stream.folder, wanted, micro_batches)
        if known != journal.landed or not all_learned:
            known, moved = journal.landed, time.monotonic()
        if time.monotonic() - moved > stream.patience_s:
            raise UserError(
                f"For {stream.patience_s:g} s no frame has landed in {stream.folder}, where the stream has not ended; "
                f"{counted(wanted - 1, 'frame is', 'frames are')} learned. Start `kedro stream serve` and `kedro stream receive` again, then "
                "this command: it goes on where it was."
            )
        time.sleep(LOOK_S)


def _require_there(folder: Path, wanted: int, micro_batches: MicroBatches) -> None:
    """Raises if the next frame has landed and is not there; Spark would wait for it forever."""
    there = frame_file(folder, wanted).exists()
    if not there and not micro_batches.is_busy and micro_batches.next_sequence == wanted:
        raise UserError(
            f"{frame_file(folder, wanted)} has landed and is not there any more. Put it back, or let frames land in another folder and "
            "begin anew."
        )
