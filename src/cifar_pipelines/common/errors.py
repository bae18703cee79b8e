"""The one error that is meant for the person who typed the command."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import click

# More known names than this would bury the message.
LISTED = 16
ERROR_FILE = "CIFAR_PIPELINES_ERROR_FILE"  # environment variable: where a command that ends with an error writes it too


class UserError(click.ClickException, ValueError):
    """A mistake in the configuration, the data or the environment.

    The message says what is wrong with the value, the rule, and what to do. The command line prints
    it without a traceback, because the traceback would bury it.
    """

    def __str__(self) -> str:
        return self.message

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the message; whoever started this process may want it in a file as well."""
        super().show(file)
        if path := os.environ.get(ERROR_FILE):
            Path(path).write_text(self.message, encoding="utf-8")


def mistake_behind(error: BaseException | None) -> UserError | None:
    """The mistake of the user behind an error, whatever was wrapped around it; None where there is none."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def unknown_name(kind: str, name: object, known: Iterable[str], remedy: str = "") -> UserError:
    """The error to raise for a name that is not registered, with the nearest known names first.

    Args:
        kind: What the name should have named, such as "extractor".
        name: The name that was given.
        known: The names that exist.
        remedy: A sentence that says how to add a new one; may be empty.
    """
    known = sorted(known)
    nearest = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    if not known:
        listed = " There is none."
    elif len(known) <= LISTED:
        listed = f" Known: {', '.join(known)}."
    elif nearest:
        listed = ""
    else:
        listed = f" Known are, among {len(known)}: {', '.join(known[:LISTED])}."
    return UserError(f"Unknown {kind} {name!r}.{hint}{listed}{' ' + remedy if remedy else ''}")
