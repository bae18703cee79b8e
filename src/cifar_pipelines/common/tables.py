"""The tables of the project: their columns, for Spark and for Arrow, and the fingerprint of an image table."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyspark.sql import DataFrame


class TableSchema:
    """Names and types of a table's columns, as Spark writes them."""

    def __init__(self, **columns: str) -> None:
        self.columns = columns

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.columns)

    @property
    def ddl(self) -> str:
        """The schema as Spark reads it."""
        return ", ".join(f"{name} {kind}" for name, kind in self.columns.items())

    @property
    def arrow(self) -> "pa.Schema":
        """The schema of Arrow."""
        import pyarrow as pa

        types = {"string": pa.string(), "binary": pa.binary(), "int": pa.int32(), "long": pa.int64()}
        types["double"] = pa.float64()
        types["array<float>"] = pa.list_(pa.float32())
        return pa.schema([(name, types[kind]) for name, kind in self.columns.items()])

    def with_columns(self, **columns: str) -> "TableSchema":
        """The same table with more columns at its end."""
        return TableSchema(**self.columns, **columns)

    def batch(self, *columns: Any) -> "pa.RecordBatch":
        """Makes a batch of rows from the values of every column: Arrow arrays, which are cast, or sequences."""
        import pyarrow as pa

        schema = self.arrow
        arrays = [
            values.cast(field.type) if isinstance(values, pa.Array) else pa.array(values, field.type)
            for values, field in zip(columns, schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def lists_of(matrix: "np.ndarray") -> "pa.ListArray":
    """Turns a matrix into a column of lists, one for each of its rows."""
    import pyarrow as pa

    rows, width = matrix.shape
    return pa.ListArray.from_arrays(
        pa.array(range(0, (rows + 1) * width, width), pa.int32()), pa.array(matrix.reshape(-1))
    )


IMAGES = TableSchema(
    image_id="string", label="int", split="string", rank="long", image="binary", height="int", width="int"
)
FEATURES = TableSchema(image_id="string", label="int", split="string", features="array<float>")
PREDICTIONS = TableSchema(image_id="string", label="int", prediction="int", probability="array<float>")
# Landed frames of streams, see docs/streaming.md.
FRAMES = TableSchema(
    sequence="long", image_id="string", label="int", image="binary", sent_at="double", position="int", epoch="int",
    scheduled_at="double", landed_at="double", producer="string", producer_sequence="long",
)  # fmt: skip
# Their features, float32 in little endian, which Spark hands on as they are; those of a damaged image are zeros.
FRAME_FEATURES = TableSchema(
    sequence="long", position="int", epoch="int", label="int", scheduled_at="double", sent_at="double", landed_at="double",
    damaged="int", features="binary",
)  # fmt: skip
# Of images that no model is judged on: those of `predict` have no label.
FURTHER_PREDICTIONS = PREDICTIONS.with_columns(split="string")
FILES = TableSchema(image_id="string", image="binary")  # as they are
OUTPUTS = TableSchema(image_id="string", output="array<float>")  # what a network says of images without a label

# Of training and test images it is older than the other splits, whose images depend on how they were cut.
IMAGE_HASH = "if(split in ('train', 'test'), xxhash64(image_id, label, image), xxhash64(image_id, label, image, split))"
# Of images that are in memory at once, where a process hands them to another one: 512 small ones, or a few photographs.
BATCH_BYTES = 16 * 2**20


def judged_split(sizes: Mapping[str, Any]) -> str:
    """The split that models are judged on: "test", or "validation" where no test image has a label.

    Args:
        sizes: The description of an image table, with `test_size`.
    """
    return "test" if sizes["test_size"] else "validation"


def image_table_fingerprint(images: "DataFrame", treated: Iterable[str] = ()) -> str:
    """Identifies the content of an image table, whatever its partitions and order; see `fingerprint_of`."""
    total = images.selectExpr("count(*) as rows", f"bit_xor({IMAGE_HASH}) as hash").first()
    return fingerprint_of(total["hash"], total["rows"], treated)


def image_hash(image_id: str, label: int | None, split: str, image: bytes) -> int:
    """Computes in Python what `IMAGE_HASH` does in Spark: XXH64 of all columns, each seeded by the one before."""
    import xxhash

    columns = [image_id.encode(), None if label is None else label.to_bytes(4, "little", signed=True), image]
    if split not in ("train", "test"):
        columns.append(split.encode())
    seed = 42
    for column in columns:
        if column is not None:
            seed = xxhash.xxh64_intdigest(column, seed)
    return seed - 2**64 if seed >= 2**63 else seed


def fingerprint_of(row_hashes: int | None, rows: int, treated: Iterable[str] = ()) -> str:
    """Identifies the content of an image table by what can be added up over its rows.

    How some images are decoded belongs to it: earlier versions did not turn them, for instance, and what was made from
    those pixels was made from other images.

    Args:
        row_hashes: The XOR of the rows' 64-bit hashes by `IMAGE_HASH`; None for no rows.
        rows: Their number.
        treated: What decoding does to some of the images, see `images.ImageCheck`.

    Returns:
        The hash in hexadecimal; a dash; the number; a plus and a word for everything that decoding does.
    """
    decoded = "".join(f"+{what.replace(' ', '-')}" for what in sorted(treated))
    return f"{(row_hashes or 0) & (2**64 - 1):016x}-{rows}{decoded}"
