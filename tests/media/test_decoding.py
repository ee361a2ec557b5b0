"""Frame rates of decoded streams."""

from __future__ import annotations

from fractions import Fraction

from wangp_cli.media.decoding import snap_rate


def test_rates_of_millisecond_time_stamps_snap_to_standard_rates() -> None:
    assert snap_rate(Fraction(19001, 317)) == Fraction(60000, 1001)
    assert snap_rate(Fraction(2997003, 125000)) == Fraction(24000, 1001)
    assert snap_rate(Fraction(160001, 10000)) == Fraction(160001, 10000)
    assert snap_rate(Fraction(1600001, 100000)) == 16
    assert snap_rate(Fraction(25, 2)) == Fraction(25, 2)
