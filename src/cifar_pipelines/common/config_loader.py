"""Kedro's configuration loader for a folder of any name."""

from glob import glob
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.config import OmegaConfigLoader


class ConfigLoader(OmegaConfigLoader):
    """Finds its files whatever the folder above them is called; to Kedro, brackets in a name stand for other signs."""

    @staticmethod
    def _initialise_filesystem_and_protocol(conf_source: str) -> Any:
        files, protocol = OmegaConfigLoader._initialise_filesystem_and_protocol(conf_source)
        return (_FilesBelow(str(conf_source)) if protocol == "file" else files), protocol


class _FilesBelow(LocalFileSystem):
    """The file system of this host, whose patterns begin below a folder."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = self._strip_protocol(folder)

    def glob(self, path: str, **_: Any) -> list[str]:
        """The files that fit a pattern, which begins with the folder's own name."""
        pattern = self._strip_protocol(path).removeprefix(f"{self.folder}/")
        below = glob(pattern, root_dir=self.folder, recursive=True)  # noqa: PTH207 (whose ** would find folders alone)
        return [f"{self.folder}/{found}" for found in below]
