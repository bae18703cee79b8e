"""A source of labelled images as a dataset of the catalog."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.sources import ImageSource, open_source


class ImageSourceError(UserError, DatasetError):
    """A UserError that Kedro passes on as it is; it would wrap any other and bury its message."""


class ImageSourceDataset(AbstractDataset[Any, ImageSource]):
    """Loads an `ImageSource` by the arguments of `open_source`; it is read-only.

    In a catalog:

    ```yaml
    images:
      type: cifar_pipelines.datasets.ImageSourceDataset
      name: synthetic
      options:
        train_images: 50000
    ```
    """

    def __init__(
        self,
        name: str,
        path: str | None = None,
        options: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._name, self._path, self._options = name, path, options or {}
        self.metadata = metadata
        self._source: ImageSource | None = None

    def load(self) -> ImageSource:
        """Opens and checks the source, once for all nodes of a run.

        Raises:
            ImageSourceError: If the source is unknown, set up wrongly, missing or damaged.
        """
        if self._source is None:
            try:
                source = open_source(self._name, self._path, self._options)
                source.check()
            except UserError as error:
                raise ImageSourceError(error.message) from error
            self._source = source
        return self._source

    def save(self, data: Any) -> NoReturn:
        """Refuses to save."""
        raise DatasetError("An image source is read-only. Remove it from the outputs of the node.")

    def _exists(self) -> bool:
        try:
            return open_source(self._name, self._path, self._options).exists()
        except UserError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "path": self._path, "options": self._options}

    def _release(self) -> None:
        self._source = None
