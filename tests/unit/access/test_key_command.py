"""The options of `keys create`: one that was to limit a key never makes one without limits."""

import argparse

import pytest

from app.cli import keys


@pytest.fixture
def parser():
    made = argparse.ArgumentParser()
    keys.register(made.add_subparsers())
    return made


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e-30", "999999999", "soon", ""])
def test_an_end_that_is_none_is_refused(parser, days):
    with pytest.raises(SystemExit):
        parser.parse_args(["keys", "create", "--name", "ci", "--expires-days", days])


@pytest.mark.parametrize("days", ["0.5", "1", "3650"])
def test_an_end_to_come_is_taken(parser, days):
    args = parser.parse_args(["keys", "create", "--name", "ci", "--expires-days", days])
    assert args.expires_days.total_seconds() == float(days) * 86400
