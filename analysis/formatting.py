"""How numbers with errors are written: one way for reprs, tables and figures."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

_DIGITS = 4  # of a value without an error
_LOWEST, _HIGHEST = -3, 5  # powers of ten that are written out


def with_error(value: float, error: float | None) -> str:
    """Value with its standard error in parentheses, in units of the last digits: ``1.60(9)e-5``.

    The error keeps two digits where they are 10 to 35 and else one, the rule of the Particle Data Group; the value ends
    at the same digit.  An error of one and more is written out, ``18.4(2.1)``; without decimals both end at the same
    power of ten, ``1840(210)``.

    Parameters
    ----------
    value : float
        Becomes ``-`` where it is NaN or infinite.
    error : float or None
        The value stands alone, with four digits, where its error is None, NaN or infinite.

    Raises
    ------
    ValueError
        When the error is negative.
    """
    if not isfinite(value):
        return "-"
    if error is None or not isfinite(error):
        return _alone(value)
    if error < 0.0:
        raise ValueError(f"expected an error that is not negative, got {error}")
    if error == 0.0:
        mantissa, e, tail = _alone(value).partition("e")
        return f"{mantissa}(0){e}{tail}"
    last = _last_digit(Decimal(repr(float(error))))
    shown, spread = (_rounded(Decimal(repr(float(number))), last) for number in (value, error))
    power = max(_power(shown), _power(spread))
    if _LOWEST <= power <= _HIGHEST:
        return _written(shown, spread, last)
    return f"{_written(shown.scaleb(-power), spread.scaleb(-power), last - power)}e{power}"


def below(limit: float) -> str:
    """An upper limit with two digits, ``< 1.4e-6``; ``-`` where it is NaN or infinite."""
    return f"< {_alone(limit, 2)}" if isfinite(limit) else "-"


def _alone(value: float, digits: int = _DIGITS) -> str:
    """Value without an error, in the same notation."""
    number = Decimal(repr(float(value)))
    number = _rounded(number, _power(number) - digits + 1)
    power = _power(number)
    if number == 0 or _LOWEST <= power <= _HIGHEST:
        return f"{number.normalize():f}"
    return f"{number.scaleb(-power).normalize():f}e{power}"


def _written(value: Decimal, error: Decimal, last: int) -> str:
    """Both without a power of ten; `last` is that of the last digit that counts, and ones are always shown."""
    shown = Decimal(1).scaleb(min(last, 0))
    value, error = value.quantize(shown), error.quantize(shown)
    return f"{value:f}({error:f})" if error >= 1 else f"{value:f}({int(error.scaleb(-last))})"


def _last_digit(error: Decimal) -> int:
    """Power of ten of the last digit of an error that is shown."""
    leading = error.scaleb(2 - error.adjusted())  # 100 to 999.9...
    return error.adjusted() - (leading < 355)


def _rounded(number: Decimal, last: int) -> Decimal:
    """Number rounded to a power of ten."""
    return number.quantize(Decimal(1).scaleb(last))


def _power(number: Decimal) -> int:
    """Power of ten of the first digit; a zero has none that matters."""
    return number.adjusted() if number else -10_000
