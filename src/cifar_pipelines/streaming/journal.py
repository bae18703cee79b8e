"""What a folder of landed frames says of itself: what has landed from whom, and what was learned from.

The receiver writes the journal, the learner the mark; each is replaced as a whole.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cifar_pipelines.common.disk import disk_errors_explained
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.whole_files import write_durably

# Readers of tables overlook names that begin with "_".
JOURNAL, COMMITTED = "_journal.json", "_committed.json"


@dataclass
class Producer:
    """What is known of one producer.

    Attributes:
        digest: Identifies what it sends.
        classes: The names of its classes, in the order of the labels.
        scenario: What it says of the order of its images, see `ImageStream.facts`.
        last: The number of its last frame that has landed, by its own counting; 0 before the first.
        ended: Whether that was the last one of all.
        address: Where its server was met last; empty in older journals.
    """

    digest: str
    classes: list[str]
    scenario: dict[str, Any] = field(default_factory=dict)
    last: int = 0
    ended: bool = False
    address: str = ""


@dataclass
class Journal:
    """What has landed.

    Attributes:
        landed: The sequence number of the last frame; 0 before the first.
        modified_ms: The time of change that its file has, in milliseconds since 1970.
        producers: By name.
        followed: Addresses of the servers that the last receiver follows; empty in older journals.
    """

    landed: int = 0
    modified_ms: int = 0
    producers: dict[str, Producer] = field(default_factory=dict)
    followed: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether all producers that came have sent all they have, and one came from every server that is followed."""
        if not self.producers or not all(producer.ended for producer in self.producers.values()):
            return False
        met = {producer.address for producer in self.producers.values()}
        if "" in met:  # older journals tell how many came, and not from where
            return len(self.producers) >= len(self.followed)
        return met.issuperset(self.followed)

    def ended_at(self, address: str) -> bool:
        """Whether what a server has sent before was all it has."""
        own = [producer for producer in self.producers.values() if producer.address == address]
        return self.ended or (bool(own) and all(producer.ended for producer in own))

    @property
    def digests(self) -> dict[str, str]:
        """What identifies the stream of every producer, by its name."""
        return {name: producer.digest for name, producer in self.producers.items()}

    def facts(self) -> dict[str, dict[str, Any]]:
        """What of a stream a result depends on, by producer: digest, name of the scenario (None in older journals), and number of frames."""
        return {
            name: {"digest": one.digest[:16], "scenario": one.scenario.get("name"), "frames": one.last}
            for name, one in self.producers.items()
        }

    def write(self, folder: Path) -> None:
        """Replaces the journal of a folder."""
        write_durably(folder / JOURNAL, json.dumps(asdict(self), indent=1).encode())


def read_journal(folder: Path) -> Journal:
    """The journal of a folder; an empty one where nothing has landed yet."""
    said = _read(folder / JOURNAL)
    if said is None:
        return Journal()
    try:
        producers = {name: Producer(**producer) for name, producer in said.pop("producers").items()}
        return Journal(**said, producers=producers)
    except (KeyError, TypeError, AttributeError) as error:
        raise _foreign(folder / JOURNAL) from error


def committed(folder: Path) -> int:
    """The sequence number up to which frames were learned from; 0 before the first."""
    said = _read(folder / COMMITTED)
    if said is None:
        return 0
    if type(said.get("committed")) is not int:
        raise _foreign(folder / COMMITTED)
    return said["committed"]


def commit(folder: Path, sequence: int) -> None:
    """Says that all frames up to a sequence number were learned from, which gives their room back to the producers."""
    with disk_errors_explained():
        write_durably(folder / COMMITTED, json.dumps({"committed": sequence}).encode())


def _read(file: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # of a folder that is none, the one who uses it complains
        return None
    except ValueError as error:
        raise _foreign(file) from error
    if not isinstance(said, dict):
        raise _foreign(file)
    return said


def _foreign(file: Path) -> UserError:
    return UserError(
        f"{file} is not as the project writes it, which is whole or not at all. Put it back as it was, or let frames land in "
        "another folder."
    )
