"""What no one would send: the whole OpenAPI by Schemathesis, and bodies wrong in every way. No 5xx, no traceback."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from labline import pipeline
from labline.config import load
from labline.contract.examples import example_record
from tests.server import Server, serving

# where more is asked than a schema says: a moment may not be of tomorrow, and may be seconds since 1970 too; a window
# has rows or moments, and its segments are of the contract's columns
NOT_BY_SCHEMA_ALONE = ("/feedback", "/monitor")
UNSAID = [positive_data_acceptance, negative_data_rejection]
FEW, MANY = 30, 1000  # cases of an operation
BODIES_FEW, BODIES_MANY = 600, 10_000
MEMORY_MAX = 30e6  # by which the server may grow; one leaked body in a hundred would be more
LONG = ("/monitor",)  # what takes a second or, a report page, several


@pytest.fixture(scope="module")
def root(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("fuzz") / "trained"))


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serving(root) as server:
        yield server


def try_operations(server: Server, cases: int, long_cases: int) -> int:
    """Try every operation of the page as it is meant and as it is not; how many there were."""
    page = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    found = [result.ok() for result in page.get_all_operations()]
    for operation in found:
        is_long = operation.path.startswith(LONG)
        for mode in schemathesis.GenerationMode:
            meant = mode == schemathesis.GenerationMode.POSITIVE
            most = (long_cases if meant else 6) if is_long else cases
            try_operation(operation, mode, min(most, cases // 2))
    return len(found)


def try_operation(operation: Any, mode: Any, cases: int) -> None:
    if cases == 0:
        return

    excluded = UNSAID if operation.path.startswith(NOT_BY_SCHEMA_ALONE) else []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=cases,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def keeps_what_it_says(case: Any) -> None:
        case.call_and_validate(timeout=120, excluded_checks=excluded)

    try:
        keeps_what_it_says()
    except Unsatisfiable:  # it takes nothing that could be wrong
        assert mode == schemathesis.GenerationMode.NEGATIVE


def test_every_operation_keeps_what_the_openapi_page_says(server: Server) -> None:
    assert try_operations(server, FEW, long_cases=0) >= 9


@pytest.mark.thorough
def test_every_operation_keeps_it_through_thousands_of_cases(server: Server) -> None:
    assert try_operations(server, MANY, long_cases=3) >= 9


Bodies = Callable[[random.Random, dict[str, Any]], bytes]
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e-320, 2**63, 2**200, "", "0", "NaN", "\x00", "\ud83d\ude00" * 50, "\u202e",
    "a" * 5000,
    [], [[]], {}, {"": None}, [None] * 50, "'; DROP TABLE predictions; --", "{{7*7}}", "../../etc/passwd",
)  # fmt: skip
LITERALS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "9" * 5000,
    "0x10",
    "01",
    "1.",
    "+1",
    "nul",
    "'a'",
    "\\u0000",
)


def wrong_value(chance: random.Random, record: dict[str, Any]) -> bytes:
    """A value of the wrong type, or out of all bounds."""
    return dumped(record | {chance.choice(list(record)): chance.choice(STRANGE)})


def wrong_literal(chance: random.Random, record: dict[str, Any]) -> bytes:
    """What no JSON has: NaN, numbers of thousands of digits, words."""
    name = chance.choice(list(record))
    return dumped(record | {name: "@"}).replace(b'"@"', chance.choice(LITERALS).encode())


def doubled_key(chance: random.Random, record: dict[str, Any]) -> bytes:
    """A field that stands there twice, or a thousand times."""
    field = dumped({chance.choice(list(record)): chance.choice(STRANGE)})[1:-1]
    return b"{" + (field + b",") * chance.choice((1, 2, 1000)) + dumped(record)[1:]


def other_fields(chance: random.Random, record: dict[str, Any]) -> bytes:
    """Fields too many, too few, or by strange names."""
    kept = {name: value for name, value in record.items() if chance.random() < 0.8}
    return dumped(
        kept | {chance.choice(("", "__proto__", "a" * 3000, "\x00", "\u0430ge", "id")): chance.choice(STRANGE)}
    )


def deep(chance: random.Random, record: dict[str, Any]) -> bytes:
    """Depth without a bottom, closed or not."""
    depth, open_, close = chance.choice((10, 300, 100_000)), *chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return open_ * depth + b"1" + close * chance.choice((0, depth))


def large(chance: random.Random, record: dict[str, Any]) -> bytes:
    """As much as is taken, and more."""
    size = chance.choice((100_000, 1_048_000, 1_100_000))
    return dumped(record | {chance.choice(list(record)): "x" * size})


def broken(chance: random.Random, record: dict[str, Any]) -> bytes:
    """Bytes changed, lost, or put in, as on a bad line; no UTF-8 any more."""
    body = bytearray(dumped(record))
    for _ in range(chance.choice((1, 3, 30))):
        place = chance.randrange(len(body))
        body[place : place + chance.choice((0, 1, 5))] = chance.randbytes(chance.choice((0, 1, 3)))
    return bytes(body) or b" "


def noise(chance: random.Random, record: dict[str, Any]) -> bytes:
    """Nothing that was meant to be JSON."""
    return chance.choice((b"", b"\xff\xfe{}", b"\xef\xbb\xbf" + dumped(record), b"null", b'"', chance.randbytes(300)))


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


KINDS: tuple[Bodies, ...] = (
    wrong_value, wrong_literal, doubled_key, other_fields, deep, large, broken, noise
)  # fmt: skip
WEIGHTS = (4, 4, 2, 3, 1, 1, 4, 1)


def send_bodies(server: Server, root: Path, bodies: int) -> dict[int, int]:
    """Send so many wrong bodies, a part of them in batches; how many got which status."""
    chance, counted = random.Random(7), dict[int, int]()
    record = example_record(pipeline.open_problem(load(root), "obesity"))
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    for _ in range(bodies):
        body, path = chance.choices(KINDS, WEIGHTS)[0](chance, record), "/predict"
        if chance.random() < 0.2:
            path, body = "/predict/batch", b"[" + dumped(record) + b"," + body + b"]"
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        counted[answer.status] = counted.get(answer.status, 0) + 1
        assert answer.status in {200, 413, 422}, (answer.status, said[:300], body[:300])
        assert b"Traceback" not in said
        if answer.status != 200:
            assert json.loads(said)["status"] == answer.status
            assert len(said) < 20_000, "the answer repeats what was sent"
    connection.close()
    return counted


def memory(server: Server) -> int:
    """Bytes the server holds."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def crashes(server: Server) -> float:
    with urlopen(f"{server.address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith("labline_crashes_total")).split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("bodies", [BODIES_FEW, pytest.param(BODIES_MANY, marks=pytest.mark.thorough)])
def test_wrong_bodies_are_refused_and_leave_nothing_behind(server: Server, root: Path, bodies: int) -> None:
    send_bodies(server, root, BODIES_FEW // 2)
    before = memory(server)
    counted = send_bodies(server, root, bodies)
    assert counted[422] > bodies / 2
    assert counted[413] > 0
    assert memory(server) - before < MEMORY_MAX
    assert crashes(server) == 0
