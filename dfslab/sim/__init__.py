"""The same cores under a virtual clock: whole histories from one seed."""
