"""Thermal conductivity by Mueller-Plathe's exchange of velocities: a known heat flux, a measured gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray

from ase_mlips.arrays import BoolArray, FloatArray

from ..blocking import BlockAverage
from ..results import new_axes
from ..tables import Tabulated
from .nonequilibrium import (
    WATTS,
    check_at_rest,
    check_atoms,
    check_cell,
    check_steps,
    check_timestep,
    fluctuation_error,
    jackknife,
)
from .series import in_watts

_METHOD = "the Mueller-Plathe method"
_FEWEST_SLABS = 12  # leaves three on each side for the fit


@dataclass(frozen=True, eq=False, repr=False)
class MullerPlatheResult(Tabulated):
    """Heat that was exchanged, the temperature profile that it keeps up, and the thermal conductivity.

    Errors of temperatures and gradients are standard errors over 8 to 15 blocks of time, NaN for a single block.  They
    are too small as long as a block is shorter than the memory of the profile, ``L^2 c / (4 pi^2 kappa)`` with c the
    heat capacity per volume; the error of the conductivity allows for that.

    Attributes
    ----------
    positions : (S,) array
        Centres of the slabs along the normal of the slabs, A; heat is taken from slab 0 and given to slab S/2.
    temperature, temperature_error : (S,) arrays
        Profile in K.  Velocities are not thermal in the two exchange slabs.
    fitted : (S,) array of bool
        Slabs that the straight lines go through: neither those of the exchange nor their neighbours.
    gradients, gradient_errors : (2,) arrays
        Magnitude of dT/dz in K/A before and behind slab S/2; they differ by noise only.
    heat : float
        Exchanged in the measured time, eV.
    time_fs : float
        Measured time, without the equilibration.
    length, area : float
        Of the cell along and across the flow, A and A^2.
    kappa, kappa_error : float
        Thermal conductivity of this length, W/(m K), see `extrapolate_length`; the larger of its standard error over
        blocks and of `expected_error`.
    """

    positions: FloatArray
    temperature: FloatArray
    temperature_error: FloatArray
    fitted: BoolArray
    gradients: FloatArray
    gradient_errors: FloatArray
    heat: float
    time_fs: float
    length: float
    area: float
    kappa: float
    kappa_error: float

    @property
    def expected_error(self) -> float:
        """Standard error that thermal fluctuations of the gradient make, W/(m K); see `fluctuation_error`.

        Averaged over a time, dT/dz in equilibrium is white noise along z, of which the fit sees a part of the length.
        """
        drive = float(self.gradients.mean() / self.temperature.mean())
        sums = np.cumsum(_slope_weights(self.positions, self.fitted).mean(axis=0))  # weights of dT/dz between slabs
        share = 1.0 / (self.length**2 * float((sums**2).mean()))
        return fluctuation_error(self.kappa, share * self.length * self.area * self.time_fs, drive)

    def __repr__(self) -> str:
        value = in_watts(self.kappa, self.kappa_error)
        return f"MullerPlatheResult({value}, length {self.length:.4g} Å, {1e-3 * self.time_fs:.4g} ps)"

    def facts(self) -> dict[str, str]:
        """The thermal conductivity with its error, the length of the cell and of the run."""
        value, time = in_watts(self.kappa, self.kappa_error), f"{1e-3 * self.time_fs:.4g} ps"
        return {"thermal conductivity": value, "length of the cell": f"{self.length:.4g} Å", "measured for": time}

    def columns(self) -> dict[str, FloatArray]:
        """The profile with its errors, and 1 where the lines are fitted."""
        return {
            "position (Å)": self.positions,
            "temperature (K)": self.temperature,
            "error of temperature (K)": self.temperature_error,
            "fitted": self.fitted.astype(np.float64),
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw the temperature profile and the two straight lines; returns the Axes."""
        ax = new_axes(ax)
        z, t = self.positions, self.temperature
        bars = ax.errorbar(z, t, self.temperature_error, fmt="o", mfc="none", capsize=2, label="slabs")
        ax.plot(z[self.fitted], t[self.fitted], "o", color=bars[0].get_color(), label="slabs of the fit")
        lines = (z <= self.length / 2, 1.0), (z > self.length / 2, -1.0)
        for (side, sign), gradient in zip(lines, self.gradients, strict=True):
            chosen = side & self.fitted
            ends = z[chosen][[0, -1]]
            ax.plot(ends, t[chosen].mean() + sign * gradient * (ends - z[chosen].mean()), color="C1")
        ax.set(xlabel="position (Å)", ylabel="temperature (K)")
        ax.set_title(rf"$\kappa$ = {in_watts(self.kappa, self.kappa_error)}")
        ax.legend(frameon=False)
        return ax


class MullerPlathe:
    r"""Exchanges velocities in a running simulation, and measures the temperature gradient that results.

    Every `interval` steps the hottest atom of slab 0 and the coldest one of the same mass in slab S/2 exchange their
    velocities, which keeps energy and momentum.  The heat flows back through the material on both sides, so that

    .. math:: \kappa = \frac{\sum m (v_\mathrm{hot}^2 - v_\mathrm{cold}^2) / 2}{2 t A \, |dT / dz|}

    (Mueller-Plathe, J. Chem. Phys. 106, 6082 (1997)).  The object attaches itself to the dynamics; its `result` can be
    had at any time, also after an interruption.

    Parameters
    ----------
    dynamics : VelocityVerlet
        At constant energy; the atoms must be at rest as a whole.
    axis : int
        Cell vector 0, 1 or 2 along which the heat flows; the slabs are parallel to the two others.
    slabs : int
        An even number of at least 12.  In a crystal a multiple of the number of its layers makes them equal.
    interval : int
        Steps between two exchanges.  Fewer make a larger gradient; the profile must stay straight between the slabs.
    equilibration : int
        Steps from now on, during which heat is exchanged and nothing is measured, until the profile is steady.
    sampling : int
        Steps between two measurements of the profile.

    Raises
    ------
    ValueError
        Other dynamics, a cell that is not periodic, constraints, no two atoms of equal mass, or numbers outside their
        range; during the run a cell or time step that changes or a centre of mass that moves.

    Examples
    --------
    >>> import numpy as np
    >>> from ase import units
    >>> from ase.build import bulk
    >>> from ase.md.velocitydistribution import Stationary, thermalize_momenta
    >>> from ase.md.verlet import VelocityVerlet
    >>> from ase_mlips import SNAP
    >>> from ase_mlips.analysis import MullerPlathe
    >>> atoms = bulk("Si", cubic=True) * (1, 1, 6)
    >>> atoms.calc = SNAP.embedded("Si")
    >>> thermalize_momenta(atoms, temperature_K=600, rng=np.random.default_rng(0))
    >>> Stationary(atoms)
    >>> dynamics = VelocityVerlet(atoms, units.fs)
    >>> exchange = MullerPlathe(dynamics, axis=2, slabs=12, interval=10, equilibration=100)
    >>> _ = dynamics.run(500)  # in earnest 100,000 and 1,000,000
    >>> _ = exchange.result().plot()
    """

    def __init__(
        self,
        dynamics: VelocityVerlet,
        axis: int = 2,
        *,
        slabs: int = 20,
        interval: int = 50,
        equilibration: int = 0,
        sampling: int = 10,
    ) -> None:
        if not isinstance(dynamics, VelocityVerlet):
            raise ValueError(f"{_METHOD} needs ASE's VelocityVerlet, got {type(dynamics).__name__}")
        atoms: Atoms = dynamics.atoms
        check_atoms(atoms, _METHOD)
        check_steps(interval=interval, equilibration=equilibration, sampling=sampling)
        if axis not in (0, 1, 2):
            raise ValueError(f"expected axis= 0, 1 or 2, got {axis!r}")
        if not isinstance(slabs, int | np.integer) or slabs < _FEWEST_SLABS or slabs % 2:
            raise ValueError(f"expected an even number of at least {_FEWEST_SLABS} slabs, got {slabs!r}")
        _, self._kinds, counts = np.unique(atoms.get_masses(), return_inverse=True, return_counts=True)
        if counts.max() < 2:
            raise ValueError(f"{_METHOD} exchanges velocities of atoms of equal mass, but no two atoms have that")
        self._dynamics, self._atoms, self._slabs = dynamics, atoms, slabs
        self._cell: FloatArray = atoms.cell.array.copy()
        self._normal: FloatArray = np.linalg.inv(self._cell)[:, axis]
        self._first = dynamics.nsteps + equilibration
        self._timestep = dynamics.dt
        self._sample_fs = float(sampling * dynamics.dt / units.fs)
        self._heat = 0.0
        self._average = BlockAverage()
        dynamics.attach(self.exchange, interval=interval)
        dynamics.attach(self._sample, interval=sampling)

    def exchange(self) -> float:
        """Exchange the velocities of a pair of atoms now; returns the kinetic energy moved in eV, 0 without a pair."""
        kinetic, slab = self._measure()
        moved, pair = 0.0, (0, 0)
        for kind in range(self._kinds.max() + 1):
            cold = np.flatnonzero((slab == 0) & (self._kinds == kind))
            hot = np.flatnonzero((slab == self._slabs // 2) & (self._kinds == kind))
            if len(cold) and len(hot):
                i, j = cold[kinetic[cold].argmax()], hot[kinetic[hot].argmin()]
                if kinetic[i] - kinetic[j] > moved:
                    moved, pair = float(kinetic[i] - kinetic[j]), (i, j)
        momenta = self._atoms.get_momenta()
        momenta[[*pair]] = momenta[[*pair[::-1]]]
        self._atoms.set_momenta(momenta)
        self._heat += moved
        return moved

    def __repr__(self) -> str:
        return f"MullerPlathe({self._atoms.get_chemical_formula()}, {self._slabs} slabs)"

    def result(self) -> MullerPlatheResult:
        """What has been measured up to now.

        Raises
        ------
        ValueError
            Nothing has been measured or exchanged yet, a slab is empty, or the gradient does not go with the exchange.
        """
        if self._average.frames == 0:
            raise ValueError(f"nothing is measured yet: the equilibration lasts until step {self._first}")
        volume, length = abs(np.linalg.det(self._cell)), 1.0 / float(np.linalg.norm(self._normal))
        fit = _Fit(self._slabs, length, volume / length, len(self._atoms))
        values = fit.values(self._average.mean, self._sample_fs)
        if not np.isfinite(values).all() or not values[0] > 0.0:
            raise ValueError(
                "the temperature profile has no gradient that goes with the exchange yet (or empty slabs): "
                "run longer, exchange more often or take fewer slabs"
            )
        errors = jackknife(self._average.blocks, lambda means: fit.values(means, self._sample_fs))
        frames = self._average.frames
        found = MullerPlatheResult(
            positions=fit.positions,
            temperature=values[3:],
            temperature_error=errors[3:],
            fitted=fit.fitted,
            gradients=values[1:3],
            gradient_errors=errors[1:3],
            heat=float(self._average.mean[-1]) * frames,
            time_fs=frames * self._sample_fs,
            length=length,
            area=volume / length,
            kappa=float(values[0]),
            kappa_error=float(errors[0]),
        )
        return replace(found, kappa_error=float(np.fmax(found.kappa_error, found.expected_error)))

    def _measure(self) -> tuple[FloatArray, NDArray[np.intp]]:
        """Kinetic energy (N,) in eV and slab (N,) of each atom."""
        check_cell(self._atoms, self._cell, _METHOD)
        momenta, masses = self._atoms.get_momenta(), self._atoms.get_masses()
        kinetic: FloatArray = 0.5 * np.einsum("ia,ia->i", momenta, momenta) / masses
        fraction = self._atoms.positions @ self._normal
        slab = ((fraction - np.floor(fraction)) * self._slabs).astype(np.intp)
        return kinetic, np.minimum(slab, self._slabs - 1)

    def _sample(self) -> None:
        check_timestep(self._dynamics, self._timestep)
        heat, self._heat = self._heat, 0.0
        if self._average.frames == 0:
            check_at_rest(self._atoms.get_velocities(), self._atoms.get_masses(), _METHOD)
        if self._dynamics.nsteps <= self._first:
            return
        kinetic, slab = self._measure()
        energies, counts = (np.bincount(slab, weights, self._slabs) for weights in (kinetic, None))
        self._average.add(np.concatenate([energies, counts, [heat]]))


def _slope_weights(positions: FloatArray, fitted: BoolArray) -> FloatArray:
    """Weights (2, S) of the temperatures in the two slopes of linear least squares, the second one downwards."""
    weights: FloatArray = np.zeros((2, len(positions)))
    half = len(positions) // 2
    for side, sign in ((0, 1.0), (1, -1.0)):
        chosen = fitted & (np.arange(len(positions)) // half == side)
        offsets = positions[chosen] - positions[chosen].mean()
        weights[side, chosen] = sign * offsets / (offsets @ offsets)
    return weights


class _Fit:
    """From mean kinetic energies and numbers of atoms in the slabs to temperatures, gradients and the conductivity."""

    def __init__(self, slabs: int, length: float, area: float, atoms: int) -> None:
        self.positions: FloatArray = np.multiply(np.arange(slabs) + 0.5, length / slabs)
        from_exchange = np.arange(slabs) % (slabs // 2)
        self.fitted: BoolArray = (from_exchange > 1) & (from_exchange < slabs // 2 - 1)
        self._weights = _slope_weights(self.positions, self.fitted)
        self._slabs, self._area = slabs, area
        self._per_kelvin = 1.5 * units.kB * (1.0 - 1.0 / atoms)  # the centre of mass is at rest

    def values(self, means: FloatArray, sample_fs: float) -> FloatArray:
        """Kappa, two gradients and the temperatures (..., 3 + S) of means (..., 2 S + 1) over samples."""
        with np.errstate(divide="ignore", invalid="ignore"):
            temperature = means[..., : self._slabs] / (self._per_kelvin * means[..., self._slabs : -1])
            gradients = temperature @ self._weights.T
            flux = means[..., -1:] / (2.0 * sample_fs * self._area)
            kappa = WATTS * flux / gradients.mean(axis=-1, keepdims=True)
        values: FloatArray = np.concatenate([kappa, gradients, temperature], axis=-1)
        return values


@dataclass(frozen=True, eq=False, repr=False)
class LengthExtrapolation(Tabulated):
    """Straight line ``1 / kappa(L) = 1 / kappa + slope / L`` through results of several lengths.

    Attributes
    ----------
    lengths : (R,) array
        A.
    conductivities, errors : (R,) arrays
        Of these lengths, W/(m K).
    slope, slope_error : float
        A m K/W.
    kappa, kappa_error : float
        Of infinite length, W/(m K).
    chi2 : float
        Sum of the squared deviations from the line in units of their errors; about R - 2 where the line fits.
    """

    lengths: FloatArray
    conductivities: FloatArray
    errors: FloatArray
    slope: float
    slope_error: float
    kappa: float
    kappa_error: float
    chi2: float

    def __repr__(self) -> str:
        lengths = f"from {len(self.lengths)} lengths, chi^2 = {self.chi2:.3g}"
        return f"LengthExtrapolation({in_watts(self.kappa, self.kappa_error)}, {lengths})"

    def facts(self) -> dict[str, str]:
        """The thermal conductivity of infinite length with its error, and how well the line fits."""
        return {
            "thermal conductivity": in_watts(self.kappa, self.kappa_error),
            "lengths": str(len(self.lengths)),
            "chi^2": f"{self.chi2:.3g}",
        }

    def columns(self) -> dict[str, FloatArray]:
        """The lengths and their conductivities with errors."""
        kappas = {"kappa (W/(m K))": self.conductivities, "error of kappa (W/(m K))": self.errors}
        return {"length (Å)": self.lengths, **kappas}

    def plot(self, ax: Any = None) -> Any:
        """Draw 1/kappa against 1/L and the line; returns the Axes."""
        ax = new_axes(ax)
        inverse = 1.0 / self.lengths
        ends = np.array([0.0, 1.05 * inverse.max()])
        ax.errorbar(inverse, 1.0 / self.conductivities, self.errors / self.conductivities**2, fmt="o", capsize=2)
        ax.plot(ends, 1.0 / self.kappa + self.slope * ends, color="C1")
        ax.set(xlabel="1 / length (1/Å)", ylabel=r"1 / $\kappa$ (m K/W)", xlim=(0.0, None))
        ax.set_title(rf"$\kappa_\infty$ = {in_watts(self.kappa, self.kappa_error)}")
        return ax


def extrapolate_length(results: Sequence[MullerPlatheResult]) -> LengthExtrapolation:
    """Thermal conductivity of infinite length (Schelling, Phillpot and Keblinski, Phys. Rev. B 65, 144306 (2002)).

    Phonons are scattered at the exchange slabs, which are half a length of the cell apart; their mean free paths, and
    with them the inverse conductivities, add up.  The line is fitted with the errors as weights.

    Parameters
    ----------
    results : sequence of MullerPlatheResult
        Of at least two lengths, the shorter ones not much shorter than the mean free path.

    Raises
    ------
    ValueError
        Fewer than two lengths, a result without an error, or a line that does not cross 1/L = 0 at a positive value.
    """
    found = [(result.length, result.kappa, result.kappa_error) for result in results]
    lengths, kappas, errors = (np.array(column) for column in zip(*found, strict=True)) if found else [np.empty(0)] * 3
    if len(np.unique(lengths)) < 2:
        raise ValueError("an extrapolation needs results of at least two lengths")
    if not (errors > 0.0).all():
        raise ValueError("an extrapolation needs results with errors: run longer")
    weights = kappas**2 / errors  # inverse errors of 1 / kappa
    design = np.stack([np.ones_like(lengths), 1.0 / lengths], axis=1) * weights[:, None]
    covariance = np.linalg.inv(design.T @ design)
    inverse, slope = covariance @ design.T @ (weights / kappas)
    if not inverse > 0.0:
        raise ValueError(
            f"1/kappa extrapolates to {inverse:.3g} m K/W, which is not positive: take longer cells or runs"
        )
    deviations = weights / kappas - design @ [inverse, slope]
    return LengthExtrapolation(
        lengths,
        kappas,
        errors,
        slope=float(slope),
        slope_error=float(np.sqrt(covariance[1, 1])),
        kappa=float(1.0 / inverse),
        kappa_error=float(np.sqrt(covariance[0, 0]) / inverse**2),
        chi2=float(deviations @ deviations),
    )
