"""The images that the runs of an experiment find: there, stale or missing."""

from collections.abc import Mapping
from contextlib import chdir
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.experiment.findings import of_images
from cifar_pipelines.families import INGESTION
from cifar_pipelines.records.kept_tables import why_to_make

if TYPE_CHECKING:
    from kedro.io import DataCatalog

IMAGES = ("images", "images_info")
STALE = "stale"  # no images have this fingerprint


class KeptImages:
    """The image table of a setting and parameters, as it is when it is looked at.

    Args:
        setting: Name of the environment.
        params: What is given with `--params`.

    Attributes:
        fingerprint: That of the images that are there; `STALE` where they cannot be used as they are, such as after a
            change of their source, None where there are none.
        why_stale: The reason, in words.
    """

    def __init__(self, setting: str, params: Mapping[str, Any]) -> None:
        self._setting, self._params = setting, params
        self.why_stale = ""
        self.look()

    @property
    def are_whole(self) -> bool:
        """Whether they can be used as they are."""
        return self.fingerprint not in (STALE, None)

    def look(self) -> None:
        """Looks at them again, after a run that may have made them."""
        self.fingerprint = self._found()

    def in_words(self) -> str:
        """What they are."""
        with chdir(PROJECT_PATH):
            return of_images(self._kept[0]["images_info"].load())

    @property
    def train_available(self) -> int | None:
        """How many training images the source has beside those of validation; None where that is not known."""
        if not self.are_whole:
            return None
        with chdir(PROJECT_PATH):
            return self._kept[0]["images_info"].load().get("train_available")

    @cached_property
    def _kept(self) -> "tuple[DataCatalog, dict[str, Any]]":
        """The catalog entries of the images, and the parameters that they are made by."""
        from kedro.io import DataCatalog

        loader = load_configuration(self._setting, dict(self._params))
        entries = loader["catalog"]
        return DataCatalog.from_config({name: entries[name] for name in IMAGES}), loader["parameters"]

    def _found(self) -> str | None:
        catalog, parameters = self._kept
        with chdir(PROJECT_PATH):  # to which the paths of the catalog are relative
            if not all(map(catalog.exists, IMAGES)):
                return None
            if reason := why_to_make(INGESTION, list(IMAGES), catalog, parameters):
                self.why_stale = reason
                return STALE
            return catalog["images_info"].load()["fingerprint"]
