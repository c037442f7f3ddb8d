"""Benchmarks: each starts clusters of its own, measures, and returns one row a run."""
