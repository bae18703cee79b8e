"""Kedro's configuration loader for a folder of any name, which reads nothing twice that has not changed."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from glob import glob
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf

# What was read in this process. Every command reads the same few blocks again and again, half a second each time.
_read: dict[tuple[Any, ...], Any] = {}
_MOST = 64


class ConfigLoader(OmegaConfigLoader):
    """Finds its files whatever the folder above them is called; to Kedro, brackets in a name stand for other signs."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """A block of the configuration, as Kedro reads it."""
        if key in self:
            return super().__getitem__(key)
        self._register_globals_resolver()  # that of the loader which was made last is another's
        return self._once((repr(self), key), super().__getitem__, key)

    def _read_raw_config(self, key: str) -> Any:
        return self._once((self.conf_source, self.base_env, self.env, key), super()._read_raw_config, key)

    def _once(self, what: tuple[Any, ...], read: Callable[[str], Any], key: str) -> Any:
        """What was read before, where no file has changed since; credentials depend on the environment of the process."""
        if self._protocol != "file" or key == "credentials":
            return read(key)
        what = (*what, *self._files())
        if what not in _read:
            found = read(key)
            if len(_read) >= _MOST:
                _read.pop(next(iter(_read)))
            _read[what] = found
        return deepcopy(_read[what])

    def _files(self) -> Iterator[tuple[str, int, int, int]]:
        """Every file that this configuration may be read from, with what changes when it is written."""
        for folder in dict.fromkeys((self.base_env, self.env or self.default_run_env)):
            for file in sorted(self._fs.glob(f"{self.conf_source}/{folder}/**")):
                if Path(file).is_file():
                    state = Path(file).stat()
                    yield file, state.st_ino, state.st_size, state.st_mtime_ns

    def _resolve_catalog_config(self, aggregate_config: Iterable[DictConfig]) -> dict[str, Any]:
        """Resolves once what entries of the catalog share, such as `_data`; Kedro does so wherever it is named."""
        merged = OmegaConf.unsafe_merge(*aggregate_config)
        for name in [name for name in merged if str(name).startswith("_")]:
            merged[name] = merged[name]
        return super()._resolve_catalog_config([merged])

    def _merge_configs(self, config: dict[str, Any], env_config: dict[str, Any], key: str, env_path: str) -> Any:
        """Merges what an environment says with the base; most say nothing of most blocks."""
        return super()._merge_configs(config, env_config, key, env_path) if env_config else config

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
