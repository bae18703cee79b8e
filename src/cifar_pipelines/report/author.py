"""Who hands a report in, and what they say in their own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build

NOT_STATED = "not stated"
AS_CONFIGURED = "as configured"
OWN_WORDS = "own words"
WHOSE_WORDS = (
    f"Reasons marked \u201c{AS_CONFIGURED}\u201d stand beside the model in conf: those of the models that ship with the project are "
    f"the project's. Reasons marked \u201c{OWN_WORDS}\u201d were written by whoever hands this in, under report.reasons in "
    "conf/base/parameters_comparison.yml."
)


@dataclass(frozen=True)
class Author:
    """Who hands a report in.

    Attributes:
        author: The name; None for nobody.
        roll_number: The roll number; None for none.
        reasons: Why a model or a network was chosen, in own words, by its name.
    """

    author: str | None = None
    roll_number: str | int | None = None
    reasons: dict[str, str] | None = field(default_factory=dict)

    def __post_init__(self) -> None:
        reasons = self.reasons or {}
        for name, words in reasons.items():
            if not isinstance(words, str):
                raise UserError(
                    f"report.reasons.{name} is {words!r}, but must be a text: why {name} was chosen. Put quotes around it."
                )
        object.__setattr__(self, "reasons", dict(reasons))

    @classmethod
    def from_config(cls, block: Mapping[str, Any]) -> "Author":
        """Makes it from the block `report` of the parameters.

        Raises:
            UserError: If a key is unknown, or a reason is no text.
        """
        return build(cls, dict(block), "the block report in parameters_comparison.yml")

    @property
    def named(self) -> str:
        """Name and roll number in a line; empty where neither is given."""
        return ", ".join(str(one) for one in (self.author, self.roll_number) if one not in (None, ""))

    def reason(self, record: pd.Series) -> str:
        """Why the model of a record, or of a row of the comparison, was chosen, and whose words that are."""
        names = (record["label"], record["model"], record.get("network"))
        own = next((self.reasons[name] for name in names if isinstance(name, str) and name in self.reasons), None)
        words = " ".join((own or record["justification"] or "").split())
        if not words:
            return f"The reason is {NOT_STATED}."
        return f"{words} ({OWN_WORDS if own else AS_CONFIGURED})"
