"""What only knows numbers: compiled kernels, their machine code and threads, atoms as vector lanes, neighbours."""
