"""Diffusion by other programs, on the walkers of `trajectory` below: python tests/reference/analysis/make.py."""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from support.walkers import brownian, langevin, rattling  # noqa: E402

EDGE = 15.0  # A
STEP = 0.0625  # ps; a power of two, because kinisi cuts times over STEP down to integers
START = 20  # frames
LAGS = 80  # frames
TEMPERATURE = 600.0


def trajectory():
    """Unwrapped positions (F, N, 3): 40 Li that diffuse and rattle, and a framework of 8 S at rest."""
    moving = brownian(11, 400, 40, d=0.02) + rattling(12, 400, 40, width=0.3, tau=2.0)
    sites = np.random.default_rng(13).uniform(0.0, EDGE, size=(48, 3))
    return sites + np.concatenate([moving, np.zeros((400, 8, 3))], axis=1)


def velocities():
    """(F, 3) of one atom."""
    return langevin(14, 500, 1)[:, 0]


def by_freud():
    import freud

    return freud.msd.MSD(mode="window").compute(trajectory()[:, :40]).msd[: LAGS + 1].tolist()


def by_dynasor():
    from dynasor.tools.acfs import compute_acf

    return [compute_acf(column, method="scipy")[1][: LAGS + 1].tolist() for column in velocities().T]


def by_kinisi():
    import scipp as sc
    from ase import Atoms
    from kinisi.analyze import ConductivityAnalyzer, DiffusionAnalyzer

    atoms = [Atoms("Li40S8", frame, cell=[EDGE] * 3, pbc=True) for frame in trajectory()]
    options = {
        "trajectory": atoms,
        "specie": "Li",
        "time_step": STEP * sc.Unit("ps"),
        "step_skip": 1 * sc.Unit("dimensionless"),
        "progress": False,
    }
    sampling = {"progress": False, "n_samples": 2000, "random_state": np.random.RandomState(1)}
    start = START * STEP * sc.Unit("ps")
    diffusion = DiffusionAnalyzer.from_ase(**options)
    diffusion.diffusion(start, **sampling)
    charge = ConductivityAnalyzer.from_ase(**options, ionic_charge=1 * sc.Unit("e"))
    charge.conductivity(start, TEMPERATURE * sc.Unit("K"), **sampling)
    sigma = sc.to_unit(charge.sigma, "S/m").values
    return {
        "msd": diffusion.msd.values[:LAGS].tolist(),
        "diffusion_cm2_per_s": [float(np.mean(diffusion.D.values)), float(np.std(diffusion.D.values))],
        "conductivity_S_per_m": [float(np.mean(sigma)), float(np.std(sigma))],
    }


def main():
    warnings.simplefilter("ignore")
    results = {"freud": by_freud(), "dynasor": by_dynasor(), "kinisi": by_kinisi()}
    programs = {"freud": "freud-analysis", "dynasor": "dynasor", "kinisi": "kinisi"}
    content = {name: {"version": version(programs[name]), "values": values} for name, values in results.items()}
    (HERE / "diffusion.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
