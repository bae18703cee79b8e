"""Files of installed packages, by the patterns of their paths: what `make install` removes, for it is large and nothing loads it."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib.metadata import Distribution, distributions
from pathlib import Path


def files_of(packages: str, patterns: tuple[str, ...]) -> list[Path]:
    """Files that belong to installed packages, whether they are there or were removed.

    Args:
        packages: How the packages' names begin.
        patterns: Paths as packages record them, from the folder of packages; "*" stands for folders too.
    """
    return [
        path for package in distributions() if package.name.startswith(packages) for path in _chosen(package, patterns)
    ]


def remove(files: Iterable[Path]) -> int:
    """Removes those that are there.

    Returns:
        The bytes that they had.
    """
    there = [file for file in files if file.is_file()]
    freed = sum(file.stat().st_size for file in there)
    for file in there:
        file.unlink()
    return freed


def _chosen(package: Distribution, patterns: tuple[str, ...]) -> list[Path]:
    """As its record names them, those that are not there too, which Python 3.12 would leave out."""
    chosen = [file for file in package.files or () if any(fnmatchcase(str(file), one) for one in patterns)]
    return [Path(str(file.locate())) for file in chosen]
