"""Stages of a network, from input to head: which of its parameters belongs to which, by prefixes of their names."""

from collections.abc import Iterable, Sequence

Stages = Sequence[tuple[str, Sequence[str]]]  # name of a stage, and the prefixes of the parameters in it


def belongs(name: str, prefixes: Iterable[str]) -> bool:
    """Whether a parameter or module lies under one of the prefixes: "layer1" holds "layer1.0.bias", not "layer10.bias"."""
    return any(f"{name}.".startswith(f"{prefix.rstrip('.')}.") for prefix in prefixes)


def stage_of(name: str, stages: Stages) -> int:
    """Position of the stage that holds a parameter; of several, the one with the longest prefix.

    Raises:
        ValueError: If none does.
    """
    fits = [(len(prefix), position) for position, (_, prefixes) in enumerate(stages) for prefix in prefixes
            if belongs(name, [prefix])]  # fmt: skip
    if not fits:
        raise ValueError(
            f"No stage holds the parameter {name!r}; the stages are {', '.join(stage for stage, _ in stages)}."
        )
    return max(fits)[1]
