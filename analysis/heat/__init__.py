"""Heat: currents, and thermal conductivities from them."""
