"""A small MTP file as MLIP writes it, to be changed by tests, and an active set of any size."""

import re

import numpy as np

from ase_mlips.mtp.active_set import ActiveSet

SMALL = """MTP
version = 1.1.0
potential_name = MTP1m
scaling = 2.500000000000000e-01
species_count = 2
potential_tag =\x20
radial_basis_type = RBChebyshev
	min_dist = 1.500000000000000e+00
	max_dist = 5.000000000000000e+00
	radial_basis_size = 3
	radial_funcs_count = 1
	radial_coeffs
		0-0
			{1.000000000000000e+00, 2.000000000000000e+00, 3.000000000000000e+00}
		0-1
			{4.000000000000000e+00, 5.000000000000000e+00, 6.000000000000000e+00}
		1-0
			{-1.000000000000000e+00, -2.000000000000000e+00, 3.0000000000000004e-01}
		1-1
			{7.000000000000000e+00, 8.000000000000000e+00, 9.000000000000000e+00}
alpha_moments_count = 2
alpha_index_basic_count = 1
alpha_index_basic = {{0, 0, 0, 0}}
alpha_index_times_count = 1
alpha_index_times = {{0, 0, 1, 1}}
alpha_scalar_moments = 2
alpha_moment_mapping = {0, 1}
species_coeffs = {-1.250000000000000e-01, 5.000000000000000e-01}
moment_coeffs = {1.000000000000000e-03, -2.000000000000000e-03}
"""
UNTRAINED = re.sub(r"\tradial_coeffs\n(\t\t.*\n)*|(species|moment)_coeffs.*\n", "", SMALL)
CONFIGURATION = "BEGIN_CFG\n Size\n    1\n AtomData:  id type cartes_x cartes_y cartes_z\n    1 0 0. 0. 0.\nEND_CFG"


def an_active_set(size: int) -> ActiveSet:
    rng = np.random.default_rng(5)
    A = rng.normal(size=(size, size))
    links = np.stack([rng.integers(0, 2, size), rng.integers(0, 50, size)], axis=1)
    links[3] = -1
    A[0, 0] = np.frombuffer(b"\n#\n#MVS?", dtype="<f8")[0]  # what looks like the end is none
    return ActiveSet(
        energy_weight=1.0,
        force_weight=0.0,
        stress_weight=0.1,
        site_en_weight=0.0,
        weight_scaling=2,
        A=A,
        S=np.linalg.inv(A).T,
        links=links,
        configurations=(
            CONFIGURATION,
            CONFIGURATION.replace("Size", "Size\r").replace("END", " Feature   by\té\r\nEND"),
        ),
    )
