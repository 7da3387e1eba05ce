"""Train the potential that stands in for first principles in runs: ``python reference.py``; see README.md."""

from pathlib import Path

from ase_mlips.fit import NepSettings, NepTraining, fit_nep, read_frames

HERE = Path(__file__).parent
SETTINGS = NepSettings(("Cu", "P", "S"), cutoff=(7.0, 5.0), n_max=(8, 6), basis_size=(8, 8), neuron=40, l_max=4, seed=7)

training = NepTraining(epochs=100, lbfgs_steps=100, seed=7, checkpoint="reference.npz")
fit = fit_nep(SETTINGS, read_frames(HERE / "labels.extxyz.xz"), validation=0.05, training=training)
fit.save(HERE / "reference.nep.txt")
print(fit.report)
