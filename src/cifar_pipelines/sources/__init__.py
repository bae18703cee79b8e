"""Where labelled images come from."""

from collections.abc import Mapping
from typing import Any

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import checked_options
from cifar_pipelines.sources.base import ImageSource
from cifar_pipelines.sources.cifar10 import Cifar10Source
from cifar_pipelines.sources.image_folder import ImageFolderSource
from cifar_pipelines.sources.synthetic import SyntheticSource

SOURCES: dict[str, type[ImageSource]] = {
    source.name: source for source in (Cifar10Source, ImageFolderSource, SyntheticSource)
}

__all__ = ["SOURCES", "ImageSource", "open_source"]


def open_source(name: str, path: str | None = None, options: Mapping[str, Any] | None = None) -> ImageSource:
    """Constructs a source by name; opens no file.

    Args:
        name: A key of `SOURCES`.
        path: Where the images lie; None for the source's default. A source without files ignores it.
        options: The source's own settings, which are the keyword-only arguments of its class.

    Returns:
        The source, not yet checked.

    Raises:
        UserError: If the name or an option is unknown, or an option has the wrong type or value.
    """
    if name not in SOURCES:
        raise unknown_name(
            "source", name, SOURCES, "A new one is a subclass of ImageSource that is listed in SOURCES."
        )
    if path is not None and not isinstance(path, str):
        raise UserError(f"The source's path {path!r} is not text. Give a folder, such as data/01_raw/images.")
    options = checked_options(SOURCES[name], options, f"the source {name!r}")
    return SOURCES[name](path, **options)
