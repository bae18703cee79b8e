"""Small helpers on Spark tables."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def image_table_fingerprint(images: "DataFrame") -> str:
    """Identifies the content of an image table, whatever its partitions and order.

    Args:
        images: Columns `image_id`, `label` and `image`.

    Returns:
        The XOR of the rows' 64-bit hashes in hexadecimal, a dash, and the number of rows.
    """
    from pyspark.sql import functions as F  # noqa: N812

    found = images.agg(
        F.count("*").alias("rows"), F.expr("bit_xor(xxhash64(image_id, label, image))").alias("hash")
    ).first()
    return f"{(found['hash'] or 0) & (2**64 - 1):016x}-{found['rows']}"
