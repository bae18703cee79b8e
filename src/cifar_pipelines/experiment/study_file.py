"""What an environment says of its experiment, in `experiment.yml`: what `kedro experiment --params-of` does where nothing else is typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cifar_pipelines.common.configuration import conf_source, unreadable_explained
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build, number, whole

NAME = "experiment.yml"


@dataclass(frozen=True)
class StudyFile:
    """The options of an experiment.

    Attributes:
        settings: Names of settings; none for those that suit the host.
        pipelines: Pipelines that run under every setting; none for those that run unasked.
        once: Pipelines that run once, under the last setting.
        repeats: How often everything is measured.
        grow_to: Training images for the first CNN with the best setting; None for twice as many, 0 for no such run.
        seconds: What steps take on two cores, by their pipelines, joined by commas: the first guess of the time that is left.
    """

    settings: Any = field(default_factory=list)
    pipelines: Any = field(default_factory=list)
    once: Any = field(default_factory=list)
    repeats: int = 1
    grow_to: int | None = None
    seconds: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("settings", "pipelines", "once"):
            value = getattr(self, name)
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise UserError(
                    f"{name} in {NAME} is {value!r}, but must be a list of names, such as [ingestion, features]."
                )
        if self.grow_to is not None:
            whole(f"grow_to in {NAME}", self.grow_to, 0)
        for pipelines, seconds in self.seconds.items():
            if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                raise UserError(f"seconds of {pipelines} in {NAME} is {seconds!r}, but must be a number of seconds.")
            number(f"seconds of {pipelines} in {NAME}", seconds, 0, above=True)


def study_file(environment: str | None) -> StudyFile:
    """Reads the file of an environment; the defaults where it has none."""
    import yaml

    file = conf_source() / (environment or "") / NAME
    if not environment or not file.exists():
        return StudyFile()
    with unreadable_explained(file):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return build(StudyFile, content if isinstance(content, Mapping) else content or {}, str(file))
