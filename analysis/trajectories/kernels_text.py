"""Numbers from the bytes of text files.

Rows are parsed from memory that ends with a newline, so that no loop over the characters of a row needs to look for
the end of the data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ase_mlips.engine.jit import device, kernel

SKIP = -1  # in `columns`; else 2 * slot for a number, 2 * slot + 1 for a word
WORD = 6  # longest word in bytes: 48 bits, exact as a double

_TAB, _RETURN = 9, 13
_NEWLINE, _BLANK, _PLUS, _MINUS, _POINT, _ZERO, _E, _LOWER = 10, 32, 43, 45, 46, 48, 101, 32
_DIGITS = 18  # of which any number fits in an int64
_EXACT = 2**53  # integers below it are doubles
_TENS = np.array([10.0**k for k in range(23)])  # exactly

_FIRST, _LAST = -280, 280  # decimal exponents for which 18 digits stay normal doubles


def _power_of_five(q: int) -> tuple[int, int]:
    """``5**q = mantissa * 2**exponent``, the mantissa cut to 128 bits."""
    if q >= 0:
        exponent = (5**q).bit_length() - 128
        return (5**q >> exponent if exponent > 0 else 5**q << -exponent), exponent
    exponent = -127 - (5**-q).bit_length()
    return (1 << -exponent) // 5**-q, exponent


_POWERS = [_power_of_five(q) for q in range(_FIRST, _LAST + 1)]
_FIVES = np.array([divmod(mantissa, 2**64) for mantissa, _ in _POWERS], dtype=np.uint64)
_EXPONENTS = np.array([exponent for _, exponent in _POWERS], dtype=np.int64)


@device
def _product(x: Any, y: Any) -> tuple[Any, Any]:
    """High and low half of the product of two uint64."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    low = (x & mask) * (y & mask)
    cross = (x >> half) * (y & mask) + (low >> half)
    other = (x & mask) * (y >> half) + (cross & mask)
    return (x >> half) * (y >> half) + (cross >> half) + (other >> half), (other << half) | (low & mask)


@device
def _rounded(mantissa: Any, q: int) -> tuple[bool, float]:
    """``mantissa * 10**q`` correctly rounded, or False where 128 bits of ``5**q`` do not decide.

    Lemire, Softw. Pract. Exper. 51, 1700 (2021), algorithm 1.
    """
    if q < _FIRST or q > _LAST:
        return False, 0.0
    w, shift = np.uint64(mantissa), 0
    while w >> np.uint64(63) == np.uint64(0):
        w <<= np.uint64(1)
        shift += 1
    high, low = _product(w, _FIVES[q - _FIRST, 0])
    if high & np.uint64(0x1FF) == np.uint64(0x1FF):  # what was cut from 5**q might carry into the bits that count
        carry, _ = _product(w, _FIVES[q - _FIRST, 1])
        if carry > ~low:
            high += np.uint64(1)
            low = carry - ~low - np.uint64(1)
        else:
            low += carry
        if high & np.uint64(0x1FF) == np.uint64(0x1FF) and low == ~np.uint64(0):
            return False, 0.0
    top = high >> np.uint64(63)
    bits = high >> (top + np.uint64(9))
    if low == np.uint64(0) and high & np.uint64(0x1FF) == np.uint64(0) and bits & np.uint64(3) == np.uint64(1):
        return False, 0.0  # half-way between two doubles, perhaps
    bits = (bits + (bits & np.uint64(1))) >> np.uint64(1)
    return True, math.ldexp(float(np.int64(bits)), int(_EXPONENTS[q - _FIRST] + q - shift + np.int64(top) + 138))


@device
def _number(data: Any, i: Any) -> tuple[Any, float]:
    """Number that begins at i: where it ends and its value, or -1 where it is none of at most 18 digits."""
    c = np.int64(data[i])
    negative = c == _MINUS
    if negative or c == _PLUS:
        i += 1
    begin = i
    limit = begin + _DIGITS
    mantissa = np.int64(0)
    digit = np.int64(data[i]) - _ZERO
    while 0 <= digit <= 9 and i < limit:
        mantissa = 10 * mantissa + digit
        i += 1
        digit = np.int64(data[i]) - _ZERO
    digits: Any = i - begin
    q: Any = 0
    if digit == _POINT - _ZERO:
        i += 1
        begin = i
        limit = begin + _DIGITS - (digits if mantissa > 0 else 0)
        digit = np.int64(data[i]) - _ZERO
        while 0 <= digit <= 9 and i < limit:
            mantissa = 10 * mantissa + digit
            i += 1
            digit = np.int64(data[i]) - _ZERO
        q = begin - i
        digits -= q
    if digits == 0:
        return -1, 0.0
    if (digit + _ZERO) | _LOWER == _E:
        i, power = _exponent(data, i + 1)
        if i < 0:
            return -1, 0.0
        q += power
    if data[i] > _BLANK:
        return -1, 0.0
    value = float(mantissa)
    if q != 0 and mantissa != 0:
        if mantissa < _EXACT and -22 <= q <= 22:  # one operation of exact numbers: correctly rounded
            value = value / _TENS[-q] if q < 0 else value * _TENS[q]
        else:
            known, value = _rounded(mantissa, q)
            if not known:
                return -1, 0.0
    return i, -value if negative else value


@device
def _exponent(data: Any, i: Any) -> tuple[Any, Any]:
    """Decimal exponent that begins at i: where it ends and its value, or -1 where it is none of at most 4 digits."""
    c = np.int64(data[i])
    negative = c == _MINUS
    if negative or c == _PLUS:
        i += 1
    begin = i
    power: Any = 0
    digit = np.int64(data[i]) - _ZERO
    while 0 <= digit <= 9 and i - begin < 5:
        power = 10 * power + digit
        i += 1
        digit = np.int64(data[i]) - _ZERO
    if i == begin or i - begin > 4:
        return -1, 0
    return i, -power if negative else power


@device
def _word(data: Any, i: int) -> tuple[int, float]:
    """Word that begins at i: where it ends and its bytes as one integer, or -1 where it has more than 6."""
    packed = np.int64(0)
    begin = i
    while data[i] > _BLANK and i - begin <= WORD:
        packed = 256 * packed + np.int64(data[i])
        i += 1
    if i == begin or i - begin > WORD:
        return -1, 0.0
    return i, float(packed)


@kernel
def parse_rows(data: Any, position: int, end: int, columns: Any, out: Any, first: int) -> tuple[int, int]:
    """Parse rows of text into a table.

    Parameters
    ----------
    data : (L,) uint8 array
    position : int
        Where row `first` begins.
    end : int
        Where the data end, just after a newline.
    columns : (C,) int64 array
        What to do with each word of a row: `SKIP`, ``2 * slot`` (number) or ``2 * slot + 1`` (word).  A row has as
        many words, between blanks or tabs, and ends with a newline or a carriage return and a newline.
    out : (rows, slots) float64 array
        Numbers, correctly rounded, and words of at most 6 bytes as big-endian integers.
    first : int
        The row to begin with.

    Returns
    -------
    row, position : int
        The number of rows and the end of the last one; or the first row that does not fit and where it begins.
    """
    i = position
    for row in range(first, out.shape[0]):
        begin = i
        if i >= end:
            return row, begin
        for k in range(columns.shape[0]):
            while data[i] == _BLANK or data[i] == _TAB:
                i += 1
            if data[i] < _BLANK:
                return row, begin
            column = columns[k]
            if column < 0:
                while data[i] > _BLANK:
                    i += 1
                continue
            i, value = _word(data, i) if column & 1 else _number(data, i)
            if i < 0:
                return row, begin
            out[row, column >> 1] = value
        while data[i] == _BLANK or data[i] == _TAB:
            i += 1
        if data[i] == _RETURN:
            i += 1
        if data[i] != _NEWLINE:
            return row, begin
        i += 1
    return out.shape[0], i


@kernel
def skip_rows(data: Any, position: int, end: int, rows: int) -> int:
    """Position after so many rows, or -1 where the data end before."""
    i = position
    for _ in range(rows):
        while i < end and data[i] != _NEWLINE:
            i += 1
        if i >= end:
            return -1
        i += 1
    return i
