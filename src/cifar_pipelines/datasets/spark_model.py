"""A fitted Spark ML model in the catalog."""

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, DatasetError, Version
from kedro.io.core import VersionNotFoundError

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.words import one_line
from cifar_pipelines.spark.paths import spark_path, spark_pattern

if TYPE_CHECKING:
    from pyspark.ml import Model


@dataclass(frozen=True)
class SavedModel:
    """A saved model: the path and size of its folder, and the model, which is loaded when it is asked for."""

    path: str
    size_bytes: int

    @cached_property
    def model(self) -> "Model":
        """The fitted model, loaded by the class that wrote it."""
        from pyspark.ml.util import DefaultParamsReader, JavaMLReader

        from cifar_pipelines.spark.session import active_session

        context, pattern = active_session().sparkContext, spark_pattern(Path(self.path))
        written_by = self._written_by()
        if not written_by.startswith("org.apache.spark.ml."):
            return DefaultParamsReader.loadParamsInstance(pattern, context)
        # PySpark would first read the class in a Python worker, which Spark ends thereupon with all that it has imported.
        module, _, name = written_by.replace("org.apache.spark", "pyspark").rpartition(".")
        return JavaMLReader(getattr(import_module(module), name)).load(pattern)

    def _written_by(self) -> str:
        """The class that wrote the model, as Spark names it."""
        try:
            (metadata,) = (Path(self.path) / "metadata").glob("part-*")
            return str(json.loads(metadata.read_text(encoding="utf-8"))["class"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DatasetError(
                f"The model in {self.path} does not say of which class it is ({one_line(str(error), 100)}): it is damaged. Put a whole copy "
                "back, or train it again."
            ) from error


class SparkModelDataset(AbstractVersionedDataset["Model", SavedModel]):
    """Saves a fitted Spark ML model and loads it back, whatever its class.

    The folder gets its name only when it is complete, so that an interrupted run leaves no model that
    looks whole. The path must be one that driver and executors share.
    """

    _SINGLE_PROCESS = True

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.metadata = metadata
        super().__init__(PurePosixPath(Path(filepath).resolve()), version, exists_function=_is_whole)

    def save(self, data: "Model") -> None:
        """Writes the model, whole or not at all."""
        target = Path(str(self._get_save_path()))
        if target.exists():
            raise DatasetError(f"{target} exists already; a version is never overwritten.")
        with whole_files.writing(target) as partial:
            data.write().save(spark_path(partial))

    def load(self) -> SavedModel:
        """Finds the model; raises a `DatasetError` if there is none."""
        path = Path(str(self._get_load_path()))
        return SavedModel(str(path), sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))

    def _exists(self) -> bool:
        try:
            return _is_whole(str(self._get_load_path()))
        except VersionNotFoundError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def _is_whole(path: str) -> bool:
    return (Path(path) / "metadata" / "_SUCCESS").exists()
