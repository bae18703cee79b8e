"""Texts as files: the one way in which all decode and check them."""

import hashlib
import re

from cifar_pipelines.common.images import ImageCheck

EXTENSIONS = (".txt",)
LARGEST_FILE = 16 * 2**20  # bytes
LINE_BREAK = r"<br\s*/?>"  # of HTML; Java and Python read the expression alike
WITHOUT_BREAKS = "rid of HTML line breaks"
_BREAKS = re.compile(LINE_BREAK)


def decode(encoded: bytes) -> str:
    """The text of a file in UTF-8, in which every line break of HTML (`<br />`) is a blank.

    Raises:
        ValueError: If the bytes are too many, or not UTF-8, with the first that is none, or hold no word.
    """
    text = _BREAKS.sub(" ", _utf8(encoded))
    if not text.strip():
        raise ValueError("no word in it" if encoded else "empty file")
    return text


def examine(encoded: bytes) -> ImageCheck:
    """Decodes a text to count its words and see what had to be done to it, or what is wrong with it.

    Returns:
        The height is 1 and the width the number of words. Texts with the same words share a digest.
    """
    try:
        text = decode(encoded)
    except ValueError as error:
        return ImageCheck(None, None, str(error))
    words = text.split()
    digest = hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()
    treated = WITHOUT_BREAKS if _BREAKS.search(_utf8(encoded)) else None
    return ImageCheck(1, len(words), None, treated, int.from_bytes(digest, "big", signed=True))


def _utf8(encoded: bytes) -> str:
    if len(encoded) > LARGEST_FILE:
        raise ValueError(f"a file of more than {LARGEST_FILE // 2**20} MiB")
    try:
        return encoded.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte 0x{encoded[error.start]:02x} at position {error.start} is not UTF-8") from error
