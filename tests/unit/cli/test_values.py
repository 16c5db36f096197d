from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from refclock.cli import main
from refclock.cli.values import address, duration_s, number, port, whole


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("demo --port 99999", "argument --port: 99999 is not in 1 to 65535"),
        ("demo --port 0", "0 is not in 1 to 65535"),
        ("demo --bind localhost", "'localhost' is not an address"),
        ("demo --bind 127.0.0.256", "'127.0.0.256' is not an address"),
        ("demo --duration nan", "nan is not in 0.001 to 1e+09"),
        ("demo --duration -1", "-1 is not in 0.001"),
        ("demo --seed x", "invalid int value: 'x'"),
        ("query host --port 88539", "88539 is not in 1 to 65535"),
        ("query host --port=-1", "-1 is not in 1 to 65535"),
        ("query host --interval=-1", "-1 is not in 0 to 86400"),
        ("query host --interval inf", "inf is not in 0 to 86400"),
        ("query host --count 0", "0 is not in 1 to 10000"),
        ("query host --count 1e3", "'1e3' is not a whole number"),
        ("capture x --duration 0", "0 is not in 0.001"),
        ("simulate --scenario nominal --hours nan", "nan is not in 0.001 to 100000"),
        ("simulate --scenario nominal --hours 0", "0 is not in 0.001"),
        ("simulate --scenario nominal --score-from -5", "-5 is not in 0"),
        ("simulate --scenario nominal --holdover-at x", "'x' is not a number"),
        ("wait --timeout 0", "0 is not in 0.001"),
        ("wait --within 0", "0 is not in 1e-09"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_what_is_in_range_is_taken() -> None:
    assert port("123") == 123
    assert whole(-5, 5)("-5") == -5
    assert number(0, 1)("1e-3") == 0.001
    assert duration_s("2.5") == 2.5
    assert address("fe80::1%eth0") == "fe80::1%eth0"


def test_a_number_without_end_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="not a whole number"):
        port("9" * 5000)
