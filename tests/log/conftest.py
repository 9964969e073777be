"""All of these tests are run twice: the reader is given whole lines, and lines without their data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zeekpop3.log import apart


@pytest.fixture(autouse=True, scope="module", params=["together", "apart"])
def form_of_lines(request: pytest.FixtureRequest) -> Iterator[None]:
    """Takes any line for a long one, or none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "_LONG", 0 if request.param == "apart" else 1 << 40)
        yield
