"""The streaming query: Spark reads frames where they land, and hands them to the learners."""

import logging
import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, SparkSession
from cifar_pipelines.common.locks import alone
from cifar_pipelines.common.tables import FRAMES
from cifar_pipelines.common.words import counted
from cifar_pipelines.pipelines.streaming.specification import StreamSpec, images_text
from cifar_pipelines.spark.paths import spark_path, spark_pattern
from cifar_pipelines.spark.timing import Work, count_jobs
from cifar_pipelines.streaming.journal import commit as mark_taken
from cifar_pipelines.streaming.journal import committed, read_journal
from cifar_pipelines.streaming.landing import LEARNED, find_frame, frame_file
from cifar_pipelines.streaming.supervision import Served, SupervisedReceiver, served

logger = logging.getLogger(__name__)

LOOK_S = 0.1
MILLISECOND_NS = 1_000_000
COUNT_S = 60.0
SILENCE_S = 10.0


class Taker(ABC):
    """What Spark calls with every micro-batch.

    Args:
        next_sequence: Sequence number of the first frame to come.

    Attributes:
        next_sequence: Sequence number of the first frame that is not committed.
        is_busy: Whether a micro-batch is being taken.
        failure: What went wrong, before Spark wraps it in its own words.
    """

    def __init__(self, next_sequence: int) -> None:
        self.next_sequence = next_sequence
        self.is_busy = False
        self.failure: BaseException | None = None

    def __call__(self, frames: DataFrame, _: int) -> None:
        """Takes a micro-batch; its number says nothing that the frames do not say."""
        self.is_busy = True
        try:
            self._take(frames)
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.is_busy = False

    @abstractmethod
    def _take(self, frames: DataFrame) -> None:
        """Takes frames, with the columns `FRAMES`, of which some may have come before; commits, and moves `next_sequence`."""


def reading(folder: Path) -> AbstractContextManager[None]:
    """Lets one run at a time take frames from a folder, which may not be there yet."""
    return alone(
        folder / "_reader",
        f"Another run takes frames from {folder}. Wait until it has ended, or receive the stream into another folder.",
    )


def require_same_stream(folder: Path, taken: int, producers: Mapping[str, str], anew: str) -> None:
    """Makes sure that a folder still holds the stream that an earlier run has taken frames of.

    Args:
        folder: Where frames land.
        taken: How many of its frames were taken.
        producers: The digest of every producer's stream then, by name; empty where that is not known.
        anew: How to begin anew, as a command.

    Raises:
        UserError: If another stream has landed there, or fewer frames than were taken.
    """
    journal, came = read_journal(folder), f"{counted(taken, 'frame was', 'frames were')} taken"
    remedy = f"Put the former one back, let frames land in another folder, or begin anew: {anew}."
    for name, digest in producers.items():
        now = journal.producers.get(name)
        if now is None or now.digest != digest:
            what = "no stream" if now is None else "another stream"
            raise UserError(
                f"{came} from {folder}, which now holds {what} of {name!r}, but only the same images, batch size, seed and scenario can "
                f"go on. {remedy}"
            )
    # A frame may be there before the journal has it.
    if journal.landed < taken and find_frame(folder, taken) is None:
        raise UserError(
            f"{came} from {folder}, where only {journal.landed} have landed: it is another stream. {remedy}"
        )


def put_in_place(folder: Path, next_sequence: int) -> None:
    """Puts frames that are to be learned where Spark reads, and those that were learned aside.

    So a query needs no memory of what it has read: what is committed is the only truth, and nothing that Spark
    remembers of an earlier query can contradict it. Spark reads files by their times of change, which rise with the
    numbers of frames again where somebody has put one back. The mark, which gives producers their room back, comes after
    the commit: of a run that was stopped between the two nobody else would write it.
    """
    aside = folder / LEARNED
    for file in (*folder.glob("*.parquet"), *aside.glob("*.parquet")):
        put_one_in_place(file, folder, next_sequence)
    for later, file in pairwise(sorted(folder.glob("*.parquet"), reverse=True)):
        latest_ns = later.stat().st_mtime_ns - MILLISECOND_NS
        if file.stat().st_mtime_ns > latest_ns:
            os.utime(file, ns=(latest_ns, latest_ns))
    if committed(folder) < next_sequence - 1:
        mark_taken(folder, next_sequence - 1)


def put_one_in_place(file: Path, folder: Path, next_sequence: int) -> None:
    """Does so with one file of a frame; raises a `UserError` for any other, which Spark would read as well."""
    if not file.stem.isdecimal():
        raise UserError(
            f"{file} is no landed frame, whose name is a number such as {frame_file(folder, 1).name}. Move it to another folder."
        )
    place = folder if int(file.stem) >= next_sequence else folder / LEARNED
    if file.parent != place:
        place.mkdir(exist_ok=True)
        file.replace(place / file.name)


def set_aside(folder: Path, first: int, last: int) -> None:
    """Puts frames that are committed aside, so that Spark does not list them again and again."""
    for sequence in range(first, last + 1):
        if (file := frame_file(folder, sequence)).exists():
            put_one_in_place(file, folder, last + 1)


def run_query(session: SparkSession, stream: StreamSpec, taker: Taker, log: Path, work: Work | None = None) -> None:
    """Learns until the stream has ended and all of it is learned.

    Args:
        session: The session.
        stream: The stream.
        taker: What is called with every micro-batch.
        log: Gets what the receiver prints, if this run receives.
        work: Gets the job group of the query, and on the way the counters of its jobs.

    Raises:
        UserError: If no frame comes for too long, the receiver fails, or a frame cannot be learned.
    """
    with ExitStack() as stack:
        receiver, server = None, None
        if stream.serve is not None:
            server = stack.enter_context(served(images_text(), stream.serve, log.with_name("server.log")))
        if addresses := [server.address] if server else stream.addresses:
            receiver = SupervisedReceiver(addresses, stream.folder, stream.max_backlog, stream.patience_s, log)
            stack.enter_context(receiver)
        senders = [one for one in (server, receiver) if one is not None]
        checkpoint = stack.enter_context(_notes_of_spark(stream.folder))
        frames = (
            session.readStream.schema(FRAMES.ddl)
            .option("maxFilesPerTrigger", stream.frames_per_trigger)
            # Spark remembers no file that is so much older than the newest one it read. None that is to come is older than that
            # one: times of change rise with the numbers of frames, however long a stream has paused.
            .option("maxFileAge", "1h")
            .parquet(spark_pattern(stream.folder))
        )
        query = frames.writeStream.foreachBatch(taker).option("checkpointLocation", checkpoint).start()
        count = None
        if work is not None:
            work.group = str(query.runId)
            count = partial(count_jobs, session, work)
        try:
            _await_end(query, stream, taker, senders, count)
        finally:
            query.stop()


@contextmanager
def _notes_of_spark(folder: Path) -> Iterator[str]:
    """Where Spark notes which files a query has read, new for every query: what was learned stands in commits alone.

    What a killed run has left there is removed.
    """
    notes = folder / "_checkpoint"
    shutil.rmtree(notes, ignore_errors=True)
    try:
        yield spark_path(notes)
    finally:
        shutil.rmtree(notes, ignore_errors=True)


def _await_end(
    query: object,
    stream: StreamSpec,
    taker: Taker,
    senders: Sequence[Served | SupervisedReceiver],
    count: Callable[[], None] | None,
) -> None:
    receivers = [one for one in senders if isinstance(one, SupervisedReceiver)]
    known, moved, counted_at = -1, time.monotonic(), time.monotonic()
    silence = Silence(stream.patience_s)
    while True:
        if count is not None and time.monotonic() - counted_at > COUNT_S:
            count()
            counted_at = time.monotonic()
        if taker.failure is not None:
            raise taker.failure
        if not query.isActive:
            raise query.exception() or RuntimeError("The query ended by itself.")
        for sender in senders:
            sender.require_well()
        journal, wanted = read_journal(stream.folder), taker.next_sequence
        all_learned = wanted > journal.landed
        if all_learned and journal.ended and all(receiver.has_ended for receiver in receivers):
            return
        if not all_learned:
            _require_there(stream.folder, wanted, taker)
        if known != journal.landed or not all_learned:
            known, moved = journal.landed, time.monotonic()
        silent_s = time.monotonic() - moved
        silence.say(silent_s, wanted)
        if silent_s > stream.patience_s:
            raise _given_up(stream, wanted - 1)
        time.sleep(LOOK_S)


class Silence:
    """Says while no frame comes how long that has lasted, twice as long after each time.

    Args:
        patience_s: Seconds after which the stream is given up.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s, self._next_s = patience_s, SILENCE_S

    def say(self, lasted_s: float, wanted: int) -> None:
        """Is told how long nothing has come, and the number of the frame that is waited for."""
        if lasted_s < SILENCE_S:
            self._next_s = SILENCE_S
        elif lasted_s >= self._next_s:
            self._next_s *= 2
            logger.info(
                "No frame has come for %.0f s; frame %d is waited for, and after %.0f s the stream is given up.",
                lasted_s, wanted, self._patience_s,
            )  # fmt: skip


def _given_up(stream: StreamSpec, learned: int) -> UserError:
    """The error that says that frames have stopped to come, and what to start again."""
    remedy = "Start `kedro stream serve` and `kedro stream receive` again, then this command"
    if stream.serve is not None:
        remedy = "Start this command again"
    elif stream.addresses:
        remedy = "Start `kedro stream serve` again, then this command"
    return UserError(
        f"For {stream.patience_s:g} s no frame has landed in {stream.folder}, where the stream has not ended; "
        f"{counted(learned, 'frame is', 'frames are')} learned. {remedy}: it goes on where it was. A slow stream takes more patience: "
        "streaming.patience_s."
    )


def _require_there(folder: Path, wanted: int, taker: Taker) -> None:
    """Raises if the next frame has landed and is not there; Spark would wait for it forever."""
    there = frame_file(folder, wanted).exists()
    if not there and not taker.is_busy and taker.next_sequence == wanted:
        raise UserError(
            f"{frame_file(folder, wanted)} has landed and is not there any more. Put it back, or let frames land in another folder and "
            "begin anew."
        )
