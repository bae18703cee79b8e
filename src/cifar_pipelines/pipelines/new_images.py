"""Images or texts that no model has seen and nobody has labelled, read on the executors for a saved model to predict."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.common.contents import IMAGE, Content
from cifar_pipelines.common.table_files import in_parts
from cifar_pipelines.common.tables import FILES, OUTPUTS, lists_of
from cifar_pipelines.pipelines.ingestion.reading import count_readers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

TASK_IMAGES = 2000  # at most; progress is counted in tasks
Outputs = Callable[[Sequence[bytes]], "np.ndarray"]  # image files in, float32 of shape (files, d) out
Predictor = Callable[["NewImages"], "pd.DataFrame"]  # see `families.Family.predictor`
Note = Callable[[Mapping[str, str]], None]


class NewImages:
    """Files below a folder that the driver and all executors see, or contents that the driver holds.

    Args:
        session: The session that reads them.
        found: The folder; or the contents by name.
        names: Their paths below it, which are their ids; or the names of the contents.
        cores: Cores of all executors.
        content: What they are, images or texts.
    """

    def __init__(
        self,
        session: "SparkSession",
        found: Path | Mapping[str, bytes],
        names: Sequence[str],
        cores: int,
        content: Content = IMAGE,
    ) -> None:
        self.session, self.names, self.cores, self.content = session, names, cores, content
        self._found = found
        self._bad = session.sparkContext.accumulator({}, _merging())

    @property
    def bad(self) -> dict[str, str]:
        """The images that could not be read or decoded so far, each with the reason."""
        return dict(sorted(self._bad.value.items()))

    def outputs(self, function: Outputs) -> "DataFrame":
        """What a network says of every image that can be decoded: every file is read and decoded once, where it is used.

        Args:
            function: Travels to the Python workers; raises for an image that it cannot decode.

        Returns:
            Table with the columns of `OUTPUTS`, in any order; `bad` is complete when it has been computed.
        """
        found, content, bad = self._found, self.content, self._bad
        # PARALLEL(executors): every task reads, decodes and looks at its share of the new images.
        return self._listed().mapInArrow(
            lambda batches: look_at_files(batches, found, function, bad.add, content), OUTPUTS.ddl
        )

    def files(self) -> "DataFrame":
        """The files that can be decoded, for what Spark computes of them itself: the columns of `FILES`, in any order."""
        found, content, bad = self._found, self.content, self._bad
        # PARALLEL(executors): every task reads and checks its share.
        return self._listed().mapInArrow(lambda batches: read_files(batches, found, bad.add, content), FILES.ddl)

    def _listed(self) -> "DataFrame":
        import pandas as pd

        found = self._found
        sizes = ((found / name).stat().st_size if isinstance(found, Path) else len(found[name]) for name in self.names)
        tasks = max(count_readers(len(self.names), sum(sizes), self.cores), -(-len(self.names) // TASK_IMAGES))
        return self.session.createDataFrame(pd.DataFrame({"image_id": self.names})).repartition(tasks)


class FrameImages:
    """Images of landed frames, which hold the images themselves; to a predictor they are what `NewImages` is.

    Args:
        session: The session that reads them.
        frames: Table with the columns `image_id`, each of them once, and `image`.
        cores: Cores of all executors.
    """

    def __init__(self, session: "SparkSession", frames: "DataFrame", cores: int) -> None:
        self.session, self.cores = session, cores
        self._frames = frames
        self._bad = session.sparkContext.accumulator({}, _merging())

    @property
    def bad(self) -> dict[str, str]:
        """See `NewImages`."""
        return dict(sorted(self._bad.value.items()))

    def outputs(self, function: Outputs) -> "DataFrame":
        """See `NewImages`."""
        bad = self._bad
        spread = self._frames.select("image_id", "image").repartition(self.cores)
        # PARALLEL(executors): every core decodes and looks at its share of a micro-batch.
        return spread.mapInArrow(lambda batches: look_at_images(batches, function, bad.add), OUTPUTS.ddl)


def look_at_images(batches: Iterable["pa.RecordBatch"], function: Outputs, note: Note) -> Iterator["pa.RecordBatch"]:
    """Does what `look_at_files` does with images that are there, as the column `image`."""
    for batch in batches:
        names = batch.column("image_id").to_pylist()
        for files in in_parts(batch.column("image").to_pylist()):
            part, names = names[: len(files)], names[len(files) :]
            known, outputs = _outputs(part, files, function, note)
            if known:
                yield OUTPUTS.batch(known, lists_of(outputs))


def look_at_files(
    batches: Iterable["pa.RecordBatch"],
    found: Path | Mapping[str, bytes],
    function: Outputs,
    note: Note,
    content: Content = IMAGE,
) -> Iterator["pa.RecordBatch"]:
    """Reads the images of record batches with the column `image_id`, a few at a time where they are large.

    Args:
        batches: Ids, which are paths below the folder.
        found: The folder, or the contents by name.
        function: Makes outputs of image files.
        note: Is told of images that cannot be read or decoded, with the reason.
        content: What they are.

    Yields:
        Record batches of `OUTPUTS`, without those images.
    """
    for names, files in _parts(batches, found, note):
        known, outputs = _outputs(names, files, function, note, content)
        if known:
            yield OUTPUTS.batch(known, lists_of(outputs))


def read_files(
    batches: Iterable["pa.RecordBatch"], found: Path | Mapping[str, bytes], note: Note, content: Content
) -> Iterator["pa.RecordBatch"]:
    """Reads and checks files as `look_at_files` does; yields record batches of `FILES`, without those that are bad."""
    for names, files in _parts(batches, found, note):
        bad = _undecodable(names, files, content)
        note(bad)
        good = [(name, file) for name, file in zip(names, files, strict=True) if name not in bad]
        yield FILES.batch([name for name, _ in good], [file for _, file in good])


def _parts(
    batches: Iterable["pa.RecordBatch"], found: Path | Mapping[str, bytes], note: Note
) -> Iterator[tuple[list[str], list[bytes]]]:
    """The names and contents of files that can be read, a few at a time where they are large."""
    for batch in batches:
        read: list[str] = []
        for files in in_parts(_contents(found, batch.column("image_id").to_pylist(), read, note)):
            yield read[-len(files) :], files


def _contents(found: Path | Mapping[str, bytes], names: Iterable[str], read: list[str], note: Note) -> Iterator[bytes]:
    """The contents of files; adds the name of each to `read`."""
    for name in names:
        try:
            content = (found / name).read_bytes() if isinstance(found, Path) else found[name]
        except OSError as error:
            note({name: error.strerror or type(error).__name__})
            continue
        read.append(name)
        yield content


def _outputs(
    names: list[str], files: list[bytes], function: Outputs, note: Note, content: Content = IMAGE
) -> tuple[list[str], "np.ndarray | None"]:
    """Outputs of files; where one of them cannot be decoded, of the others."""
    try:
        return names, function(files)
    except Exception:
        bad = _undecodable(names, files, content)
        if not bad:
            raise
    note(bad)
    good = [place for place, name in enumerate(names) if name not in bad]
    return [names[place] for place in good], function([files[place] for place in good]) if good else None


def _undecodable(names: list[str], files: list[bytes], content: Content) -> dict[str, str]:
    """The files that cannot be decoded, each with the reason."""
    return {name: error for name, file in zip(names, files, strict=True) if (error := content.examine(file).error)}


def _merging() -> object:
    """Adds up dicts for Spark's accumulators; a task that runs twice says the same twice."""
    from pyspark.accumulators import AccumulatorParam

    class Merging(AccumulatorParam):
        def zero(self, value: dict[str, str]) -> dict[str, str]:
            return {}

        def addInPlace(self, one: dict[str, str], other: Mapping[str, str]) -> dict[str, str]:  # noqa: N802
            return {**one, **other}

    return Merging()
