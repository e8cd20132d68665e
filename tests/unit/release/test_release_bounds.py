"""What a release Secret may unpack to, and the memory that the largest one takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from milvus_l7.adapters.release import stored_release
from milvus_l7.adapters.release.stored_release import LIMITS, StoredRelease
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from tests.unit.release.test_stored_release import CHART, secret

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        (b'{"a":"' + b"x" * 60 * MIB + b'"}', f"more than {LIMITS.size_bytes} bytes"),
        (b"[" + b"{}," * 20 * MIB + b"{}]", f"more than {LIMITS.size_bytes} bytes"),
        (b'{"a":[' + b"{}," * 3 * MIB + b"{}]}", f"more than {LIMITS.items} values"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, f"more than {LIMITS.depth} levels"),
        (b'{"a":' * 200_000, f"more than {LIMITS.depth} levels"),
        (b'{"a":' + b"9" * 5000 + b"}", "more than 400 digits"),
    ],
)
def test_a_release_beyond_a_limit_is_refused_with_the_limit(content: bytes, limit: str) -> None:
    with pytest.raises(Permanent, match=limit) as refused:
        stored_release.decoded(secret(content))
    assert refused.value.reason is Reason.RELEASE_UNREADABLE
    assert "sh.helm.release.v1.r.v4" in refused.value.message


READ = """
import json, sys
from milvus_l7.adapters.release import stored_release
packed = json.load(sys.stdin)
stored_release.decoded(packed)
# Not getrusage, which begins with what the parent had when it forked.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""
# One character makes Python keep a whole text in four bytes each; and there are as many small objects as the
# limits allow.
SMALL = b"".join(b'"%x":{"":{}},' % number for number in range(133_000))
WORST = {
    "many keys": lambda: b'{"k":{' + b"".join(b'"%x":1.5,' % n for n in range(399_000)) + b'"z":1}}',
    "many objects": lambda: b'{"k":[' + b'{"":1},' * 199_000 + b"1]}",
    "one wide text": lambda: b'{"k":"\xf0\x9f\x98\x80' + b"x" * (LIMITS.size_bytes - 100) + b'"}',
    "both": lambda: (
        b'{"k":{' + SMALL + b'"z":"\xf0\x9f\x98\x80' + b"x" * (LIMITS.size_bytes - 3 * MIB) + b'"}}'
    ),
}


@pytest.mark.parametrize("kind", WORST)
def test_the_largest_release_that_is_read_takes_less_than_300_mib(kind: str) -> None:
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}", "PATH": ""}
    packed = json.dumps(secret(WORST[kind]()))
    command = [sys.executable, "-c", READ]
    shown = subprocess.run(
        command, input=packed, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert int(shown.stdout) < 300


def release(**content: object) -> StoredRelease:
    return StoredRelease(1, "deployed", {}, {"chart": CHART, "manifest": "", **content})


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        ({"hooks": [{"path": "milvus/" + "charts/a/" * 100_000 + "x.yaml", "manifest": "a: 1"}]}, "8 levels"),
        ({"manifest": f"---\n# Source: milvus/{'charts/a/' * 100_000}x.yaml\na: 1\n"}, "8 levels"),
        ({"hooks": [{"path": "milvus/charts/a/x.yaml", "manifest": "{{" * 4 * MIB}]}, "33554432 bytes"),
    ],
)
def test_a_chart_beyond_a_limit_is_not_rebuilt(content: dict[str, object], limit: str) -> None:
    with pytest.raises(ValueError, match=limit):
        stored_release.archive(release(**content))


def test_a_template_of_very_many_documents_is_rebuilt_in_linear_time() -> None:
    documents = "---\n# Source: milvus/charts/etcd/templates/a.yaml\na: 1\n" * 100_000
    assert len(stored_release.archive(release(manifest=documents))) > 1000


def test_a_subchart_of_a_subchart_is_within_the_limits() -> None:
    path = "milvus/charts/a/charts/b/charts/c/templates/deep/er/x.yaml"
    assert stored_release.archive(release(hooks=[{"path": path, "manifest": json.dumps({})}]))
