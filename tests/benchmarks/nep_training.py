"""Training of NEP: ``python tests/benchmarks/nep_training.py [--only NAME ..] [--torchnep PYTHON] [--json FILE]``.

The data are not part of this repository: mlearn (Zuo et al., J. Phys. Chem. A 124, 731 (2020)) as extended xyz, PbTe of
GPUMD's examples, Cu2Se and Cu7PS6, and models of dipoles and polarizabilities.  Times are those of the processor, with
one thread unless said otherwise.  The parts ``torchnep`` and ``calorine`` want the Python of an environment that has
torchnep 1.0.7 or calorine; the first one does not compare otherwise, the other one is left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.calibration import fma_gflops

from ase_mlips import NEP, load
from ase_mlips.fit import NepSettings, NepTraining, balanced, compare, fit_nep, read_frames, read_nep_in
from ase_mlips.fit.change import Change
from ase_mlips.fit.protocols import Slopes
from ase_mlips.fit.training import minimise
from ase_mlips.nep.files import read_nep
from ase_mlips.nep.fitting import NepProblem, loss_of
from ase_mlips.nep.model import KINDS, NepModel
from ase_mlips.nep.responses import gradient_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SILICON = NepSettings(("Si",), cutoff=(5.0, 4.5), n_max=(8, 6), basis_size=(8, 8))
MOLYBDENUM = NepSettings(
    ("Mo",), cutoff=(5.5, 5.0), n_max=(8, 6), basis_size=(10, 10), invariants=("222", "112", "123"), neuron=20,
    lambda_e=4.0,
)  # fmt: skip
PEER = """
import sys, time, torch
torch.set_num_threads(1)
from torchnep import train_nep
begin = time.process_time()
train_nep("nep.in", "train.xyz", output_dir="out", device="cpu", restart=False)
print("CPU", time.process_time() - begin)
"""
PEER_INPUT = "type 1 Si\ncutoff 5 4.5\nn_max 8 6\nbasis_size 8 8\nl_max 4 2 0\nneuron 30\nbatch 2\nepoch {epochs}\n"
CALORINE = """
import json
from ase.io import read
from calorine.calculators import CPUNEP
found = []
for atoms in read("test.xyz", ":"):
    atoms.calc = CPUNEP("nep.txt")
    found.append((float(atoms.get_potential_energy()), atoms.get_forces().tolist()))
print(json.dumps(found))
"""
COLD = """
import time
import numpy as np
from ase_mlips.cli.compile import _nep_fit
begin = time.process_time()
_nep_fit()
print(time.process_time() - begin)
"""


def mlearn(element: str, data: Path) -> list:
    return [read_frames(data / f"mlearn/{element}_{part}.extxyz") for part in ("train", "test")]


def problem_of(settings: NepSettings, frames: list, **training) -> tuple[NepProblem, NepTraining]:
    schedule = NepTraining(**training)
    loss = loss_of(settings)
    return NepProblem(settings.template(), frames, validation=frames[:1], loss=loss, training=schedule), schedule


def gradient(data: Path, options: argparse.Namespace) -> dict:
    """Loss and gradient against a force call of the same frames, alternating."""
    frames = mlearn("Si", data)[0]
    problem, training = problem_of(SILICON, frames)
    task, family = problem.task(training), problem.family
    numbers = np.arange(len(frames))
    atoms = sum(len(frame.atoms) for frame in frames)
    task.objective.total(task.start, numbers)  # everything is compiled and listed
    rows = []
    for _ in range(9):
        times = [time.thread_time()]
        found = family.evaluate(task.start, numbers)
        times.append(time.thread_time())
        slopes = Slopes(np.ones(len(frames)), found.forces, found.strains)
        found.gradient(slopes)
        times.append(time.thread_time())
        rows.append(np.diff(times))
    force, back = np.min(rows, axis=0) / atoms * 1e6
    return {"force_us": force, "gradient_us": force + back, "ratio": (force + back) / force, "floor": 3.0}


def torchnep(data: Path, options: argparse.Namespace) -> dict:
    """Processor time per atom and epoch at batches of two frames, both codes in turns."""
    frames = mlearn("Si", data)[0]
    atoms = sum(len(frame.atoms) for frame in frames)
    problem, training = problem_of(SILICON, frames, epochs=4)
    task = problem.task(training)
    minimise(task, replace(training, epochs=1), {})
    spent: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(4):
        begin = time.thread_time()
        minimise(task, training, {})
        spent["ours"].append((time.thread_time() - begin) / 4 / atoms * 1e6)
        if options.torchnep is not None and turn < 3:
            seconds = [peer_seconds(options.torchnep, data, epochs) for epochs in (1, 4)]
            spent["theirs"].append((seconds[1] - seconds[0]) / 3 / atoms * 1e6)
    ours = float(np.median(spent["ours"]))
    if options.torchnep is None:
        return {"ours_us": ours}
    theirs = float(np.median(spent["theirs"]))
    return {"ours_us": ours, "torchnep_us": theirs, "ratio": theirs / ours, "floor": 20.0, "all": spent}


def peer_seconds(python: str, data: Path, epochs: int) -> float:
    """Processor time of a training by torchnep."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nep.in").write_text(PEER_INPUT.format(epochs=epochs))
        Path(folder, "train.xyz").write_bytes((data / "mlearn/Si_train.extxyz").read_bytes())
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        run = subprocess.run(
            [python, "-c", PEER], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    return float(run.stdout.split()[-1])


def trained(settings: NepSettings, train: list, test: list, validation: float, **training) -> dict:
    """Errors of one training and its time, the final report excluded."""
    begin, wall = time.process_time(), time.perf_counter()
    fit = fit_nep(settings, train, validation=validation, test=test, training=NepTraining(**training))
    spent = time.process_time() - begin, time.perf_counter() - wall
    result = {"cpu_seconds": spent[0], "wall_seconds": spent[1], **training}
    for name in ("train", "test") if test else ("train",):
        for quantity, unit in (("energy", 1000.0), ("force", 1.0)):
            result[f"{name}_{quantity}"] = unit * fit.report.parity(name, quantity).score().rmse
    return result


def silicon(data: Path, options: argparse.Namespace) -> dict:
    """mlearn Si: three budgets."""
    train, test = mlearn("Si", data)
    trained(SILICON, train[:20], [], 0.1, epochs=1)
    cases = {4: (12, 2e-2), 12: (44, 2e-2), 120: (300, 1e-2)}
    return {
        f"{seconds} s": trained(SILICON, train, test, 0.05, epochs=epochs, learning_rate=rate)
        for seconds, (epochs, rate) in cases.items()
    }


def molybdenum(data: Path, options: argparse.Namespace) -> dict:
    """mlearn Mo; published are, in meV/atom and eV/A, three potentials.

    Quadratic SNAP, which has as many parameters, 4.04 and 0.333; MTP of level 20 3.98 and 0.151; SNAP 9.25 and 0.376.
    """
    train, test = mlearn("Mo", data)
    return trained(MOLYBDENUM, train, test, 0.0, epochs=120, batch_size=1, lbfgs_steps=240)


def pbte(data: Path, options: argparse.Namespace) -> dict:
    """GPUMD's PbTe: 0.41 meV/atom and 0.040 eV/A on the training set after 20 000 generations."""
    frames = read_frames(data / "gpumd/PbTe_train.xyz")
    return trained(
        read_nep_in_quietly(data / "gpumd/PbTe_nep.in"), frames, [], 0.0, epochs=600, batch_size=1, num_threads=2
    )


def cu2se(data: Path, options: argparse.Namespace) -> dict:
    """Cu2Se: 1.2 to 1.3 meV/atom and 0.061 to 0.068 eV/A on the training set."""
    frames = read_frames(data / "cu2se/Cu2Se_train_nep2.xyz")
    settings = read_nep_in_quietly(data / "cu2se/Cu2Se_nep2.in")
    return trained(settings, frames, [], 0.0, epochs=150, batch_size=1, lbfgs_steps=160, num_threads=2)


def cu7ps6(data: Path, options: argparse.Namespace) -> dict:
    """Every sixth frame is for the test."""
    frames = read_frames(data / "cu7ps6_chgnet_labels.extxyz")
    train = [frame for n, frame in enumerate(frames) if n % 6]
    settings = NepSettings(("Cu", "P", "S"), cutoff=(6.0, 4.5), n_max=(4, 4), basis_size=(8, 8), neuron=20)
    return trained(settings, train, frames[::6], 0.05, epochs=100)


def read_nep_in_quietly(path: Path) -> NepSettings:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_nep_in(path)


def threads(data: Path, options: argparse.Namespace) -> dict:
    """An epoch with two threads against one, alternating, for batches of frames of 64 and of 250 atoms.

    On a machine that others use, too, wall times say little: the second ratio is that of the processor's time of the
    calling thread, which works as much as the other one and does all that is serial beside.
    """
    silicon, telluride = mlearn("Si", data)[0], read_frames(data / "gpumd/PbTe_train.xyz")
    cases = [("Si", SILICON, silicon, batch) for batch in (2, 4, 16)]
    cases += [("PbTe", read_nep_in_quietly(data / "gpumd/PbTe_nep.in"), telluride, batch) for batch in (4, 16)]
    clocks, result = (time.perf_counter, time.thread_time), {}
    for name, template, frames, batch in cases:
        problems = {n: problem_of(template, frames, epochs=1, batch_size=batch, num_threads=n) for n in (1, 2)}
        tasks = {count: (problem.task(training), training) for count, (problem, training) in problems.items()}
        spent: dict[int, list[list[float]]] = {1: [], 2: []}
        found = {}
        for count in (1, 2) * 20:
            begin = [clock() for clock in clocks]
            found[count] = minimise(*tasks[count], {})[0].parameters
            spent[count].append([clock() - first for clock, first in zip(clocks, begin, strict=True)])
        wall, busy = np.min(spent[1], axis=0) / np.min(spent[2], axis=0)
        same = np.array_equal(found[1], found[2])
        result[f"{name}, batch {batch}"] = {"wall": wall, "processor": busy, "same bits": same}
    return result | {"floor": 1.7}


def responses(data: Path, options: argparse.Namespace) -> dict:
    """Models of dipoles and polarizabilities of GPUMD: labels of clusters, learned by models of the same shape.

    Clusters of 2 to 12 atoms are cut out of rattled cells: a label of a whole cell says little of its many atoms.  Root
    mean squares of the errors, also of 100 other clusters, relative to the scatter of their labels about the mean of
    each component.
    """
    folder, rng, result = data.parent / "reference/nep", np.random.default_rng(0), {}
    for name, file in (
        ("27_water_dipole", "gp_tnep-water-polarization.txt"),
        ("30_bazro3_polarizability_nep3", "gp_nep_pol.txt"),
    ):
        model, calc, cell = (
            read_nep(folder / "models" / file),
            load(folder / "models" / file),
            np.load(folder / f"{name}.npz"),
        )
        frames = read_frames([labelled_cluster(calc, model.kind, cell, rng) for _ in range(1600)])
        begin, training = time.process_time(), NepTraining(epochs=60, lbfgs_steps=60, batch_size=4)
        fit = fit_nep(settings_like(model), frames[:1500], validation=0.0, test=frames[1500:], training=training)
        width = 3 if model.kind == "dipole" else 6
        found = result[model.kind] = {"cpu_seconds": time.process_time() - begin}
        found["labels_per_parameter"] = width * 1500 / gradient_of(fit.model, 1).vector.size
        for part in ("train", "test"):
            parity = fit.report.parity(part, model.kind)
            found[part] = parity.score().rmse / parity.reference.reshape(-1, width).std(axis=0).mean()
    return result


def labelled_cluster(calc: NEP, kind: str, cell: dict, rng: np.random.Generator) -> Atoms:
    """Some neighbours of an atom of a rattled cell with the response that a calculator gives them."""
    atoms = Atoms(cell["numbers"], cell["positions"], cell=cell["cell"], pbc=True)
    atoms.rattle(0.05, rng=rng)
    around = atoms.get_distances(rng.integers(len(atoms)), range(len(atoms)), mic=True, vector=True)
    near = np.argsort(np.linalg.norm(around, axis=1))[: rng.integers(2, 13)]
    cluster = Atoms(atoms.numbers[near], around[near], cell=30.0 * np.eye(3), pbc=True)
    if kind == "dipole":
        cluster.info["dipole"] = calc.get_property("dipole", cluster)
    else:
        cluster.info["pol"] = calc.get_polarizability(cluster)
    return cluster


def forgetting(data: Path, options: argparse.Namespace) -> dict:
    """UNEP-v1, reduced to Mo, is trained on with DFT data: what it knew of other crystals of Mo, before and after.

    The test has its own labels of these; in a second training 40 others are among the new frames, without energies,
    whose zero is another one.
    """
    model = read_nep(data.parent / "reference/nep/models/UNEP-v1.txt").subset(["Mo"])
    rng, calc, (train, test) = np.random.default_rng(0), NEP(model), mlearn("Mo", data)
    old = read_frames([labelled_crystal(calc, rng) for _ in range(80)])
    training, result = NepTraining(epochs=20, learning_rate=2e-3), {}
    for name, more in (("new frames", []), ("and 40 old ones", [replace(f, energy=None) for f in old[40:]])):
        begin = time.process_time()
        sets = {"new": test, "old": old[:40]}
        fit = fit_nep(model, [*train, *more], validation=0.0, training=training)
        found = result[name] = {"cpu_seconds": time.process_time() - begin}
        change = Change.of(compare(NEP(model).potential, sets), compare(NEP(fit.model).potential, sets), sets)
        for when, report in (("before", change.before), ("after", change.after)):
            for kind, quantity in product(sets, ("energy", "force")):
                found[f"{kind} {quantity} {when}"] = report.parity(kind, quantity).score().rmse
    return result


def labelled_crystal(calc: NEP, rng: np.random.Generator) -> Atoms:
    """A rattled and strained close-packed crystal of Mo with the labels of a potential."""
    fcc, hcp = bulk("Mo", "fcc", a=4.0, cubic=True) * 2, bulk("Mo", "hcp", a=2.8, c=4.6) * 3
    atoms = fcc if rng.random() < 0.5 else hcp
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.02, size=(3, 3))), scale_atoms=True)
    atoms.rattle(0.1, rng=rng)
    results = {"energy": calc.get_potential_energy(atoms), "forces": calc.get_forces(atoms)}
    atoms.calc = SinglePointCalculator(atoms, **results, stress=calc.get_stress(atoms))
    return atoms


def settings_like(model: NepModel) -> NepSettings:
    """The hyperparameters of a model."""
    return NepSettings(
        model.elements, version=model.version, cutoff=(model.radial_cutoffs[0], model.angular_cutoffs[0]),
        n_max=model.n_max, basis_size=model.basis_size, l_max=model.l_max, invariants=model.invariants,
        neuron=model.network.w0.shape[1], model_type=KINDS.index(model.kind), lambda_v=1.0,
    )  # fmt: skip


def calorine(data: Path, options: argparse.Namespace) -> dict:
    """Energies and forces that calorine gives test frames with a file of ours, relative to the largest ones."""
    if options.calorine is None:
        return {}
    train, test = mlearn("Si", data)
    fit = fit_nep(SILICON, train[:40], validation=train[:4], training=NepTraining(epochs=10))
    with tempfile.TemporaryDirectory() as folder:
        fit.save(Path(folder, "nep.txt"))
        write(Path(folder, "test.xyz"), [frame.atoms for frame in test], format="extxyz")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [options.calorine, "-c", CALORINE]
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    theirs, apart = iter(json.loads(run.stdout.splitlines()[-1])), {"energy": 0.0, "force": 0.0}
    for frame in test:
        atoms = frame.atoms.copy()
        atoms.calc = NEP(fit.model)
        energy, forces = next(theirs)
        own = atoms.get_forces()
        apart["energy"] = max(apart["energy"], abs(atoms.get_potential_energy() / energy - 1.0))
        apart["force"] = max(apart["force"], np.abs(own - forces).max() / np.abs(own).max())
    return apart | {"most": 1e-6}


def cold(data: Path, options: argparse.Namespace) -> dict:
    """Seconds of the processor until the first gradient, with an empty kernel cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        run = subprocess.run([sys.executable, "-c", COLD], env=environment, capture_output=True, text=True, check=True)
    return {"seconds": float(run.stdout.split()[-1]), "floor": 40.0}


def optimisers(data: Path, options: argparse.Namespace) -> dict:
    """mlearn Si: what was tried, at about the same time; rows of a table of seconds and errors on both sets.

    L-BFGS is in the variables of the Gauss-Newton matrix but for the rows that say plain.
    """
    train, test = mlearn("Si", data)
    trained(SILICON, train[:20], [], 0.1, epochs=1)  # compiles
    print("| | CPU s | train E, meV/atom | F, eV/A | test E | F |\n| --- | --- | --- | --- | --- | --- |")
    cases = {
        "Adam, batch 2": {"epochs": 40},
        "Adam, batch 1, 5e-3": {"epochs": 40, "batch_size": 1, "learning_rate": 5e-3},
        "Adam, batch 8": {"epochs": 44, "batch_size": 8},
        "Adam, rate 3e-3": {"epochs": 40, "learning_rate": 3e-3},
        "Adam, rate 2e-2": {"epochs": 40, "learning_rate": 2e-2},
        "Adam, then plain L-BFGS": {"epochs": 20, "lbfgs_steps": 20},
        "Adam, then L-BFGS": {"epochs": 20, "lbfgs_steps": 20},
        "plain L-BFGS alone": {"epochs": 0, "lbfgs_steps": 40},
        "L-BFGS alone": {"epochs": 0, "lbfgs_steps": 40},
    }
    result, most = {}, balanced._MOST_CURVED
    for name, settings in cases.items():
        balanced._MOST_CURVED = 0 if "plain" in name else most
        found = result[name] = trained(SILICON, train, test, 0.05, **settings)
        numbers = f"{found['cpu_seconds']:.1f} | {found['train_energy']:.1f} | {found['train_force']:.3f}"
        print(f"| {name} | {numbers} | {found['test_energy']:.1f} | {found['test_force']:.3f} |", flush=True)
    balanced._MOST_CURVED = most
    return result


PARTS = {
    "gradient": gradient, "torchnep": torchnep, "silicon": silicon, "molybdenum": molybdenum, "pbte": pbte,
    "cu2se": cu2se, "cu7ps6": cu7ps6, "responses": responses, "calorine": calorine, "threads": threads, "cold": cold,
    "forgetting": forgetting, "optimisers": optimisers,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with mlearn/ and others")
    parser.add_argument("--torchnep", metavar="PYTHON", help="of an environment that has torchnep")
    parser.add_argument("--calorine", metavar="PYTHON", help="of an environment that has calorine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data in {options.data}; give their folder with --data")
        return 2
    results = {"gflops": fma_gflops()}
    for name in options.only:
        results[name] = PARTS[name](options.data, options)
        print(name, json.dumps(results[name], indent=1, default=float), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=float) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
