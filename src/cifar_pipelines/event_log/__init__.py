"""Spark's event log: read without Spark, and split into where the time went."""
