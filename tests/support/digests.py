"""SHA-256 of all that the families give for synthetic and reference models; see `tests/reference/digests`."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import llvmlite
import llvmlite.binding
import numpy as np
from ase.data import chemical_symbols

from ase_mlips.ace import AcePotential, read_ace
from ase_mlips.mtp.files import read_mtp
from ase_mlips.mtp.potential import MtpPotential
from ase_mlips.nep.files import read_nep
from ase_mlips.nep.potential import NepPotential
from ase_mlips.pod.files import read_pod
from ase_mlips.pod.potential import PodPotential
from ase_mlips.potential import Potential
from ase_mlips.snap.files import read_snap
from ase_mlips.snap.potential import SnapPotential

from .ace_models import synthetic_ace_models
from .evaluations import Configuration, evaluated, scattered
from .mtp_models import synthetic_mtp_models
from .nep_models import synthetic_nep_models
from .pod_models import synthetic_pod_models
from .snap_models import network_models, synthetic_models

STORED = Path(__file__).parents[1] / "reference" / "digests" / "digests.json"
LARGEST = 64  # atoms of a reference case


def machine() -> str:
    """What the last bits depend on."""
    return f"{llvmlite.binding.get_host_cpu_name()}, llvmlite {'.'.join(llvmlite.__version__.split('.')[:2])}"


def digest(potential: Potential, configuration: Configuration) -> str:
    """Of energies, forces and virials."""
    found = hashlib.sha256()
    for values in evaluated(potential, configuration):
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()[:32]


def synthetic() -> Iterator[tuple[str, str]]:
    """Names and digests of models that the repository makes."""
    snap = {name: model for name, model in {**synthetic_models(), **network_models()}.items() if model.twojmax <= 6}
    families = {
        "ace": (AcePotential, synthetic_ace_models()),
        "mtp": (MtpPotential, synthetic_mtp_models()),
        "nep": (NepPotential, synthetic_nep_models()),
        "pod": (PodPotential, synthetic_pod_models()),
        "snap": (SnapPotential, snap),
    }
    for family, (potential_of, models) in families.items():
        for name, model in models.items():
            potential = potential_of(model)
            crystal = scattered(len(potential.elements), count=19, edge=7.0, pbc=(True,) * 3, seed=7)
            yield f"{family}/{name}", digest(potential, crystal)


def reference(shared: Path) -> Iterator[tuple[str, str]]:
    """Names and digests of the models and structures that other codes have evaluated."""
    readers = {
        "ace": lambda path, entry: AcePotential(read_ace(path)),
        "mtp": lambda path, entry: MtpPotential(read_mtp(path, species=entry["species"])),
        "nep": lambda path, entry: NepPotential(read_nep(path)),
        "pod": lambda path, entry: PodPotential(read_pod(path)),
        "snap": lambda path, entry: SnapPotential(read_snap(path)),
    }
    for family, read in readers.items():
        folder = shared / "reference" / family
        for entry in json.loads((folder / "index.json").read_text()):
            made = case(folder, entry, partial(read, entry=entry))
            if made is not None:
                yield f"{family}/reference/{entry['name']}", digest(*made)


def case(folder: Path, entry: dict, read) -> tuple[Potential, Configuration] | None:
    """The potential and the structure of a case; None where it is another family's, names no species or is large."""
    numbers = folder / f"{entry['name']}.npz"
    model = folder / "models" / str(entry.get("model"))
    other = entry.get("kind", "snap") not in ("snap", "qsnap", folder.name) or entry.get("species", ()) is None
    if other or not (numbers.exists() and model.is_file()):
        return None
    data = np.load(numbers)
    if "numbers" not in data or len(data["numbers"]) > LARGEST:
        return None
    potential = read(model)
    symbols = [chemical_symbols[z] for z in data["numbers"]]
    if not set(symbols) <= set(potential.elements):
        return None
    species = np.array([potential.elements.index(symbol) for symbol in symbols], np.int32)
    return potential, Configuration(species, data["positions"], data["cell"], data["pbc"].astype(bool))
