"""The search for secrets in what is about to leave this host."""

import io
import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO

# What a bundle is made of: a file, or the bytes themselves.
Source = Path | bytes

SECRET_FILES = (
    ".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "credentials*",
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", ".pypirc", ".pgpass",
)  # fmt: skip
SECRET_VARIABLES = ("TOKEN", "SECRET", "PASSWORD")
SHORTEST = 8  # a shorter value would be found everywhere by chance
# In code, a bare word behind `token =` is a name, not a value.
CODE = (".py", ".ipynb")

_SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    "a GitLab token": re.compile(r"\bgl(?:pat|dt|rt|ptt|cbt|oas)-[\w-]{20,}"),
    "a Slack token": re.compile(
        r"\bxox[abeoprs](?:\.xox[bp])?-[\w-]{10,}|\bxapp-\d-[\w-]{10,}|hooks\.slack\.com/services/T\w+/"
    ),
    "a Google API key": re.compile(r"\bAIza[\w-]{35}"),
    "a Google token": re.compile(r"\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}"),
    # With a digit or a capital: words joined by hyphens are none.
    "a key of a language model": re.compile(r"\bsk-(?=[\w-]*[0-9A-Z])[\w-]{20,}"),
    "a Hugging Face token": re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    "a PyPI token": re.compile(r"\bpypi-AgE[\w-]{50,}"),
    "an npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "a Stripe key": re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}
# A password in an address, such as that of a proxy; what stands for one is none, as elsewhere.
_IN_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:([^\s/@\"'<>]{3,})@[\w.\[-]")
_KEY = r"(?i:(token|passw(?:or)?d|passphrase|api[_.-]?key|secret[\w.-]{0,40}))(?:\\?[\"'])?\]?"
_VALUE = r"([^\s\"'\\,;&(){}\[\]<>]{8,})"
_QUOTED = re.compile(rf"{_KEY}\s*[:=]{{1,2}}\s*[bfru]{{0,2}}\\?[\"']([^\"'\\]{{8,}})\\?[\"']")
_BARE = (re.compile(rf"{_KEY}={_VALUE}(?=[\s,;&]|$)"), re.compile(rf"{_KEY}\s*[:=]\s+{_VALUE}\s*(?:#.*)?$"))
_PLACEHOLDER = re.compile(r"(?i)[*<$%{!].*|(.)\1*|.*(?:placeholder|example|change.?me|redacted|your[_ -]|\.\.\.).*|\W+")


def open_source(source: Source) -> BinaryIO:
    """Opens what a bundle is made of."""
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def find_secrets(sources: Mapping[str, Source], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Looks for secrets by name and by content.

    Args:
        sources: Files by the name they have in the bundle.
        environment: Environment variables; the values of those that sound secret are looked for.

    Returns:
        A sentence for every finding, with file and line, never with the secret; none if nothing was found.
    """
    values = _secret_values(environment)
    return [finding for name in sorted(sources) for finding in _findings(name, sources[name], values)]


def _findings(name: str, source: Source, values: Mapping[str, bytes]) -> Iterator[str]:
    if _sounds_secret(PurePosixPath(name).name.lower()):
        yield f"{name}: a file of this name holds secrets"
    with open_source(source) as lines:
        for number, line in enumerate(lines, start=1):
            for variable, value in values.items():
                if value in line:
                    yield f"{name}, line {number}: the value of the environment variable {variable}"
            if b"\0" in line:
                continue
            for what in _looks_like(line.decode(errors="replace"), PurePosixPath(name).suffix in CODE):
                yield f"{name}, line {number}: looks like {what}"


def _sounds_secret(name: str) -> bool:
    listed = any(fnmatchcase(name, pattern) for pattern in SECRET_FILES)
    return listed and not name.endswith((".example", ".sample", ".template"))


def _looks_like(line: str, code: bool) -> Iterator[str]:
    for what, shape in _SHAPES.items():
        if shape.search(line):
            yield what
    for match in _IN_ADDRESS.finditer(line):
        if not _PLACEHOLDER.fullmatch(match[1]):
            yield "a password in an address"
            break
    for pattern in (_QUOTED,) if code else (_QUOTED, *_BARE):
        for match in pattern.finditer(line):
            if not _PLACEHOLDER.fullmatch(match[2]):
                yield f"a value of {match[1]!r}"
                return


def _secret_values(environment: Mapping[str, str]) -> dict[str, bytes]:
    """Values of variables that sound secret; of one with several lines the longest."""
    values = {}
    for name, value in environment.items():
        longest = max(value.splitlines(), key=len, default="").strip()
        if any(word in name.upper() for word in SECRET_VARIABLES) and len(longest) >= SHORTEST:
            values[name] = longest.encode(errors="surrogateescape")
    return values
