"""The parts of what the comparison wrote, taken one by one, so that nothing is forgotten or there twice."""

import re
from collections.abc import Iterable

from cifar_pipelines.report.document.blocks import Block, Blocks, Heading, lowered, plain


class Parts:
    """Blocks in parts that begin with a heading.

    Args:
        blocks: The blocks.
        level: The level of the headings that begin a part.

    Attributes:
        lead: What stands before the first part.
    """

    def __init__(self, blocks: Iterable[Block], level: int) -> None:
        self.lead: Blocks = ()
        self._level = level
        self._parts: list[tuple[str, Blocks]] = []
        for block in blocks:
            if isinstance(block, Heading) and block.level == level:
                self._parts.append((plain(block.spans).strip(), (block,)))
            elif self._parts:
                title, so_far = self._parts[-1]
                self._parts[-1] = (title, (*so_far, block))
            else:
                self.lead = (*self.lead, block)

    @property
    def titles(self) -> list[str]:
        """The headings of the parts that are left."""
        return [title for title, _ in self._parts]

    def take(self, pattern: str) -> Blocks:
        """Takes the parts whose heading matches from its start, without it; headings in them begin at level 2."""
        return tuple(block for part in self._taken(pattern) for block in lowered(part[1:], 1 - self._level))

    def take_exactly(self, title: str) -> Blocks:
        """Takes the parts with exactly this heading, as they are but without it."""
        return tuple(block for part in self._taken(f"{re.escape(title)}$") for block in part[1:])

    def take_whole(self, pattern: str = "", level: int = 2) -> Blocks:
        """Takes the parts whose heading matches from its start, with headings put to a level."""
        return tuple(block for part in self._taken(pattern) for block in lowered(part, level - self._level))

    def _taken(self, pattern: str) -> list[Blocks]:
        wanted = re.compile(pattern, re.IGNORECASE)
        taken = [blocks for title, blocks in self._parts if wanted.match(title)]
        self._parts = [part for part in self._parts if not wanted.match(part[0])]
        return taken
