"""Kedro's configuration loader for a folder of any name, which reads nothing twice that has not changed."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf

# What was read in this process, pickled, which is copied six times as fast as it is by `deepcopy`. Every command reads the same few
# blocks again and again, half a second each time.
_read: dict[tuple[Any, ...], bytes] = {}
_MOST = 64
_OF_THE_PROCESS = ("credentials",)  # which depend on its environment as well


def _once(what: tuple[Any, ...], read: Callable[[], Any]) -> Any:
    """What was read before of the same files in the same state, for the caller alone; else reads it."""
    found = _read.pop(what, None)
    if found is None:
        found = pickle.dumps(read(), pickle.HIGHEST_PROTOCOL)
    if len(_read) >= _MOST:
        _read.pop(next(iter(_read)), None)  # what was wanted longest ago
    _read[what] = found
    return pickle.loads(found)  # noqa: S301 - of this process


def _states(files: LocalFileSystem, folders: Iterable[str]) -> Iterator[tuple[str, int, int, int]]:
    """Every file below the folders, with what changes when it is written."""
    for folder in folders:
        for file in sorted(files.glob(f"{folder}/**")):
            if Path(file).is_file():
                state = Path(file).stat()
                yield file, state.st_ino, state.st_size, state.st_mtime_ns


class ConfigLoader(OmegaConfigLoader):
    """Finds its files whatever the folder above them is called; to Kedro, brackets in a name stand for other signs."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """A block of the configuration, as Kedro reads it."""
        if key in self or self._protocol != "file" or key in _OF_THE_PROCESS:
            return super().__getitem__(key)
        self._register_globals_resolver()  # that of the loader which was made last is another's
        folders = dict.fromkeys((self.base_env, self.env or self.default_run_env))
        files = _states(self._fs, [f"{self.conf_source}/{folder}" for folder in folders])
        return _once((repr(self), key, *files), lambda: OmegaConfigLoader.__getitem__(self, key))

    def _read_dir_configs(
        self, conf_path: str, patterns: Iterable[str], key: str, processed_files: set[Path], *of_process: Any
    ) -> dict[Path, DictConfig]:
        """The files of one environment, as they stand there."""

        def read() -> dict[Path, DictConfig]:
            return OmegaConfigLoader._read_dir_configs(self, conf_path, patterns, key, set(), *of_process)

        if self._protocol != "file" or key in _OF_THE_PROCESS:
            found = read()
        else:
            found = _once((conf_path, *patterns, key, *_states(self._fs, [conf_path])), read)
        processed_files.update(found)
        return found

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
