"""What a step of a training does beside `kernels` and `kernels_training`, without a call for each small array."""

from __future__ import annotations

from typing import Any

from ..engine.jit import device, kernel
from ..engine.simd import ldi, off, ptr, sti


@kernel
def frame_sums(begin: Any, atomic: Any, virials: Any, energies: Any, strains: Any) -> None:
    """Sum atomic energies (n,) and virials (n, 3, 3) to the energies and strain derivatives of frames.

    `begin` (F + 1,) says where the atoms of each frame begin.
    """
    for frame in range(len(energies)):
        energy = 0.0
        strains[frame] = 0.0
        for i in range(begin[frame], begin[frame + 1]):
            energy += atomic[i]
            for a in range(3):
                for b in range(3):
                    strains[frame, a, b] -= 0.5 * (virials[i, a, b] + virials[i, b, a])
        energies[frame] = energy


@kernel
def fill_moves(begin: Any, by_energy: Any, by_forces: Any, moves: Any) -> None:
    """Rows of `moves` (n + 2, 4): u and the factor of the energy of each atom, then zeros."""
    for frame in range(len(by_energy)):
        for i in range(begin[frame], begin[frame + 1]):
            for axis in range(3):
                moves[i, axis] = by_forces[i, axis]
            moves[i, 3] = by_energy[frame]
    moves[len(by_forces) :] = 0.0


@device
def _polynomials(vector: Any, coefficients: Any, doubles: Any) -> None:
    """Coefficients of T_k of functions and of their derivatives from those of the f_k."""
    first, at, (functions, count, pairs), matrices = coefficients
    for matrix in matrices:
        for n in range(functions):
            for k in range(count):
                for pair in range(pairs):
                    total = 0.0
                    for other in range(count):
                        total += matrix[k, other] * vector[first + (n * count + other) * pairs + pair]
                    doubles[at] = total
                    at += 1


@kernel
def fill_tables(vector: Any, coefficients: Any, doubles: Any, biases: Any, tables: Any) -> None:
    """Write all tables that depend on parameters.

    Parameters
    ----------
    vector : (P,) array
    coefficients : two tuples
        Of the radial and the angular functions: their first parameter; where in `doubles` their polynomials begin;
        functions, polynomials, pairs of types; two matrices.
    doubles : array
        Overwritten: the parameters, 0, and the coefficients of the polynomials and of their derivatives.
    biases : tuple
        Place of the common bias; of the first network's own one, or -1; parameters of a network; where in the first
        table the first network has its bias; doubles of a network there; networks.
    tables : two tuples
        Places in `doubles`, and in a table, and this table.
    """
    size = len(vector)
    for p in range(size):
        doubles[p] = vector[p]
    doubles[size] = 0.0
    _polynomials(vector, coefficients[0], doubles)
    _polynomials(vector, coefficients[1], doubles)
    for sources, targets, table in tables:
        for e in range(len(sources)):
            table[targets[e]] = doubles[sources[e]]
    common, own, block, at, step, nets = biases
    for net in range(nets):
        bias = vector[common]
        if own >= 0:
            bias += vector[own + net * block]
        tables[0][2][at + net * step] = bias


@device
def _coefficients(raw: Any, place: int, coefficients: Any, out: Any) -> None:
    """Derivatives by the coefficients of the f_k from those by the coefficients of T_k, [pair][n][k]."""
    first, _, (functions, count, pairs), matrices = coefficients
    for pair in range(pairs):
        for n in range(functions):
            row = place + (pair * functions + n) * count
            for k in range(count):
                total = 0.0
                for other in range(count):
                    total += raw[row + other] * matrices[0][other, k]
                out[first + (n * count + k) * pairs + pair] = total


@kernel
def collect(parts: Any, places: Any, coefficients: Any, biases: Any, raw: Any, out: Any) -> None:
    """Derivatives (P,) from the rows of `accumulate`, summed in their order.

    Parameters
    ----------
    parts : (chunks, G) array
    places : tuple
        Of `layout_training.Gradient` but for the size.
    coefficients, biases : tuples
        See `fill_tables`.
    raw : (G,) array
        Scratch.
    out : (P,) array
        Overwritten.
    """
    raw[:] = 0.0
    for chunk in range(len(parts)):
        for e in range(len(raw)):
            raw[e] += parts[chunk, e]
    networks, weights, radial, angular = places
    common, own, block, _, _, nets = biases
    plain = block - 1 if own >= 0 else block
    for net in range(nets):
        for e in range(plain):
            out[net * block + e] = raw[networks + net * plain + e]
    out[common] = 0.0
    for kind in range(radial - weights):
        out[common] -= raw[weights + kind]
        if own >= 0:
            out[own + kind * block] = -raw[weights + kind]
    _coefficients(raw, radial, coefficients[0], out)
    _coefficients(raw, angular, coefficients[1], out)


@kernel
def append_frame(
    sizes: Any, points: Any, numbers: Any, frame: int, at: Any, positions: Any, shifts: Any, start: Any, idx: Any,
    code: Any, starts: Any, idx_by_type: Any, code_by_type: Any, members: Any
) -> None:  # fmt: skip
    """Put one frame, see `neighborhoods.Neighborhood`, behind others in the arrays of `neighborhoods.JoinedFrames`.

    `at` has the atoms and images of the frames before, and where the entries of each list go on; it moves on by this
    frame.
    """
    atoms, images, nobody = sizes[0], sizes[1], len(positions) - 1
    first, image, source = at[0], at[1], atoms
    for i in range(atoms):
        members[0, first + i], members[1, first + i] = numbers[i], frame
        for axis in range(4):
            positions[first + i, axis] = points[i, axis]
    for k in range(images):
        for axis in range(4):
            shifts[image + k, axis] = points[atoms + k, axis]
    for part in range(len(sizes) - 2):
        begin, count = at[2 + part], sizes[2 + part]
        rows = off(ptr(start) if part == 0 else off(ptr(starts), (part - 1) * starts.shape[1]), first)
        others = off(ptr(idx) if part == 0 else ptr(idx_by_type), begin)
        turns = off(ptr(code) if part == 0 else ptr(code_by_type), begin)
        own = off(ptr(numbers), source + atoms)
        for i in range(atoms):
            sti(rows, i, begin + numbers[source + i])
        for e in range(count):
            sti(others, e, min(ldi(own, e) + first, nobody))
        for e in range(count):
            sti(turns, e, ldi(own, count + e) + image)
        source += atoms + 2 * count
        at[2 + part] += count
    at[0] += atoms
    at[1] += images
