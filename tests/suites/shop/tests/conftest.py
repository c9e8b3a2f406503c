# SPDX-License-Identifier: MIT
import pytest

from shop.stock import Stock


@pytest.fixture
def stock():
    return Stock().add("tea", 6).add("cake", 12)
