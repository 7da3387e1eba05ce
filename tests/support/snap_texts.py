"""One potential as hand-written text in every format, and the model that it is."""

from pathlib import Path

from ase_mlips.snap.model import SnapModel

COEFFICIENTS = """\
# DATE: 2020-01-31 UNITS: metal CONTRIBUTOR: somebody

2 6
In 0.5 1
-1.5   # B[0]
 1e-3
 +.25
 2.
 -3E2
 0
P 0.4 -0.9
1
2
3
4
5
6
# the end
"""
PARAMETERS = """\
# required
rcutfac 4.5
twojmax 2

rfac0 0.99 # comment
rmin0 0
bzeroflag 0
quadraticflag 0
"""
DESCRIPTOR = "rcutfac 4.5\ntwojmax 2\nnelems 2\nelems In P\nradelems 0.5 0.4\nwelems 1 -0.9\nrfac0 0.99\nbzeroflag 0\n"
INCLUDE = """\
# SNAP + ZBL
variable zblcutinner equal 4
variable zblcutouter index 4.2 9
variable z string 49

pair_style hybrid/overlay &
zbl ${zblcutinner} ${zblcutouter} &
snap
pair_coeff 1 1 zbl $z ${z}
pair_coeff 1 2 zbl ${z} 15
pair_coeff 2 2 zbl 15 15
pair_coeff * * snap m.snapcoeff m.snapparam In P
"""
EXPECTED = SnapModel(
    elements=("In", "P"),
    radii=[0.5, 0.4],
    weights=[1.0, -0.9],
    coefficients=[[-1.5, 1e-3, 0.25, 2.0, -300.0, 0.0], [1, 2, 3, 4, 5, 6]],
    twojmax=2,
    rcutfac=4.5,
    rfac0=0.99,
    bzeroflag=False,
)


def write_texts(tmp_path: Path) -> Path:
    """Put the potential into a folder in every format: m.snapcoeff, m.snapparam, i.snap, m.mliap.*, i.mliap."""
    (tmp_path / "m.snapcoeff").write_text(COEFFICIENTS)
    (tmp_path / "m.snapparam").write_text(PARAMETERS)
    (tmp_path / "i.snap").write_text(INCLUDE)
    (tmp_path / "m.mliap.descriptor").write_text(DESCRIPTOR)
    numbers = EXPECTED.coefficients.ravel().tolist()
    (tmp_path / "m.mliap.model").write_text("\n".join(["2 6", *map(repr, numbers), ""]))
    (tmp_path / "i.mliap").write_text(
        "units metal\nmass 1 114.8\npair_style mliap model linear m.mliap.model descriptor sna m.mliap.descriptor\n"
        "pair_coeff * * In P\n"
    )
    return tmp_path
