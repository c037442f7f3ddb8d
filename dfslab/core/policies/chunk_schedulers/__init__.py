"""Chunk schedulers, a file each; `dfslab.core.policies.POLICIES` knows them by name."""
