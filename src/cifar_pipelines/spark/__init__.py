"""Spark standalone: the parallelism setting, the embedded cluster, the session, what it measured."""
