"""Kernels that potentials share in which eight central atoms are the SIMD lanes.

The neighbourhood of eight consecutive atoms (a block) is gathered so that slot k holds one neighbour of each.
Sums over neighbours have the form ``S[channel][b][c] = sum_k F[channel][k] p_k**b q_k**c`` with
``b + c <= limit[channel]``: a channel is any function of the pair, p and q are two variables of it.
All arrays are raw pointers to doubles (see `simd`); an element is a vector of eight lanes unless said otherwise.
The number of slots is always a multiple of four.
"""

from __future__ import annotations

from typing import Any

from .jit import device, kernel
from .neighbors.kernels_pairs import Listing
from .points import append_near, load_rows
from .simd import (
    W,
    fma,
    ldf,
    ldi,
    load,
    load_splat,
    off,
    ptr,
    splat,
    stf,
    store,
    transpose8,
)

ROW = 16  # doubles of an accumulator row: force (3), virial (9), padding
PAD = 1.0e3  # A, distance of the dummy neighbours that fill up slots
PAGE = 16  # accumulator rows that are zeroed and summed together


@device
def gather(listing: Listing, members: Any, n: int, inner: float, outer: float, slots: int, work: Any) -> int:
    """Transpose the neighbours with inner <= r < outer of eight atoms to slots.

    `members` (int32) are the atoms, n where a lane has none.  `work` receives, per slot, the vectors x, y, z and, as a
    double, the neighbour's number j; behind ``4 * slots`` elements it is used as scratch.  Slots that a lane does not
    need hold the dummy atom n at (PAD, 0, 0), beyond any cutoff.

    Returns
    -------
    The number of slots in use, a multiple of four.
    """
    positions, shifts, start, idx, code = listing
    rows = off(work, 4 * slots * W)  # of each lane, one (x, y, z, j) for each slot
    width = 4 * (slots + W)
    near, far = inner * inner, outer * outer
    most = 0
    for lane in range(W):
        i, count = ldi(members, lane), 0
        if i < n:
            own, row = off(positions, 4 * i), off(rows, lane * width)
            for k in range(ldi(start, i), ldi(start, i + 1), W):
                count = append_near(positions, shifts, idx, code, k, own, near, far, row, count)
        stf(work, lane, float(count))
        most = max(most, count)
    used = (most + 3) // 4 * 4
    _pad(rows, width, work, used, float(n))
    for k in range(used):
        slot, vectors = off(work, 4 * k * W), load_rows(off(rows, 4 * k), width)
        for axis in range(4):
            store(slot, axis * W, vectors[axis])
    return used


@device
def _pad(rows: Any, width: int, counts: Any, used: int, dummy: float) -> None:
    for lane in range(W):
        for k in range(int(ldf(counts, lane)), used):
            row = off(rows, lane * width + 4 * k)
            stf(row, 0, PAD)
            stf(row, 1, 0.0)
            stf(row, 2, 0.0)
            stf(row, 3, dummy)


@device
def channel_sums(F: Any, pq: Any, used: int, limits: Any, offsets: Any, channels: int, S: Any) -> None:
    """S[channel][b][c] = sum over slots of F p**b q**c.

    Parameters
    ----------
    F : pointer, [used / 4][channels + 3][4]
        Channels, sorted by descending limit.  The three extra ones are read but never used.
    pq : pointer, [used / 4][2][4]
        The two variables.
    limits, offsets : int32 pointers, [channels + 3]
        Highest power of each channel, -1 for the extra ones, and where its sums begin in S.
    S : pointer
        Rows b = 0 .. limit, in each c = 0 .. limit - b.  Zeroed here.
    """
    total = ldi(offsets, channels)
    for e in range(total):
        store(S, e * W, splat(0.0))
    for group in range(used // 4):
        variables = off(pq, group * 8 * W)
        for ch in range(0, channels, 4):
            sum_tile(off(F, (group * (channels + 3) + ch) * 4 * W), variables, off(limits, ch), off(offsets, ch), S)


@device
def sum_tile(F: Any, pq: Any, limits: Any, offsets: Any, S: Any) -> None:
    """Four channels of four slots; no power is ever stored."""
    a0, a1, a2, a3 = load(F, 0), load(F, W), load(F, 2 * W), load(F, 3 * W)
    b0, b1, b2, b3 = load(F, 4 * W), load(F, 5 * W), load(F, 6 * W), load(F, 7 * W)
    c0, c1, c2, c3 = load(F, 8 * W), load(F, 9 * W), load(F, 10 * W), load(F, 11 * W)
    d0, d1, d2, d3 = load(F, 12 * W), load(F, 13 * W), load(F, 14 * W), load(F, 15 * W)
    p0, p1, p2, p3 = load(pq, 0), load(pq, W), load(pq, 2 * W), load(pq, 3 * W)
    q0, q1, q2, q3 = load(pq, 4 * W), load(pq, 5 * W), load(pq, 6 * W), load(pq, 7 * W)
    la, lb, lc, ld = ldi(limits, 0), ldi(limits, 1), ldi(limits, 2), ldi(limits, 3)
    ea, eb, ec, ed = ldi(offsets, 0) * W, ldi(offsets, 1) * W, ldi(offsets, 2) * W, ldi(offsets, 3) * W
    h0 = h1 = h2 = h3 = splat(1.0)
    for b in range(la + 1):
        m0, m1, m2, m3 = h0, h1, h2, h3
        c = 0
        while c <= ld - b:
            store(S, ea, fma(a0, m0, fma(a1, m1, fma(a2, m2, fma(a3, m3, load(S, ea))))))
            store(S, eb, fma(b0, m0, fma(b1, m1, fma(b2, m2, fma(b3, m3, load(S, eb))))))
            store(S, ec, fma(c0, m0, fma(c1, m1, fma(c2, m2, fma(c3, m3, load(S, ec))))))
            store(S, ed, fma(d0, m0, fma(d1, m1, fma(d2, m2, fma(d3, m3, load(S, ed))))))
            m0, m1, m2, m3 = m0 * q0, m1 * q1, m2 * q2, m3 * q3
            ea, eb, ec, ed, c = ea + W, eb + W, ec + W, ed + W, c + 1
        while c <= lc - b:
            store(S, ea, fma(a0, m0, fma(a1, m1, fma(a2, m2, fma(a3, m3, load(S, ea))))))
            store(S, eb, fma(b0, m0, fma(b1, m1, fma(b2, m2, fma(b3, m3, load(S, eb))))))
            store(S, ec, fma(c0, m0, fma(c1, m1, fma(c2, m2, fma(c3, m3, load(S, ec))))))
            m0, m1, m2, m3 = m0 * q0, m1 * q1, m2 * q2, m3 * q3
            ea, eb, ec, c = ea + W, eb + W, ec + W, c + 1
        while c <= lb - b:
            store(S, ea, fma(a0, m0, fma(a1, m1, fma(a2, m2, fma(a3, m3, load(S, ea))))))
            store(S, eb, fma(b0, m0, fma(b1, m1, fma(b2, m2, fma(b3, m3, load(S, eb))))))
            m0, m1, m2, m3 = m0 * q0, m1 * q1, m2 * q2, m3 * q3
            ea, eb, c = ea + W, eb + W, c + 1
        while c <= la - b:
            store(S, ea, fma(a0, m0, fma(a1, m1, fma(a2, m2, fma(a3, m3, load(S, ea))))))
            m0, m1, m2, m3 = m0 * q0, m1 * q1, m2 * q2, m3 * q3
            ea, c = ea + W, c + 1
        h0, h1, h2, h3 = h0 * p0, h1 * p1, h2 * p2, h3 * p3


@device
def sparse_product(rows: int, begin: Any, columns: Any, values: Any, x: Any, y: Any) -> None:
    """y = A x for a constant sparse matrix A (CSR; `columns` counts elements of x) and lane vectors x, y."""
    for r in range(rows):
        even = odd = splat(0.0)
        k, end = ldi(begin, r), ldi(begin, r + 1)
        while k + 1 < end:
            even = fma(load_splat(values, k), load(x, ldi(columns, k) * W), even)
            odd = fma(load_splat(values, k + 1), load(x, ldi(columns, k + 1) * W), odd)
            k += 2
        if k < end:
            even = fma(load_splat(values, k), load(x, ldi(columns, k) * W), even)
        store(y, r * W, even + odd)


@device
def dense_tile(weights: Any, count: int, x: Any, out: Any) -> None:
    """Eight rows of a dense matrix times `count` lane vectors; `weights` is [count][8]."""
    s0 = s1 = s2 = s3 = splat(0.0)
    s4 = s5 = s6 = s7 = splat(0.0)
    for k in range(count):
        v, c = load(x, k * W), off(weights, k * W)
        s0, s1 = fma(load_splat(c, 0), v, s0), fma(load_splat(c, 1), v, s1)
        s2, s3 = fma(load_splat(c, 2), v, s2), fma(load_splat(c, 3), v, s3)
        s4, s5 = fma(load_splat(c, 4), v, s4), fma(load_splat(c, 5), v, s5)
        s6, s7 = fma(load_splat(c, 6), v, s6), fma(load_splat(c, 7), v, s7)
    store(out, 0, s0)
    store(out, W, s1)
    store(out, 2 * W, s2)
    store(out, 3 * W, s3)
    store(out, 4 * W, s4)
    store(out, 5 * W, s5)
    store(out, 6 * W, s6)
    store(out, 7 * W, s7)


@device
def scatter(slots: Any, P: Any, used: int, members: Any, n: int, rows: Any) -> None:
    """Add forces and neighbour-assigned virials of a block to accumulator rows.

    Parameters
    ----------
    slots : pointer, [used][4]
        x, y, z, j of each slot, as `gather` leaves them.
    P : pointer, [used][3]
        p_ij = dU_i/dr_j; F_i += p_ij, F_j -= p_ij, W_j[ab] -= r_ij,a p_ij,b.
    members : int32 pointer, [8]
        The atoms i, n where a lane has none.
    rows : pointer to doubles, [n + 1][16]
        Force and virial of each atom; row n takes what belongs to the dummy atom.
    """
    fx = fy = fz = splat(0.0)
    zero = splat(0.0)
    for k in range(used):
        x, y, z = load(slots, 4 * k * W), load(slots, (4 * k + 1) * W), load(slots, (4 * k + 2) * W)
        px, py, pz = load(P, 3 * k * W), load(P, (3 * k + 1) * W), load(P, (3 * k + 2) * W)
        fx, fy, fz = fx + px, fy + py, fz + pz
        head = transpose8(px, py, pz, x * px, x * py, x * pz, y * px, y * py)
        tail = transpose8(y * pz, z * px, z * py, z * pz, zero, zero, zero, zero)
        for lane in range(W):
            at = int(ldf(slots, (4 * k + 3) * W + lane)) * ROW
            store(rows, at, load(rows, at) - head[lane])
            store(rows, at + W, load(rows, at + W) - tail[lane])
    own = transpose8(fx, fy, fz, zero, zero, zero, zero, zero)
    for lane in range(W):
        if ldi(members, lane) < n:
            at = ldi(members, lane) * ROW
            store(rows, at, load(rows, at) + own[lane])


def chunk_size(n: int) -> int:
    """Doubles that the accumulators of a chunk take: rows, then one flag a page, up to the end of a cache line."""
    pages = n // PAGE + 1
    return pages * PAGE * ROW + (pages + W - 1) // W * W


_chunk_size = device(chunk_size)


@device
def page_flags(rows: Any, n: int) -> Any:
    """The flags behind the rows of a chunk: whether a page is in use."""
    return off(rows, (n // PAGE + 1) * PAGE * ROW)


@device
def clear_pages(idx: Any, begin: int, end: int, first: int, last: int, n: int, rows: Any) -> None:
    """Zero the pages of accumulator rows that atoms first .. last-1 and their neighbours need; mark them."""
    pages, touched = n // PAGE + 1, page_flags(rows, n)
    for page in range(pages):
        stf(touched, page, 0.0)
    for page in range(first // PAGE, (last - 1) // PAGE + 1):
        stf(touched, page, 1.0)
    stf(touched, n // PAGE, 1.0)
    for k in range(begin, end):
        stf(touched, ldi(idx, k) // PAGE, 1.0)
    for page in range(pages):
        if ldf(touched, page) != 0.0:
            for e in range(page * PAGE * ROW, (page + 1) * PAGE * ROW, W):
                store(rows, e, splat(0.0))


@device
def open_chunk(listing: Listing, head: Any, accumulators: Any, chunk: int) -> Any:
    """First and last block of a chunk, and its accumulator rows, cleared where the chunk will use them."""
    start, idx, n, chunks = listing.start, listing.idx, head.atoms, head.chunks
    blocks, rows = (head.centers + W - 1) // W, off(accumulators, chunk * _chunk_size(n))
    begin, end = blocks * chunk // chunks, blocks * (chunk + 1) // chunks
    first, stop = begin * W, min(head.centers, end * W)
    clear_pages(idx, ldi(start, first), ldi(start, stop), first, stop, n, rows)
    return begin, end, rows


@device
def sum_rows(rows: Any, chunks: int, n: int, forces: Any, virials: Any) -> None:
    """Sum the accumulators of all chunks, in order, into forces [n][3] and virials [n][9]."""
    size, flags = _chunk_size(n), page_flags(rows, n)
    for i in range(n):
        head = tail = splat(0.0)
        for c in range(chunks):
            if ldf(flags, c * size + i // PAGE) != 0.0:
                head = head + load(rows, c * size + i * ROW)
                tail = tail + load(rows, c * size + i * ROW + W)
        store(rows, i * ROW, head)
        store(rows, i * ROW + W, tail)
        for a in range(3):
            stf(forces, 3 * i + a, ldf(rows, i * ROW + a))
        for a in range(9):
            stf(virials, 9 * i + a, ldf(rows, i * ROW + 3 + a))


@kernel
def collect(accumulators: Any, chunks: int, n: int, forces: Any, virials: Any) -> None:
    """`sum_rows` once the chunks of all threads are done; a single chunk does it itself."""
    sum_rows(ptr(accumulators), chunks, n, ptr(forces), ptr(virials))
