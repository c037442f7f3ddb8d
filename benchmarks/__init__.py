"""Benchmarks: each prints its figures, beside what they are measured against, in one run."""
