"""Structure: where atoms are around each other."""
