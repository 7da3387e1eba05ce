"""Writes rdf.json: a small trajectory in a triclinic cell and what freud and mdtraj make of it."""

import json
from pathlib import Path

import freud
import mdtraj
import numpy as np

CELL = np.array([[11.0, 0.0, 0.0], [2.5, 12.0, 0.0], [-1.5, 2.0, 13.0]])
SILICON, OXYGEN, FRAMES, R_MAX, BINS = 20, 40, 4, 5.0, 40


def with_freud(positions: np.ndarray) -> dict[str, list[float]]:
    box = freud.box.Box.from_matrix(CELL.T)
    functions = {name: freud.density.RDF(BINS, R_MAX) for name in ("total", "Si-Si", "O-Si", "O-O")}
    for frame in positions:
        points = box.wrap(frame)
        silicon, oxygen = points[:SILICON], points[SILICON:]
        functions["total"].compute((box, points), reset=False)
        functions["Si-Si"].compute((box, silicon), reset=False)
        functions["O-O"].compute((box, oxygen), reset=False)
        functions["O-Si"].compute((box, silicon), query_points=oxygen, reset=False)
    return {name: function.rdf.tolist() for name, function in functions.items()}


def with_mdtraj(positions: np.ndarray) -> list[float]:
    topology = mdtraj.Topology()
    residue = topology.add_residue("X", topology.add_chain())
    for element in [mdtraj.element.silicon] * SILICON + [mdtraj.element.oxygen] * OXYGEN:
        topology.add_atom(element.symbol, element, residue)
    trajectory = mdtraj.Trajectory(positions / 10.0, topology)
    trajectory.unitcell_vectors = np.tile(CELL / 10.0, (FRAMES, 1, 1))
    pairs = np.stack(np.triu_indices(SILICON + OXYGEN, 1), axis=1)
    g: np.ndarray = mdtraj.compute_rdf(trajectory, pairs, r_range=(0.0, R_MAX / 10.0), n_bins=BINS)[1]
    return g.tolist()


def main() -> None:
    rng = np.random.default_rng(7)
    positions = np.round(rng.uniform(0.0, 1.0, (FRAMES, SILICON + OXYGEN, 3)) @ CELL, 3)
    content = {
        "cell": CELL.tolist(),
        "symbols": ["Si"] * SILICON + ["O"] * OXYGEN,
        "positions": positions.tolist(),
        "r_max": R_MAX,
        "bins": BINS,
        "freud": with_freud(positions),
        "mdtraj": with_mdtraj(positions),
    }
    Path(__file__).with_name("rdf.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
