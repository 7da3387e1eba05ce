"""ACE files in every text format, small enough to be read."""

YACE = """elements: [Cu, Ni]
E0: [-1.5, 2]
deltaSplineBins: 0.001
embeddings:
  0: {ndensity: 1, FS_parameters: [1, 1.0], npoti: FinnisSinclair, rho_core_cutoff: 1e5, drho_core_cutoff: 250}
  1: {ndensity: 2, FS_parameters: [1, 1, 0.5, 0.5], npoti: FinnisSinclairShiftedScaled}
bonds:
  [0, 0]: {nradmax: 1, lmax: 1, nradbasemax: 2, radbasename: ChebExpCos, radparameters: [3.5], radcoefficients: [[[1, 0.25], [0.5, 2]]], prehc: 0, lambdahc: 1, rcut: 4.0, dcut: 0.01, rcut_in: 1.5, dcut_in: 0.2, inner_cutoff_type: distance}
  [0, 1]: {nradmax: 1, lmax: 1, nradbasemax: 2, radbasename: ChebPow, radparameters: [2], radcoefficients: [[[1, 0.25], [0.5, 2]]], prehc: 10, lambdahc: 1, rcut: 3.8, dcut: 0.01, inner_cutoff_type: distance}
  [1, 0]: {nradmax: 1, lmax: 0, nradbasemax: 1, radbasename: SBessel, radparameters: [2], radcoefficients: [[[1]]], rcut: 3.8, inner_cutoff_type: distance}
  [1, 1]: {nradmax: 1, lmax: 0, nradbasemax: 1, radbasename: TEST_SBessel, radparameters: [2], radcoefficients: [[[1]]], rcut: 3.6, inner_cutoff_type: distance}
functions:
  0:
    - {mu0: 0, rank: 2, ndensity: 1, num_ms_combs: 3, mus: [0, 1], ns: [1, 1], ls: [1, 1], ms_combs: [-1, 1, 0, 0, 1, -1], ctildes: [0.5, -0.5, 0.5]}  # B[2]
    - {mu0: 0, rank: 1, ndensity: 1, num_ms_combs: 1, mus: [1], ns: [2], ls: [0], ms_combs: [0], ctildes: [-2.5e-1]}
  1:
    - {mu0: 1, rank: 1, ndensity: 2, num_ms_combs: 1, mus: [0], ns: [1], ls: [0], ms_combs: [0], ctildes: [0.75, 1e-05]}
# a comment of FitSNAP
"""  # noqa: E501

OLD = """# DATE: today

nelements=1
elements: Cu

lmax=1

embedding-function: FinnisSinclairShiftedScaled
4 FS parameters:  1.000000 1.000000 1.000000 0.500000
core energy-cutoff parameters: 100000.0 250.0
E0: 0.25

radbasename=ChebPow
nradbase=2
nradmax=1
cutoffmax=4.2
deltaSplineBins=0.001000
core repulsion parameters: 400.0 7.0
radparameter= 2.0
cutoff= 4.2
dcut= 0.01
crad= 1.5 0.5
 -0.25 0.75
rankmax=2
ndensitymax=2

num_c_tilde_max=2
num_ms_combinations_max=2
total_basis_size_rank1: 1
ctilde_basis_func: rank=1 ndens=2 mu0=0 mu=( 0 )
n=( 2 )
l=( 0 )
num_ms=1
< 0 >:  1.25  -1.75
total_basis_size: 1
ctilde_basis_func: rank=2 ndens=2 mu0=0 mu=( 0  0 )
n=( 1  1 )
l=( 1  1 )
num_ms=2
< -1  1 >:  0.5  0.125
< 0  0 >:  -0.25  0.375
"""

PACEMAKER = """metadata: {origin: here}
global:
  DeltaSplineBins: 0.002
species:
  - speciesblock: Ni
    nradmaxi: 1
    lmaxi: 1
    nradbaseij: 2
    radbase: ChebExpCos
    radparameters: [4.5]
    radcoefficients: [[[1, 0.5], [0.25, 0.125]]]
    rcutij: 4
    dcutij: 0.01
    core-repulsion: [0, 5]
    ndensityi: 1
    npoti: FinnisSinclair
    parameters: [1, 1]
    rho_core_cut: 100000
    drho_core_cut: 250
    nbody:
      - {type: Ni Ni, nr: [2], nl: [0], c: [0.5]}
      - {type: Ni Cu Cu, nr: [1, 1], nl: [1, 1], c: [0.5]}
      - {type: Ni Ni Ni Ni, nr: [1, 1, 1], nl: [1, 1, 0], lint: [0], c: [1.5]}
      - {type: Ni Ni Ni, nr: [1, 1], nl: [0, 0], c: [0.5], skip: true}
  - speciesblock: "Cu"
    nradmaxi: 1
    lmaxi: 1
    nradbaseij: 2
    radbase: ChebPow
    radparameters: [2]
    radcoefficients: [1, 2, 3, 4]
    rcutij: 3.5
    ndensityi: 2
    npoti: FinnisSinclairShiftedScaled
    parameters: [1, 1, 1, 0.5]
    nbody:
      - {type: Cu Ni, nr: [1], nl: [0], c: [0.5, 0.25]}
  - speciesblock: Ni Cu
    nradmaxi: 1
    lmaxi: 1
    nradbaseij: 2
    radbase: SBessel
    radparameters: [2]
    radcoefficients: [[[1, 0.5], [0.25, 0.125]]]
    rcutij: 3.9
"""
