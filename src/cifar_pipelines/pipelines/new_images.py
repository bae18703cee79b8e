"""Images that no model has seen and nobody has labelled, read on the executors for a saved model to predict."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.common.images import examine
from cifar_pipelines.common.table_files import in_parts
from cifar_pipelines.common.tables import OUTPUTS, lists_of
from cifar_pipelines.pipelines.ingestion.reading import count_tasks

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
    """Image files below a folder that the driver and all executors see.

    Args:
        session: The session that reads them.
        folder: The folder.
        names: Their paths below it, which are their ids.
        cores: Cores of all executors.
    """

    def __init__(self, session: "SparkSession", folder: Path, names: Sequence[str], cores: int) -> None:
        self.session, self.folder, self.names, self.cores = session, folder, names, cores
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
        import pandas as pd

        total = sum((self.folder / name).stat().st_size for name in self.names)
        tasks = max(count_tasks(len(self.names), total, self.cores), -(-len(self.names) // TASK_IMAGES))
        table = self.session.createDataFrame(pd.DataFrame({"image_id": self.names})).repartition(tasks)
        folder, bad = self.folder, self._bad
        # PARALLEL(executors): every task reads, decodes and looks at its share of the new images.
        return table.mapInArrow(lambda batches: look_at_files(batches, folder, function, bad.add), OUTPUTS.ddl)


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
    batches: Iterable["pa.RecordBatch"], folder: Path, function: Outputs, note: Note
) -> Iterator["pa.RecordBatch"]:
    """Reads the images of record batches with the column `image_id`, a few at a time where they are large.

    Args:
        batches: Ids, which are paths below the folder.
        folder: The folder.
        function: Makes outputs of image files.
        note: Is told of images that cannot be read or decoded, with the reason.

    Yields:
        Record batches of `OUTPUTS`, without those images.
    """
    for batch in batches:
        read: list[str] = []
        for files in in_parts(_contents(folder, batch.column("image_id").to_pylist(), read, note)):
            names = read[-len(files) :]
            known, outputs = _outputs(names, files, function, note)
            if known:
                yield OUTPUTS.batch(known, lists_of(outputs))


def _contents(folder: Path, names: Iterable[str], read: list[str], note: Note) -> Iterator[bytes]:
    """The contents of files; adds the name of each to `read`."""
    for name in names:
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            note({name: error.strerror or type(error).__name__})
            continue
        read.append(name)
        yield content


def _outputs(
    names: list[str], files: list[bytes], function: Outputs, note: Note
) -> tuple[list[str], "np.ndarray | None"]:
    """Outputs of files; where one of them cannot be decoded, of the others."""
    try:
        return names, function(files)
    except Exception:
        bad = {name: error for name, file in zip(names, files, strict=True) if (error := examine(file).error)}
        if not bad:
            raise
    note(bad)
    good = [place for place, name in enumerate(names) if name not in bad]
    return [names[place] for place in good], function([files[place] for place in good]) if good else None


def _merging() -> object:
    """Adds up dicts for Spark's accumulators; a task that runs twice says the same twice."""
    from pyspark.accumulators import AccumulatorParam

    class Merging(AccumulatorParam):
        def zero(self, value: dict[str, str]) -> dict[str, str]:
            return {}

        def addInPlace(self, one: dict[str, str], other: Mapping[str, str]) -> dict[str, str]:  # noqa: N802
            return {**one, **other}

    return Merging()
