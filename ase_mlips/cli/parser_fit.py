"""Arguments of ``ase-mlips fit``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from .arguments import Symbols, count, layers, not_negative, positive, seed
from .parser_parts import add_force, command


def add_fit(commands: Any) -> None:
    families = command(commands, "fit", "fit a potential to labelled structures", model=False).add_subparsers(
        title="families", metavar="FAMILY", required=True
    )
    for add in (_snap, _ace, _pod, _mtp, _nep):
        add(families)


def _snap(families: Any) -> None:
    parser = command(families, "snap", "fit a SNAP potential by least squares, or with --head a network", model=False)
    parser.set_defaults(module="fit")
    _data_and_output(parser, "OUT.snapcoeff", "model; errors go to a report beside it")
    parser.add_argument("--twojmax", type=seed, default=8, metavar="N", help="twice the largest angular momentum")
    parser.add_argument("--cutoff", type=positive, default=5.0, metavar="A", help="of a pair of the largest elements")
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="their order in the model (default: alphabetical)"
    )
    parser.add_argument("--radii", nargs="+", type=positive, metavar="R", help="of the elements (default: all equal)")
    parser.add_argument("--quadratic", action="store_true", help="quadratic SNAP")
    parser.add_argument("--chem", action="store_true", help="descriptors for each triplet of elements")
    parser.add_argument(
        "--zbl",
        nargs=2,
        type=positive,
        metavar=("INNER", "OUTER"),
        help="add ZBL, switched off here (A); needs -o OUT.snap",
    )
    _least_squares(parser)
    _head(parser)


def _ace(families: Any) -> None:
    parser = command(families, "ace", "fit a linear ACE by least squares, or with --head a network", model=False)
    parser.set_defaults(module="fit_ace")
    _data_and_output(parser, "OUT.yace", "or OUT.ace.npz; errors go to a report beside it")
    parser.add_argument("--nmax", nargs="+", type=count, default=(8, 3, 2, 1), metavar="N", help="of rank 1, 2, ..")
    parser.add_argument("--lmax", nargs="+", type=seed, default=(0, 4, 3, 2), metavar="L", help="of rank 1, 2, ..")
    parser.add_argument("--cutoff", type=positive, default=5.0, metavar="A", help="of all pairs")
    parser.add_argument("--scale", type=positive, default=3.0, metavar="X", help="lambda of the radial basis")
    parser.add_argument("--template", metavar="POT.yace", help="take functions and radial basis from this potential")
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="their order in the model (default: alphabetical)"
    )
    _least_squares(parser)
    _head(parser)


def _data_and_output(parser: ArgumentParser, metavar: str, what: str) -> None:
    """Labelled structures, and the name of the model."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="structures with energies, forces and, if known, stresses"
    )
    parser.add_argument("-o", "--output", required=True, metavar=metavar, help=what)
    add_force(parser)


def _least_squares(parser: ArgumentParser) -> None:
    """Weights, and what the model is tested on."""
    parser.add_argument("--energy-weight", type=not_negative, default=100.0, metavar="W", help="of 1 eV/atom")
    parser.add_argument("--force-weight", type=not_negative, default=1.0, metavar="W", help="of 1 eV/A")
    parser.add_argument("--stress-weight", type=not_negative, default=0.1, metavar="W", help="of 1 GPa")
    parser.add_argument(
        "--ridge", type=not_negative, default=0.0, metavar="X", help="regularisation, for example 1e-10"
    )
    parser.add_argument("--test", nargs="+", metavar="FILE", help="structures to test on")
    parser.add_argument(
        "--test-fraction", type=not_negative, default=0.1, metavar="X", help="without --test: held back"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of what is held back and of a network")


def _pod(families: Any) -> None:
    parser = command(
        families, "pod", "fit a POD potential, or POD + SNAP, by least squares, or with --head a network", model=False
    )
    parser.set_defaults(module="fit_pod")
    _data_and_output(parser, "OUT_coefficients.pod", "model; errors go to a report beside it")
    parser.add_argument("--rin", type=positive, default=1.0, metavar="A", help="inner radius")
    parser.add_argument("--cutoff", type=positive, default=5.0, metavar="A", help="outer radius")
    parser.add_argument(
        "--radial", nargs="+", type=seed, default=(8, 6, 4), metavar="N", help="functions of two to seven bodies"
    )
    parser.add_argument(
        "--angular", nargs="+", type=seed, default=(6, 3), metavar="P", help="highest powers of three to seven bodies"
    )
    parser.add_argument("--bessel", type=seed, default=4, metavar="N", help="Bessel functions of the snapshots")
    parser.add_argument("--inverse", type=seed, default=8, metavar="N", help="inverse powers of the snapshots")
    parser.add_argument(
        "--snap", type=seed, metavar="N", help="add SNAP of this twojmax and cutoff; needs -o OUT.overlay.npz"
    )
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="their order in the model (default: alphabetical)"
    )
    parser.add_argument("--quadratic", action="store_true", help="quadratic POD; needs -o OUT.pod.npz")
    _least_squares(parser)
    _head(parser)


def _head(parser: ArgumentParser) -> None:
    """Options of a network, None where they are not given."""
    group = parser.add_argument_group(
        "network", "train a network on the descriptors; Ctrl-C ends the training with the best one so far"
    )
    group.add_argument("--head", type=layers, metavar="32x32", help="nodes of its hidden layers")
    choices = ("linear", "sigmoid", "tanh", "relu", "softplus")
    group.add_argument("--activation", choices=choices, help="of these layers (tanh)")
    group.add_argument("--epochs", type=count, metavar="N", help="of Adam (500)")
    group.add_argument("--batch-size", type=count, metavar="N", help="frames per step of Adam (8)")
    group.add_argument("--learning-rate", type=positive, metavar="X", help="at the start (0.003)")
    group.add_argument("--lbfgs-steps", type=count, metavar="N", help="of L-BFGS after Adam (0)")
    group.add_argument("--patience", type=count, metavar="N", help="epochs without improvement that end it (all)")
    group.add_argument("--checkpoint", metavar="FILE.npz", help="keep the state here after every epoch; go on from it")


def _mtp(families: Any) -> None:
    parser = command(families, "mtp", "train an MTP; Ctrl-C ends the training with the best one so far", model=False)
    parser.set_defaults(module="fit_mtp")
    _data_and_output(parser, "OUT.almtp", "or OUT.mtp; errors go to a report beside it")
    parser.add_argument("--level", type=count, metavar="N", help="2 to 28 (16, or that of --start)")
    parser.add_argument("--start", metavar="POT.mtp", help="begin with this potential, trained or not")
    parser.add_argument("--cutoff", type=positive, metavar="A", help="without --start (5.0)")
    parser.add_argument("--radial-size", type=count, metavar="N", help="polynomials of a radial function (8)")
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="their order in the model (alphabetical)"
    )
    parser.add_argument("--energy-weight", type=not_negative, default=1.0, metavar="W", help="as in MLIP")
    parser.add_argument("--force-weight", type=not_negative, default=0.01, metavar="W", help="as in MLIP")
    parser.add_argument("--stress-weight", type=not_negative, default=0.001, metavar="W", help="as in MLIP")
    parser.add_argument(
        "--weight-scaling", type=int, choices=(0, 1, 2), default=1, help="power of 1/N of energies and stresses"
    )
    parser.add_argument(
        "--weight-scaling-forces", type=int, choices=(0, 1, 2), default=0, help="power of 1/N of forces"
    )
    parser.add_argument("--test", nargs="+", metavar="FILE", help="structures to test on")
    parser.add_argument(
        "--validation-fraction", type=not_negative, default=0.1, metavar="X", help="chooses the best iteration"
    )
    parser.add_argument("--iterations", type=seed, default=1000, metavar="N", help="at most")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the start and of what is held back")
    parser.add_argument("--starts", type=count, default=4, metavar="N", help="seeds, of which the best goes on")
    parser.add_argument(
        "--committee", type=count, metavar="N", help="one potential of each of N seeds, OUT.0.almtp and so on"
    )
    parser.add_argument("--threads", type=count, metavar="N", help="(all)")
    parser.add_argument(
        "--active-set", choices=("neighborhood", "configuration"), default="neighborhood", help="of an .almtp file"
    )
    parser.add_argument("--checkpoint", metavar="FILE.npz", help="keep the state here after every iteration; go on")


def _nep(families: Any) -> None:
    parser = command(families, "nep", "train a neuroevolution potential by gradients", model=False)
    parser.set_defaults(module="fit_nep")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="structures with energies, forces and, if known, virials or stresses"
        "; with dipole= or pol= for model_type 1 or 2"
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, metavar="nep.txt", help="model; errors go to a report beside it"
    )
    add_force(parser)
    parser.add_argument("--input", metavar="nep.in", help="hyperparameters (default: those of GPUMD)")
    parser.add_argument(
        "--start", metavar="nep.txt", help="potential to start from; energies are shifted to the labels"
    )
    parser.add_argument(
        "--elements", nargs="+", action=Symbols, metavar="X", help="without --input; with --start: those to keep"
    )
    parser.add_argument("--periodic", action="store_true", help="repeat every cell in all directions, as GPUMD does")
    parser.add_argument("--test", nargs="+", metavar="FILE", help="structures to test on")
    parser.add_argument(
        "--test-fraction", type=not_negative, default=0.0, metavar="X", help="without --test: held back"
    )
    parser.add_argument(
        "--validation", type=not_negative, default=0.1, metavar="X", help="share that chooses the epoch that is kept"
    )
    parser.add_argument("--epochs", type=count, default=100, metavar="N", help="of Adam")
    parser.add_argument("--batch-size", type=count, default=2, metavar="N", help="frames per step of Adam")
    parser.add_argument("--learning-rate", type=positive, metavar="X", help="at the start (0.01; with --start 0.002)")
    parser.add_argument("--lbfgs-steps", type=count, metavar="N", help="of L-BFGS after Adam (0)")
    parser.add_argument("--patience", type=count, metavar="N", help="epochs without improvement that end it (all)")
    parser.add_argument("--checkpoint", metavar="FILE.npz", help="keep the state here after every epoch; go on from it")
    parser.add_argument("--seed", type=seed, metavar="N", help="of the start and the order of frames (nep.in's or 0)")
    parser.add_argument(
        "--threads", type=count, metavar="N", help="that share the work (1); of no influence on results"
    )
    parser.add_argument(
        "--committee", type=count, metavar="N", help="models of N seeds from --seed on: nep.0.txt, nep.1.txt, .."
    )
    parser.add_argument("--gpumd", metavar="FOLDER", help="write loss.out, energy_train.out, force_train.out, .. there")
