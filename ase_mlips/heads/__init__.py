"""From the descriptors of an atom to its energy: heads that any descriptor can use."""
