"""The run records that are there: read from their folder, with a sentence for each that cannot be."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.json_folder import json_loaders
from cifar_pipelines.records.run_record import RunRecord

Loaders = Mapping[str, Callable[[], dict] | dict | RunRecord]


def read_records(records: Loaders) -> tuple[dict[str, RunRecord], list[str]]:
    """Reads run records, and leaves out those that are broken or of another schema.

    Args:
        records: Run records, or functions that load one, by name.

    Returns:
        The records by name, in the order of their names, and a sentence for each that is left out.
    """
    read, left_out = {}, []
    for name, load in sorted(records.items(), key=lambda item: item[0]):
        try:
            content = load() if callable(load) else load
        except Exception as error:  # a truncated or foreign file can fail in any way
            cause = error.__cause__ or error
            left_out.append(f"Run record {name!r} is left out: it cannot be read ({type(cause).__name__}).")
            continue
        try:
            read[name] = content if isinstance(content, RunRecord) else RunRecord.from_json(content)
        except UserError as error:
            left_out.append(f"Run record {name!r} is left out: {error}")
    return read, left_out


class RecordShelf:
    """All run records below a folder, read anew at every question; what cannot be read does not count.

    Args:
        folder: Holds `<setting>/<model>.json/<version>/<model>.json`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def loaders(self) -> dict[str, Callable[[], dict]]:
        """Functions that load a record, by its path below the folder without the ending."""
        return json_loaders(self.folder)

    def of_model(self, setting: str, family: str, model: str) -> list[RunRecord]:
        """The records of a model under a setting with any configuration, oldest first."""
        records, _ = read_records(json_loaders(self.folder / setting))
        return [record for record in records.values() if (record.family, record.model) == (family, model)]

    def matching(
        self, setting: str, family: str, model: str, digest: str, images: str | None = None
    ) -> list[RunRecord]:
        """The records of a model under a setting with exactly this configuration, oldest first.

        Args:
            setting: Name of the setting.
            family: The family of the model.
            model: The model.
            digest: The configuration.
            images: The fingerprint of the images that they have to be of; None for any.
        """
        records = [record for record in self.of_model(setting, family, model) if record.configuration == digest]
        return [record for record in records if images in (None, record.data.fingerprint)]

    def missing(
        self,
        setting: str,
        expected: Mapping[str, Mapping[str, str]],
        families: Iterable[str],
        repeat: int,
        images: str | None = None,
    ) -> tuple[str, ...]:
        """The families that still lack a record of some model for this repeat, in their order; see `matching`."""

        def lacks(family: str) -> bool:
            models = expected[family].items()
            return any(len(self.matching(setting, family, model, digest, images)) < repeat for model, digest in models)

        return tuple(filter(lacks, families))
