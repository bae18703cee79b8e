"""How things are said to people, wherever they are said."""

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, such as "1 image" or "2,000 images"; the plural is given where it takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def some(names: Sequence[str], shown: int, noun: str, plural: str = "", separator: str = ", ") -> str:
    """Joins names, the first few of them in words and the others by number, such as "a, b and 3 more classes"."""
    rest = len(names) - shown
    more = f" and {counted(rest, f'more {noun}', plural and f'more {plural}')}" if rest > 0 else ""
    return separator.join(names[:shown]) + more


def seconds(value: float) -> str:
    """Seconds with digits that fit their size, such as "1436", "12.3" or "0.57", without the unit."""
    # What rounds to 100 or to 1 is written like it.
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.1f}" if abs(value) >= 0.995 else f"{value:.2g}"


def in_seconds(value: float) -> str:
    """Seconds with their unit, such as "12.3 s"; see `seconds`."""
    return f"{seconds(value)} s"


def three_digits(value: float) -> str:
    """A measured number with three digits, or more where it is large: "1436", "12.3" or "0.567"."""
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def one_line(text: str, width: int) -> str:
    """A text on one line, cut between two words where it is longer than so many signs."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 2].rsplit(" ", 1)[0] + " …"


def first_line(text: str, width: int) -> str:
    """The first line of a text that says something; see `one_line`."""
    return next((one_line(line, width) for line in text.splitlines() if line.strip()), "")
