"""NEP2, whose radial functions are not expanded, models of a temperature, and files with a misleading first word."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from scipy.special import eval_chebyt, eval_legendre
from support.nep_models import synthetic_nep_models

from ase_mlips import NEP, load
from ase_mlips.nep import read_nep, write_nep

N_MAX, L_MAX, NEURONS, CUTOFFS = (3, 2), 3, 4, (5.0, 4.0)
FUNCTIONS = (N_MAX[0] + 1, N_MAX[1] + 1)
D = FUNCTIONS[0] + FUNCTIONS[1] * L_MAX


def nep2(elements: list[str], token: str = "nep"):
    """The text of a random NEP2 and its numbers by name."""
    rng, count = np.random.default_rng(5), len(elements)
    parts = {
        "w0": rng.normal(0.0, 0.3, (NEURONS, D)),
        "b0": rng.normal(size=NEURONS),
        "w1": rng.normal(size=NEURONS),
        "b1": rng.normal(size=1),
        "radial": rng.normal(size=(FUNCTIONS[0], count, count)) if count > 1 else np.zeros(0),
        "angular": rng.normal(size=(FUNCTIONS[1], count, count)) if count > 1 else np.zeros(0),
        "scaler": rng.uniform(0.2, 1.0, D),
    }
    header = f"{token} {count} {' '.join(elements)}\ncutoff {CUTOFFS[0]} {CUTOFFS[1]}\nn_max 3 2\nl_max 3\nANN 4 0\n"
    numbers = np.concatenate([part.ravel() for part in parts.values()])
    return header + "".join(f"{number!r}\n" for number in numbers.tolist()), parts


def radial_functions(n: int, r: float, cutoff: float, *, c: np.ndarray):
    """c_k f_k(r), k < n: Chebyshev polynomials from 0 to 1 that end at the cutoff."""
    if r >= cutoff:
        return np.zeros(n)
    end = 0.5 * (1.0 + np.cos(np.pi * r / cutoff))
    return c * 0.5 * (eval_chebyt(np.arange(n), 2.0 * (r / cutoff - 1.0) ** 2 - 1.0) + 1.0) * end


def energies_of(parts, species, positions):
    """Site energies of a cluster, by the addition theorem: no spherical harmonics."""
    result = []
    for i, here in enumerate(positions):
        others = [j for j in range(len(positions)) if j != i]
        vectors = positions[others] - here
        lengths = np.linalg.norm(vectors, axis=1)
        g = []
        for name, n, cutoff in zip(("radial", "angular"), FUNCTIONS, CUTOFFS, strict=True):
            c = [parts[name][:, species[i], species[j]] if parts[name].size else np.ones(n) for j in others]
            g.append(np.array([radial_functions(n, r, cutoff, c=cj) for r, cj in zip(lengths, c, strict=True)]))
        cosines = np.clip(vectors @ vectors.T / np.outer(lengths, lengths), -1.0, 1.0)
        q = [
            (2 * L + 1) / (4.0 * np.pi) * np.einsum("jn,jk,kn->n", g[1], eval_legendre(L, cosines), g[1])
            for L in range(1, L_MAX + 1)
        ]
        x = np.concatenate([g[0].sum(axis=0), *q]) * parts["scaler"]
        result.append(parts["w1"] @ np.tanh(parts["w0"] @ x - parts["b0"]) - parts["b1"][0])
    return np.array(result)


@pytest.mark.parametrize("elements", [["Si"], ["Te", "Pb"]])
def test_nep2_gives_the_energies_of_its_formulas(tmp_path, elements):
    text, parts = nep2(elements)
    (tmp_path / "nep.txt").write_text(text)
    calc = load(tmp_path / "nep.txt")
    species = np.arange(6) % len(elements)
    positions = np.random.default_rng(1).normal(scale=1.5, size=(6, 3)) + np.arange(6)[:, None]
    atoms = Atoms([elements[s] for s in species], positions)
    np.testing.assert_allclose(calc.get_potential_energies(atoms), energies_of(parts, species, positions), rtol=1e-11)
    assert calc.model.version == 3
    write_nep(tmp_path / "new.txt", calc.model)
    assert (tmp_path / "new.txt").read_text().startswith(f"nep3 {len(elements)} ")
    assert read_nep(tmp_path / "new.txt") == calc.model


@pytest.mark.parametrize("elements", [["Si"], ["Te", "Pb"]])
def test_nep2_of_another_length(tmp_path, elements):
    text, parts = nep2(elements, "nep_dipole")
    (tmp_path / "nep.txt").write_text(text)
    assert read_nep(tmp_path / "nep.txt").kind == "dipole"
    length = sum(part.size for part in parts.values())
    (tmp_path / "nep.txt").write_text(text.removesuffix(f"{text.split()[-1]}\n"))
    with pytest.raises(ValueError, match=f":{length + 4}: expected {length} numbers behind the header, got the end of"):
        read_nep(tmp_path / "nep.txt")


def with_temperature(model, seed=0):
    """The text of a model with one more descriptor, and what the network multiplies it by."""
    rng = np.random.default_rng(seed)
    types, neurons, _ = model.network.w0.shape
    column = rng.normal(size=(types, neurons, 1))
    lines = []
    for t in range(types):
        lines += [*np.concatenate([model.network.w0[t], column[t]], axis=1).ravel(), *model.network.b0[t]]
        lines += [*model.network.w1[t]]
    lines += [model.network.bias, *model.radial.ravel(), *model.angular.ravel(), *model.scaler, 0.001]
    lines += [] if model.zbl is None or model.zbl.flexible is None else list(model.zbl.flexible.ravel())
    return "".join(f"{float(number)!r}\n" for number in lines), column[:, :, 0]


@pytest.mark.parametrize("name", ["nep3", "nep4", "nep4_zbl_flexible"])
def test_a_temperature_is_a_descriptor(tmp_path, name):
    model = synthetic_nep_models()[name]
    numbers, column = with_temperature(model)
    write_nep(tmp_path / "plain.txt", model)
    header = [line for line in (tmp_path / "plain.txt").read_text().splitlines() if line[0].isalpha()]
    header[0] = header[0].replace(model.token, f"{model.token}_temperature")
    path = tmp_path / "nep.txt"
    path.write_text("\n".join(header) + "\n" + numbers)
    assert NEP.recognizes(path)
    for temperature in (0.0, 300.0, 5000):
        bias = model.network.b0 - 0.001 * temperature * column
        expected = replace(model, network=replace(model.network, b0=bias))
        calc = NEP(path, temperature=temperature, num_threads=1)
        np.testing.assert_allclose(calc.model.network.b0, bias, rtol=1e-15)
        assert replace(calc.model, network=expected.network) == expected
        assert calc.parameters["temperature"] == temperature
        calc.write(tmp_path / "fixed.txt")
        assert read_nep(tmp_path / "fixed.txt") == calc.model
    with pytest.raises(
        ValueError, match=r"nep.txt:1: expected a model of one temperature, or NEP\(..., temperature=<K>"
    ):
        load(path)
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="temperature: expected a number of K that is not negative, got "):
            read_nep(path, temperature=wrong)
    with pytest.raises(ValueError, match=r"plain.txt:1: expected a _temperature model, since a temperature is given"):
        NEP(tmp_path / "plain.txt", temperature=300.0)
    with pytest.raises(ValueError, match="expected one only with the file of a _temperature model, got a NepModel"):
        NEP(model, temperature=300.0)


def test_a_polarizability_that_calls_itself_a_potential(tmp_path):
    write_nep(tmp_path / "nep.txt", synthetic_nep_models()["polarizability"])
    text = (tmp_path / "nep.txt").read_text()
    token = text.split()[0]
    (tmp_path / "nep.txt").write_text(text.replace(token, token.removesuffix("_polarizability"), 1))
    with pytest.raises(ValueError, match=f"as many as a polarizability model has, whose first word is {token}$"):
        read_nep(tmp_path / "nep.txt")
