"""The log file of a run."""

import logging
from contextlib import suppress
from pathlib import Path


class RunLog(logging.FileHandler):
    """Keeps what the run says in a file as well; a disk that is full meanwhile stops the run, not the log of it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(file, encoding="utf-8")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(self)

    def write(self, text: str) -> None:
        """Keeps what belongs into the file alone."""
        self.handle(logging.makeLogRecord({"name": __name__, "levelname": "ERROR", "msg": "%s", "args": (text,)}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Says nothing: whatever the disk has against this line ends the run elsewhere."""

    def close(self) -> None:
        """Closes the file, whatever the disk says."""
        logging.getLogger().removeHandler(self)
        with suppress(OSError):
            super().close()
