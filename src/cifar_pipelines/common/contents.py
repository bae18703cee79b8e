"""What a source holds: images or texts. Both are files of bytes, which are decoded where they are used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cifar_pipelines.common import images, texts
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import judged_split


@dataclass(frozen=True)
class Content:
    """A kind of files.

    Attributes:
        noun: What one is called, "image" or "text".
        extensions: How the names of files end.
        largest_file: Most bytes of a file.
        examine: Decodes a file and says what was found; see `images.ImageCheck`.
        same: How two are the same.
        treatment: What decoding may do, as the beginning of a sentence.
    """

    noun: str
    extensions: tuple[str, ...]
    largest_file: int
    examine: Callable[[bytes], images.ImageCheck]
    same: str
    treatment: str


IMAGE = Content(
    "image", images.EXTENSIONS, images.LARGEST_FILE, images.examine, "pixel by pixel", "Images are decoded as viewers show them"
)  # fmt: skip
TEXT = Content("text", texts.EXTENSIONS, texts.LARGEST_FILE, texts.examine, "word by word", "Texts are decoded as readers see them")  # fmt: skip
_BY_NOUN = {content.noun: content for content in (IMAGE, TEXT)}


def content_of(info: Mapping[str, Any]) -> Content:
    """What a table holds by its description; one that does not say it is of images."""
    return _BY_NOUN[info.get("content") or IMAGE.noun]


def judged_on(info: Mapping[str, Any]) -> str:
    """What one of those is called that models are judged on: "test image", "validation image", "test text" and the like.

    Args:
        info: The description of a table of images or texts.
    """
    return f"{judged_split(info)} {content_of(info).noun}"


def require_content(found: Content, wanted: Content, who: str, remedy: str) -> None:
    """Raises a `UserError` if what reads one kind of files would get the other.

    Args:
        found: What the source holds.
        wanted: What is read.
        who: Who reads it, as the beginning of a sentence.
        remedy: What to do, as a sentence.
    """
    if found is not wanted:
        raise UserError(f"{who} takes {wanted.noun}s, but the source holds {found.noun}s. {remedy}")
