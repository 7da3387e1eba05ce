"""Vibrations: velocity autocorrelations, densities of states, and what follows from them."""
