"""What the stress test does to an index."""
