"""Where frames land: one Parquet file each, durable before it is acknowledged, numbered without a gap."""

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cifar_pipelines.common.disk import disk_errors_explained
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.locks import alone
from cifar_pipelines.common.options import whole
from cifar_pipelines.common.tables import FRAMES
from cifar_pipelines.common.whole_files import PARTIAL, write_durably
from cifar_pipelines.streaming.journal import Producer, committed, read_journal
from cifar_pipelines.streaming.wire import Frame, WireError

LEARNED = "_learned"  # folder for frames that were learned from; readers of tables overlook it
FACTS = b"frame"  # the key of a file's own words about its frame


def frame_file(folder: Path, sequence: int) -> Path:
    """The file of a landed frame."""
    return folder / f"{sequence:010d}.parquet"


def find_frame(folder: Path, sequence: int) -> Path | None:
    """The file of a landed frame, which may have been put aside; None where it is neither here nor there."""
    return next((file for place in (folder, folder / LEARNED) if (file := frame_file(place, sequence)).exists()), None)


class Landing:
    """Lands frames of several producers in one folder; use it as a context manager, by one receiver at a time.

    A frame is written, then the journal, then the caller acknowledges it. Whatever is killed between two of these, the
    next receiver finds out from the files: a frame that the journal does not have is written there, and a frame that comes
    once more is known by its number.

    Args:
        folder: Where the files are; it is made.
        max_backlog: How many frames may wait for the learner, whoever sent them.
        servers: Addresses of the servers that are followed, among whose producers they are shared out evenly.

    Raises:
        UserError: If the folder cannot be written or is not whole, another receiver uses it, or there is no room for every producer.
    """

    def __init__(self, folder: Path, max_backlog: int, servers: Sequence[str]) -> None:
        whole("The backlog", max_backlog, 1)
        if max_backlog < len(servers):
            raise UserError(
                f"The backlog is {max_backlog}, but every one of {len(servers)} producers needs room for a frame. Give --max-backlog "
                f"{len(servers)} or more."
            )
        self.folder, self._max_backlog, self._share = folder, max_backlog, max_backlog // len(servers)
        self._credit: dict[str, int] = {}  # up to which frame a producer that is there may send
        self._turn = threading.RLock()
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, but frames land in a folder. Give another path.")
        with disk_errors_explained():
            refusal = f"{folder} is in use by another receiver. Stop that one, or let frames land in another folder."
            with ExitStack() as held:
                held.enter_context(alone(folder / "_lock", refusal))
                for partial in folder.glob(f".*{PARTIAL}"):
                    partial.unlink()
                self._journal = read_journal(folder)
                # Frames that wait for the learner and their producers, oldest first, and how many each has: never counted anew, because
                # there may be many and a producer asks after each.
                self._owners: deque[tuple[int, str]] = deque()
                self._waiting: Counter[str] = Counter()
                self._recover()
                # Whom a receiver followed before, if all of it was there: see `close`.
                self._before = self._journal.followed if self._journal.ended else None
                self._follow(servers)
                self._held = held.pop_all()

    def __enter__(self) -> "Landing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets another receiver use the folder.

        A stream that was whole before stays so where no producer came from those servers, such as by a mistyped address.
        """
        met = {producer.address for producer in self._journal.producers.values()}
        with self._held:
            if self._before is not None and not met.issuperset(self._journal.followed):
                self._follow(self._before)

    def _follow(self, servers: Sequence[str]) -> None:
        if self._journal.followed != list(servers):
            self._journal.followed = list(servers)
            self._journal.write(self.folder)

    @property
    def landed(self) -> int:
        """The sequence number of the last frame."""
        return self._journal.landed

    def ended_at(self, address: str) -> bool:
        """Whether what a server has sent before was all it has."""
        with self._turn:
            return self._journal.ended_at(address)

    def admit(self, name: str, stream: Mapping[str, Any], address: str) -> int:
        """Takes a producer in, or knows it again, by what it says of its stream: `digest`, `classes` and `scenario`.

        Args:
            name: Its name.
            stream: What it says of its stream.
            address: Where its server is.

        Returns:
            The number of its last frame that has landed, by its own counting.

        Raises:
            UserError: If the folder knows another stream by this name.
        """
        with self._turn, disk_errors_explained():
            digest, known = str(stream.get("digest")), self._journal.producers.get(name)
            if known is None:
                known = Producer(digest, list(stream.get("classes") or ()), dict(stream.get("scenario") or {}))
                self._journal.producers[name] = known
            elif known.digest != digest:
                raise UserError(
                    f"The producer {name!r} has sent {known.last} frames of another stream into {self.folder}: its images, seed, "
                    "scenario or batch size were others. Serve those again, give this stream another --name, or let it land in another folder."
                )
            if known.address != address:
                known.address = address
                self._journal.write(self.folder)
            self._credit[name] = known.last
            return known.last

    def land(self, name: str, frame: Frame) -> bool:
        """Keeps a frame for good.

        Returns:
            Whether it is new; False for one that has landed before.

        Raises:
            WireError: If one is missing before it, or there is no room for it.
            UserError: If the disk is full or closed.
        """
        with self._turn, disk_errors_explained():
            journal, producer = self._journal, self._journal.producers[name]
            if frame.number <= producer.last:
                return False
            if frame.number > producer.last + 1:
                raise WireError(f"frame {frame.number} came where {producer.last + 1} has to come")
            if frame.number > self._credit[name] and frame.number > (until := self.until(name)):
                raise WireError(f"frame {frame.number} came, but there was room up to frame {until} alone")
            sequence = journal.landed + 1
            # Spark's file source orders files by their times of change, which a clock that is set back must not mix up.
            modified_ms = max(int(time.time() * 1000), journal.modified_ms + 1)
            write_durably(frame_file(self.folder, sequence), _parquet(sequence, name, frame), modified_ms)
            self._note(sequence, name, frame.number, modified_ms)
            journal.write(self.folder)
            return True

    def end(self, name: str, last: int) -> None:
        """Notes that a producer has sent all it has; raises a `WireError` if frames of it are missing."""
        with self._turn, disk_errors_explained():
            producer = self._journal.producers[name]
            if producer.last != last:
                raise WireError(f"the stream ended with frame {last}, but {producer.last} was the last one that came")
            producer.ended = True
            self._journal.write(self.folder)

    def until(self, name: str) -> int:
        """The frame, by its own counting, up to which a producer may send.

        It gets its share, as far as that is not taken: by frames that wait, also of producers that are not followed any more,
        and by what others may send. Nobody holds more than a share, so that all get theirs when what waits is learned.
        """
        with self._turn:
            learned, last = committed(self.folder), self._journal.producers[name].last
            while self._owners and self._owners[0][0] <= learned:
                self._waiting[self._owners.popleft()[1]] -= 1
            others = sum(until - self.last_of(other) for other, until in self._credit.items() if other != name)
            room = min(self._share - self._waiting[name], self._max_backlog - (self.landed - learned) - others)
            # What was given may be on its way already.
            self._credit[name] = max(self._credit.get(name, last), last + room)
            return self._credit[name]

    def last_of(self, name: str) -> int:
        """The number of a producer's last frame that has landed, by its own counting; 0 for one that never came."""
        producer = self._journal.producers.get(name)
        return producer.last if producer else 0

    def waiting(self) -> int:
        """How many frames wait for the learner."""
        return self.landed - committed(self.folder)

    def _note(self, sequence: int, name: str, number: int, modified_ms: int) -> None:
        self._wait(sequence, name)
        self._journal.landed, self._journal.modified_ms = sequence, modified_ms
        self._journal.producers[name].last = number
        self._journal.producers[name].ended = False

    def _wait(self, sequence: int, name: str) -> None:
        self._owners.append((sequence, name))
        self._waiting[name] += 1

    def _recover(self) -> None:
        """Brings the journal up to the files, and checks that those which wait for the learner are there."""
        before, learned = self._journal.landed, committed(self.folder)
        for sequence in range(learned + 1, before + 1):
            if (file := find_frame(self.folder, sequence)) is None:
                raise UserError(
                    f"{frame_file(self.folder, sequence)} is missing, and nothing has learned from it yet. Put it back, or let frames "
                    "land in another folder."
                )
            self._wait(sequence, _facts(file)["producer"])
        while (file := find_frame(self.folder, self._journal.landed + 1)) is not None:
            facts = _facts(file)
            if facts["producer"] not in self._journal.producers:
                raise UserError(
                    f"{file} is there, but the journal of {self.folder} knows no {facts['producer']!r} that could have sent it. Put the "
                    "journal back, or let frames land in another folder."
                )
            modified_ms = max(self._journal.modified_ms, file.stat().st_mtime_ns // 1_000_000)
            self._note(self._journal.landed + 1, facts["producer"], facts["number"], modified_ms)
        if learned > self._journal.landed:
            raise UserError(
                f"{self.folder} was learned from up to frame {learned}, but only {self._journal.landed} have landed there. Learner and "
                "frames do not belong together: let frames land in another folder, and learn anew."
            )
        if self._journal.landed > before:
            self._journal.write(self.folder)


def _parquet(sequence: int, name: str, frame: Frame) -> bytes:
    """A frame as a Parquet file with the columns `FRAMES`; images are compressed already."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = len(frame.images)
    ids, labels, images = zip(*frame.images, strict=True)
    columns = FRAMES.batch(
        [sequence] * count, ids, labels, images, [frame.sent_at] * count, range(count), [frame.epoch] * count,
        [frame.scheduled_at] * count, [time.time()] * count, [name] * count, [frame.number] * count,
    )  # fmt: skip
    table = pa.Table.from_batches([columns])
    facts = json.dumps({"producer": name, "number": frame.number})
    table = table.replace_schema_metadata({FACTS: facts.encode()})
    file = pa.BufferOutputStream()
    pq.write_table(table, file, compression="none", use_dictionary=False, row_group_size=count)
    return file.getvalue().to_pybytes()


def _facts(file: Path) -> dict:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return json.loads(pq.read_schema(file).metadata[FACTS])
    except (pa.ArrowInvalid, KeyError, TypeError) as error:
        raise UserError(f"{file} is no landed frame: {error}. Put it back as it was, or use another folder.") from error
