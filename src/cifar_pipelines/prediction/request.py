"""What is asked of a saved model, checked before anything starts."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.contents import TEXT, Content
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.image_files import ImageFiles
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.common.paths import local_path
from cifar_pipelines.common.places import place
from cifar_pipelines.common.resolvers import path_suffix, slug
from cifar_pipelines.families import families
from cifar_pipelines.pipelines.new_images import Predictor
from cifar_pipelines.prediction.texts import given_texts, texts_of_file
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import TOLD_APART_BY, Wanted, find_in_project
from cifar_pipelines.spark.environment import checked_configuration, setting_under
from cifar_pipelines.spark.setting import ParallelismSetting

logger = logging.getLogger(__name__)

OF_THE_RUN = ("on_bad_image", "spark_master", "run_name")


@dataclass(frozen=True)
class Request:
    """A saved model, what it shall predict, and how to run.

    Attributes:
        model: Name or path of the model.
        folder: The folder of images or texts, or the file of texts, as it is typed; None for texts that are given.
        version: The id of the run that saved the model; None for the newest.
        environment: The environment with the parallelism setting; None for Kedro's default.
        params_text: What is given with `--params`: what the model learned from, and parameters of the run.
        output: The CSV to write; None for one of its own in the folder of predictions, or, of texts that are given, for none.
        texts: The texts that are given, in place of a folder.
    """

    model: str
    folder: str | None
    version: str | None = None
    environment: str | None = None
    params_text: str = ""
    output: Path | None = None
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.folder is None) == (not self.texts):
            raise UserError(
                f"Give what shall be predicted once: kedro predict {self.model} <folder>, or kedro predict {self.model} --text <text>."
            )

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters by name.

        Raises:
            UserError: If one has nothing to do with a prediction.
        """
        given = parse_params(self.params_text, self.environment)
        known = (*TOLD_APART_BY, *OF_THE_RUN)
        for name in given:
            if name not in known:
                raise unknown_name("parameter of a prediction", name, known, "A saved model keeps all others.")
        return given

    @cached_property
    def loader(self) -> Any:
        """The configuration, which is followed from here on."""
        loader = checked_configuration(self.environment, self.params)
        configuration.follow(loader)
        return loader

    @property
    def setting(self) -> ParallelismSetting:
        """The parallelism setting."""
        return setting_under(self.environment, self.loader)

    @property
    def on_bad_image(self) -> str:
        """What becomes of images that cannot be decoded: "fail" or "skip"."""
        from cifar_pipelines.pipelines.ingestion.nodes import IngestionSpec

        return IngestionSpec(**self.loader["parameters"]["ingestion"]).on_bad_image

    @cached_property
    def path(self) -> Path:
        """The folder, or the file of texts."""
        return local_path(self.folder, "What shall be predicted")

    def inputs(self, content: Content) -> tuple[Path | dict[str, bytes], list[str]]:
        """What shall be predicted, and says what lies among it.

        Args:
            content: What the model reads.

        Returns:
            The folder, or the contents by name; and the names.

        Raises:
            UserError: If there is nothing, or nothing that the model reads.
        """
        if content is TEXT and (self.texts or self.path.is_file()):
            found = given_texts(self.texts) if self.texts else texts_of_file(self.path)
            return found, list(found)
        if self.texts:
            raise UserError(f"{self.model} reads {content.noun}s, so --text says nothing to it. Give a folder of them.")
        return self.path, self._files(content)

    def _files(self, content: Content) -> list[str]:
        noun = content.noun
        if not self.path.is_dir():
            kind = (
                f"is a file, and {noun}s are read from a folder"
                if self.path.is_file()
                else "is not a folder that exists"
            )
            raise UserError(
                f"{self.path} {kind}. Give the folder that holds the {noun}s: kedro predict {self.model} <folder>."
            )
        files = ImageFiles(self.path, content)
        found = files.everything()
        notes = files.notes()
        for note in notes if found else ():
            logger.warning("%s", note)
        if not found:
            said = "".join(f"{note} " for note in notes)
            endings = ", ".join(content.extensions)
            raise UserError(f"{self.path} holds no {noun}. {said}The names of {noun}s end in {endings}.")
        return found

    def saved_model(self) -> tuple[RunRecord, Predictor]:
        """The run record of the model, and what predicts with it.

        Raises:
            UserError: If there is no such model, several fit, or something of it is missing.
        """
        learned_from = {name: value for name, value in self.params.items() if name in TOLD_APART_BY}
        record = find_in_project(Wanted(self.model, self.version, learned_from))
        family = families().get(record.family)
        if family is None or family.predictor is None:
            raise UserError(f"{record.model} is of the family {record.family}, whose models predict no new images.")
        if not record.data.class_names:
            raise UserError(
                f"The run record of {record.model} of {record.run_id} was written by an earlier version, which did not name "
                "the classes. Train the model again."
            )
        return record, family.predictor(record)

    def target(self, run_id: str) -> Path | None:
        """The CSV that is to be written; nothing lies there, nor in the place of its description. None for none.

        Raises:
            UserError: If something does, or it is not called as a CSV.
        """
        if self.output is None:
            if self.texts:
                return None
            of_folder = f"{slug(self.path.name)}{path_suffix(self.path)}"
            return PROJECT_PATH / place("new_predictions") / of_folder / slug(Path(self.model).stem) / f"{run_id}.csv"
        target = local_path(str(self.output), "--output")
        if target.suffix.lower() != ".csv":
            raise UserError(f"--output is {target}, but must end in .csv, which is what is written.")
        for path in (target, description_of(target)):
            if path.exists():
                raise UserError(
                    f"{path} is there already, and nothing is overwritten. Give another --output, or move it."
                )
        return target


def description_of(target: Path) -> Path:
    """The file beside a CSV of predictions that says where they come from."""
    return target.with_suffix(".json")
