"""Benchmarks of the project, each as a ratio of two figures from one run: `python -m benchmarks --help`."""
