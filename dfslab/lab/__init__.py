"""The laboratory: launchers, faults and waits. Experiments act on a cluster through this layer."""
