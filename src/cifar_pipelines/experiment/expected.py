"""How long the steps of an experiment will take: as they did before, or as its file says, at the pace of this host."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cifar_pipelines.common.json_folder import json_loaders
from cifar_pipelines.experiment.plan import Step

Key = tuple[str, tuple[str, ...]]  # a setting, and pipelines


class ExpectedSeconds:
    """Seconds that steps will take, corrected by every step that has ended.

    Args:
        typical: Seconds by pipelines, whose names are joined by commas, on some other host.
        before: What the same steps took here.
    """

    def __init__(self, typical: Mapping[str, float] | None = None, before: Mapping[Key, float] | None = None) -> None:
        self._typical, self._before = typical or {}, before or {}
        self._ran: dict[Key, float] = {}

    def of(self, step: Step) -> float | None:
        """What a step will take; None where nothing like it is known."""
        key = (step.setting, step.pipelines)
        like = [seconds for (_, pipelines), seconds in self._ran.items() if pipelines == step.pipelines]
        if key in self._before or like:
            return self._before.get(key) or sum(like) / len(like)
        typical = self._typical_of(step.pipelines)
        return None if typical is None else typical * self._pace()

    def learn(self, step: Step, seconds: float) -> None:
        """Notes what a step took."""
        self._ran[step.setting, step.pipelines] = seconds

    def of_all(self, steps: Iterable[Step]) -> float | None:
        """What steps will take together; None where that of one is not known."""
        expected = [self.of(step) for step in steps]
        return None if None in expected else sum(filter(None, expected))

    def _typical_of(self, pipelines: tuple[str, ...]) -> float | None:
        return self._typical.get(",".join(pipelines))

    def _pace(self) -> float:
        """How much longer than there steps take here; 1 before the first of them has ended."""
        known = [(seconds, self._typical_of(pipelines)) for (_, pipelines), seconds in self._ran.items()]
        pairs = [(seconds, typical) for seconds, typical in known if typical]
        return sum(seconds for seconds, _ in pairs) / sum(typical for _, typical in pairs) if pairs else 1.0


def seconds_before(experiments: Path, params: Mapping[str, Any]) -> dict[Key, float]:
    """What steps took in earlier experiments with the same parameters, the newest of each; summaries that cannot be read do not count.

    Args:
        experiments: The folder of the summaries.
        params: The parameters.
    """
    found: dict[Key, float] = {}
    for load in json_loaders(experiments).values():  # their names are times, so later ones come last
        try:
            content = load()
            if content["params"] == params:
                done = [outcome for outcome in content["steps"] if outcome["status"] == "done"]
                steps = [(outcome["step"], float(outcome["seconds"])) for outcome in done]
                found |= {(step["setting"], tuple(step["pipelines"])): seconds for step, seconds in steps}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
