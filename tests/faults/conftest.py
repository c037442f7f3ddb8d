"""Makes the tests of this folder cases of the matrix."""

from tests.faults.plugin import case, pytest_configure, pytest_itemcollected, pytest_pyfunc_call

__all__ = ["case", "pytest_configure", "pytest_itemcollected", "pytest_pyfunc_call"]
