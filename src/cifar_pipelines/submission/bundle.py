"""The bundle of a run name: one zip with a checksum for every file, and its check."""

import hashlib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.submission.secrets import Source, find_secrets, open_source

MANIFEST = "MANIFEST.json"
CHUNK = 1 << 20
LISTED = 10  # more findings than this would bury the message
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same contents make the same zip


def write_bundle(
    sources: Mapping[str, Source], facts: Mapping[str, Any], output: Path, environment: Mapping[str, str] = os.environ
) -> int:
    """Writes a bundle, whole or not at all.

    Args:
        sources: Files by their name in the bundle.
        facts: What the manifest says beside the files.
        output: The zip.
        environment: Environment variables, some of whose values must not be in a file.

    Returns:
        The number of files, without the manifest.

    Raises:
        UserError: If a file holds a secret; file and line are named, the secret is not.
    """
    if findings := find_secrets(sources, environment):
        raise UserError(
            f"No bundle was written, because it would hold secrets:{_listed(findings)}\nTake them out (a secret belongs "
            "into the environment of a run, never into a file), delete logs that show them, and change them wherever they "
            "are valid: what stood in a file may have been read."
        )
    with (
        whole_files.writing(output) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target,
    ):
        files = {name: _add(target, name, sources[name]) for name in sorted(sources)}
        manifest = json.dumps({**facts, "files": files}, indent=2, sort_keys=True) + "\n"
        _add(target, MANIFEST, manifest.encode())
    return len(files)


def check_bundle(bundle: Path) -> dict[str, Any]:
    """Verifies that a bundle holds exactly the files of its manifest, by size and checksum; returns the manifest.

    Raises:
        UserError: With every file that is wrong, or if it is no bundle.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            wrong = list(_wrong(archive, manifest["files"]))
    except Exception as error:  # a damaged zip raises errors of a dozen kinds
        raise UserError(
            f"{bundle} is no whole bundle: {error}. Copy it again, or write it anew with `kedro bundle <run name>`."
        ) from None
    if wrong:
        raise UserError(
            f"{bundle} is not what was written:{_listed(wrong)}\nCopy it again, or write it anew with `kedro bundle "
            "<run name>`."
        )
    return manifest


def _wrong(archive: zipfile.ZipFile, files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    held = Counter(archive.namelist())
    for name in sorted(files.keys() | held.keys() - {MANIFEST}):
        if name not in files:
            yield f"{name}: not in {MANIFEST}"
        elif held[name] != 1:
            yield f"{name}: {'there more than once' if held[name] else 'missing'}"
        else:
            try:
                content = archive.read(name)
                measured = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            except Exception:  # a damaged zip raises errors of a dozen kinds
                measured = None
            if measured != dict(files[name]):
                yield f"{name}: its contents have changed"
    if held[MANIFEST] != 1:
        yield f"{MANIFEST}: there more than once"


def _add(target: zipfile.ZipFile, name: str, source: Source) -> dict[str, Any]:
    """Adds a file; what is measured are the bytes that were written."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    digest, size = hashlib.sha256(), 0
    with open_source(source) as content, target.open(entry, "w", force_zip64=True) as held:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            held.write(chunk)
    return {"sha256": digest.hexdigest(), "size": size}


def _listed(lines: list[str]) -> str:
    more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "".join(f"\n  {line}" for line in [*lines[:LISTED], *more])
