"""A headless Chromium, for tests that look at pages as people do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-proxy-server",
    "--enable-logging=stderr",
)  # fmt: skip


def browse(address: str, home: Path, *options: str) -> str:
    """Opens a page in a browser that writes into `home` alone, and whose console has to stay empty; returns its output."""
    own = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home)}
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={home / 'browser'}", *options, address]
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60)
    assert ":CONSOLE" not in done.stderr
    return done.stdout
