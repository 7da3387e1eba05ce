"""Numbers with their errors, as people write them."""

import math

import numpy as np
import pytest
from ase_mlips.analysis.formatting import below, with_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.6012e-5, 0.09e-5, "1.60(9)e-5"),
        (0.2712, 0.0399, "0.27(4)"),
        (2.01e-5, 0.22e-5, "2.01(22)e-5"),
        (2.88e-5, 0.36e-5, "2.9(4)e-5"),
        (-8.2e-8, 0.8e-8, "-8.2(8)e-8"),
        (9.9996e-5, 4e-9, "9.9996(4)e-5"),
        (9.99996e-5, 4e-9, "1.00000(4)e-4"),
        (1.234, 0.0961, "1.23(10)"),
        (1.234, 0.0951, "1.23(10)"),
        (3e-7, 2.0e-6, "0.3(2.0)e-6"),
        (0.0, 2.0e-6, "0.0(2.0)e-6"),
        (0.0, 0.02, "0.000(20)"),
        (18.42, 2.13, "18.4(2.1)"),
        (184.2, 21.3, "184(21)"),
        (1842.0, 213.0, "1840(210)"),
        (1842.0, 0.4, "1842.0(4)"),
        (1.5e6, 2.0e5, "1.50(20)e6"),
        (0.0012, 0.0004, "0.0012(4)"),
        (0.00012, 0.00004, "1.2(4)e-4"),
        (0.0, 0.0, "0(0)"),
        (1.5e-7, 0.0, "1.5(0)e-7"),
        (1.23456, None, "1.235"),
        (1.23456e-7, math.nan, "1.235e-7"),
        (123456.0, math.inf, "123500"),
        (math.nan, 0.1, "-"),
        (math.inf, None, "-"),
        (np.float64(2.5), np.float64(0.5), "2.5(5)"),
    ],
)
def test_values_with_errors(value, error, text):
    assert with_error(value, error) == text


def test_what_is_written_is_what_was_meant():
    rng = np.random.default_rng(0)
    for value, error in rng.normal(size=(200, 2)) * 10.0 ** rng.uniform(-9.0, 9.0, (200, 2)):
        mantissa, _, rest = with_error(value, abs(error)).partition("(")
        digits, _, power = rest.partition(")")
        decimals = len(mantissa.partition(".")[2])
        unit = 1.0 if "." in digits else 0.1**decimals
        scale = 10.0 ** int(power[1:] or 0)
        assert float(digits) * unit * scale == pytest.approx(abs(error), rel=0.13)
        assert abs(float(mantissa) * scale - value) <= 0.14 * abs(error)
        assert "." not in digits or len(digits.partition(".")[2]) == decimals


def test_errors_are_not_negative():
    with pytest.raises(ValueError, match="not negative, got -1"):
        with_error(1.0, -1.0)


@pytest.mark.parametrize(
    ("limit", "text"),
    [(1.44e-6, "< 1.4e-6"), (0.0314, "< 0.031"), (109.6, "< 110"), (1.0e-6, "< 1e-6"), (math.nan, "-")],
)
def test_upper_limits(limit, text):
    assert below(limit) == text
