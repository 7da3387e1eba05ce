"""The bits of energies, forces and virials are those that were recorded."""

import json

import pytest
from support import digests


@pytest.mark.parametrize("kind", ["synthetic", "reference"])
def test_the_bits_are_the_recorded_ones(kind, request):
    found = dict(digests.synthetic() if kind == "synthetic" else digests.reference(request.getfixturevalue("shared")))
    assert len(found) > 20
    stored = json.loads(digests.STORED.read_text()) if digests.STORED.exists() else {}
    if request.config.getoption("record_digests"):
        stored.setdefault(digests.machine(), {})[kind] = found
        digests.STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
    elif digests.machine() not in stored:
        pytest.skip(f"no digests of {digests.machine()}")
    recorded = stored[digests.machine()][kind]
    assert [name for name in found if found[name] != recorded.get(name)] == []
