"""Coverage-guided fuzzing of `zeekpop3.message.parse` (needs atheris, not a dependency of the project).

    python tests/fuzz/parse.py CORPUS_FOLDER -dict=tests/fuzz/mail.dict -max_total_time=7200 -timeout=20

Checks what no mail may break (tests/support/invariants.py): nothing is raised, each attribute has its
type, texts can be encoded, defects are on the list, columns are parallel, hashes are those of the
content, times are in the range of a 64-bit column; and that a mail of some kilobytes takes no second.
The folder is also where new inputs are kept; `seeds` of test_mutations.py are a start. `--check FILE...`
runs single files without atheris.

The charset detector, a library of others, is replaced by a choice that depends on the bytes alone: it would
take most of the time, and so each charset that it may name is met.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[2]),
    str(Path(__file__).resolve().parents[1]),
]

LIMIT_S = 1.0
LIMIT_S_PER_BYTE = 20e-6


def one_input(data: bytes) -> None:
    from support.invariants import check

    start = time.process_time()
    # The length says whether the mail counts as seen to its end, so that an input is always read alike.
    check(data, complete=len(data) % 4 != 0)
    took = time.process_time() - start
    assert took < LIMIT_S + LIMIT_S_PER_BYTE * len(data), f"{took:.1f} s for {len(data)} bytes"


def any_charset(sample: bytes) -> str:
    """Instead of the detector: one of the charsets that it may name."""
    from zeekpop3.message.charsets import CANDIDATES

    return CANDIDATES[sum(sample) % len(CANDIDATES)]


def main() -> None:
    if "--check" in sys.argv:
        for name in sys.argv[2:]:
            one_input(Path(name).read_bytes())
        return
    import atheris

    # Only what is ours, and what of the standard library is given a mail's bytes.
    with atheris.instrument_imports(include=["zeekpop3", "email._parseaddr", "html"]):
        import email._parseaddr
        import html

        from support import invariants
        from zeekpop3.message import charsets, encoded_blocks, transfer_encoding

    assert email._parseaddr and html and invariants
    transfer_encoding.CHUNK_BYTES = encoded_blocks.PIECE_BYTES = 512  # small content comes in pieces, too
    charsets.detect = any_charset  # type: ignore[assignment]
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
