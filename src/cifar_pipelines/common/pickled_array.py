"""Arrays that somebody pickled, found in the instructions of the pickle; none of these is executed."""

import math
import pickletools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# How pickle's protocol 4 writes down an array of numbers: words of the file, and instructions in capitals.
_NUMPY = r"numpy(?:\._?core)?"
_ARRAY = re.compile(
    rf"{_NUMPY}\.multiarray _reconstruct STACK_GLOBAL numpy ndarray STACK_GLOBAL 0 TUPLE1 <1> TUPLE3 REDUCE "
    r"MARK 1 (?:MARK )?(?P<shape>(?:\d+ )+)TUPLE[123]? numpy dtype STACK_GLOBAL (?P<type>[uif][1248]) "
    r"NEWFALSE NEWTRUE TUPLE3 REDUCE MARK 3 (?P<order>[<|]) NONE NONE NONE -1 -1 0 TUPLE BUILD "
    r"NEWFALSE <(?P<size>\d+)> TUPLE BUILD STOP"
)
_SAYS_NOTHING = ("PROTO", "FRAME", "MEMOIZE")


def read_pickled_array(data: bytes) -> "np.ndarray":
    """Reads an array of numbers from a pickle without unpickling it, so that whatever code it names is not run.

    Args:
        data: A pickle of protocol 4 that holds one C-ordered NumPy array of little-endian integers or floats.

    Returns:
        The array, which cannot be written to.

    Raises:
        ValueError: If the pickle holds anything else, ends too early, or is none.
    """
    import numpy as np

    words, numbers = _words(data)
    found = _ARRAY.fullmatch(" ".join(words))
    if found is None:
        raise ValueError("it is not the pickle of one array of numbers")
    shape = tuple(map(int, found["shape"].split()))
    dtype = np.dtype(found["order"] + found["type"])
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(f"it says {shape} numbers of {dtype.itemsize} bytes, but holds {len(numbers):,} bytes")
    return np.frombuffer(numbers, dtype).reshape(shape)


def _words(data: bytes) -> tuple[list[str], bytes]:
    """The instructions of a pickle, each as its argument or its name, `<n>` for n bytes; and its last bytes."""
    words: list[str] = []
    remembered: list[str] = []
    last = b""
    for instruction, argument, _ in pickletools.genops(data):
        if instruction.name == "MEMOIZE" and words:
            remembered.append(words[-1])
        if instruction.name in _SAYS_NOTHING:
            continue
        if instruction.name == "BINGET" and argument < len(remembered):
            words.append(remembered[argument])
        elif isinstance(argument, bytes):
            words.append(f"<{len(argument)}>")
            last = argument
        else:
            words.append(instruction.name if argument is None else str(argument))
    return words, last
