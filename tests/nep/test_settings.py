"""Reading of nep.in: every keyword by name, and what is wrong with a line."""

import pytest

from ase_mlips.nep.model import NepZbl
from ase_mlips.nep.settings import NepSettings, read_nep_in

EVERYTHING = """# a comment
type 2 Te Pb   # and another
version 3
zbl 2.5
cutoff 6 4 5 4.5
n_max 5 4
basis_size 7 8
l_max 4 0 1 1
neuron 20
lambda_1 0.01
lambda_2 0.02
lambda_e 2
lambda_f 3
lambda_v 0.5
lambda_shear 4
force_delta 0.7
type_weight 1 0.5

seed 7
model_type 0
"""


def read(tmp_path, text):
    path = tmp_path / "nep.in"
    path.write_text(text)
    return read_nep_in(path)


def test_every_keyword(tmp_path):
    assert read(tmp_path, EVERYTHING) == NepSettings(
        elements=("Te", "Pb"), version=3, zbl=NepZbl(1.25, 2.5), cutoff=(6.0, 4.0, 5.0, 4.5), n_max=(5, 4),
        basis_size=(7, 8), l_max=4, invariants=("1111", "112"), neuron=20, lambda_1=0.01, lambda_2=0.02, lambda_e=2.0,
        lambda_f=3.0, lambda_v=0.5, lambda_shear=4.0, force_delta=0.7, type_weight=(1.0, 0.5), seed=7,
    )  # fmt: skip


def test_defaults_are_those_of_gpumd(tmp_path):
    settings = read(tmp_path, "type 1 Si\n")
    model = settings.template()
    assert (model.version, model.n_max, model.basis_size, model.l_max, model.invariants) == (
        4,
        (6, 6),
        (6, 6),
        4,
        ("222",),
    )
    assert model.radial_cutoffs[0] == 8.0
    assert model.angular_cutoffs[0] == 4.0
    assert (settings.lambda_e, settings.lambda_f, settings.lambda_v) == (1.0, 1.0, 0.1)


def test_cutoffs_of_each_element(tmp_path):
    model = read(tmp_path, EVERYTHING).template()
    assert model.radial_cutoffs.tolist() == [6.0, 5.0]
    assert model.angular_cutoffs.tolist() == [4.0, 4.5]


def test_typewise_repulsion(tmp_path):
    settings = read(tmp_path, "zbl 2\nuse_typewise_cutoff_zbl 0.7\ntype 1 Si\n")
    assert settings.zbl == NepZbl(0.0, 2.0, 0.7, typewise_inner_half=True)


def test_dipoles_and_polarizabilities(tmp_path):
    for number, kind in ((1, "dipole"), (2, "polarizability")):
        settings = read(tmp_path, f"type 1 Si\nmodel_type {number}\n")
        assert (settings.template().kind, settings.lambda_v) == (kind, 1.0)
    assert read(tmp_path, "type 1 Si\nmodel_type 1\nlambda_v 0.5\n").lambda_v == 0.5


def test_what_belongs_to_the_evolution_strategy_is_ignored_aloud(tmp_path):
    with pytest.warns(UserWarning, match=r"nep.in: population, generation: of other training methods, ignored"):
        assert read(tmp_path, "type 1 Si\npopulation 50\ngeneration 100\n") == NepSettings(("Si",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nep.in: expected a line with the keyword type"),
        ("type 1 Si\nneurons 30\n", "nep.in:2: expected one of the keywords .*neuron.*, got 'neurons'"),
        ("type 1 Si\n\ncutoff 8\n", "nep.in:3: cutoff: expected 2 or 2 numbers, got 1"),
        ("type 2 Si\n", "nep.in:1: expected type <number of elements>"),
        ("type 1 Si\nn_max 4\n", "nep.in:2: .*expected n_max and 2 integers"),
        ("type 1 Si\nlambda_e much\n", "nep.in:2: .*expected a finite number for lambda_e, got 'much'"),
        ("type 1 Si\nneuron 5\nneuron 6\n", "nep.in:3: expected neuron once, after line 2"),
        ("type 1 Si\nmodel_type 3\n", "nep.in:2: model_type: expected 0, 1 or 2, got 3"),
        ("type 1 Si\nmodel_type 1\nzbl 2\n", "nep.in:3: zbl: expected none in a model of dipoles"),
        ("type 1 Si\ncharge_mode 1\n", "nep.in:2: .*charge_mode 0 because"),
        ("type 1 Xx\n", "nep.in:1: .*Xx"),
        ("type 1 Si\ntype_weight 1 2\n", "nep.in:2: type_weight: expected 1 numbers, got 2"),
        ("type 1 Si\nzbl 0\n", "nep.in:2: .*zbl"),
    ],
)
def test_bad_lines(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)
