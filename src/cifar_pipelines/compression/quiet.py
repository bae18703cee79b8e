"""Libraries that export, quantise and compile say much of themselves; what goes wrong they raise."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

TALKATIVE = (None, "torch", "torch.onnx", "onnxscript", "onnx_ir")  # None is what has no name


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps warnings of libraries out of terminal and log."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)
