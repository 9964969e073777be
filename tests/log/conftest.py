"""All of these tests run twice: the CSV reader gets complete lines, or lines without their data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zeekpop3.log import batch


@pytest.fixture(autouse=True, scope="module", params=["together", "apart"])
def form_of_lines(request: pytest.FixtureRequest) -> Iterator[None]:
    """Treats every line as a long one, or none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "_LONG", 0 if request.param == "apart" else 1 << 40)
        yield
