"""What sessions typically do, in a single JVM: the program whose classes `class_archive.py` archives."""

import sys


def main(folder: str) -> None:
    """A table written, read and mapped by Python, two models fitted and applied, and a cluster started."""
    from pyspark.ml.classification import LogisticRegression, RandomForestClassifier
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import SparkSession

    with SparkSession.builder.master("local[1]").getOrCreate() as session:
        rows = session.range(200).selectExpr(
            "id", "cast(id % 3 as double) AS label", "array(rand(), rand()) AS features"
        )
        rows.write.parquet(folder)
        rows = session.read.parquet(folder)
        rows = rows.mapInPandas(lambda batches: batches, rows.schema)
        rows = rows.withColumn("features", array_to_vector("features"))
        for estimator in (LogisticRegression(maxIter=2), RandomForestClassifier(numTrees=2)):
            estimator.fit(rows).transform(rows).groupBy("prediction").count().collect()
    # Master, Worker and what an executor talks to, all in this process.
    with SparkSession.builder.master("local-cluster[1,1,1024]").getOrCreate() as session:
        session.range(1).count()


if __name__ == "__main__":
    main(f"{sys.argv[1]}/table")
