"""What every test can use: the servers of `tests.support.fixtures`."""

pytest_plugins = ["tests.support.fixtures"]
