"""The stack as its users meet it. The tests share one stack, and run in the order they stand in."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections import Counter
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.stack.stack import PROJECT, Stack, environment, wait_for

pytestmark = pytest.mark.compose

COLD_SECONDS, WARM_SECONDS = 360, 40
SILENCE_SECONDS = 20
API_BYTES_MAX = 900e6
IMPORT_SECONDS = 1.5
SERVICES = ("postgres", "mlflow", "api", "research")


def inspected(stack: Stack, service: str) -> dict:
    container = stack.run("ps", "--all", "--quiet", service).stdout.strip()
    found = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)[0]


def champion(stack: Stack) -> int | None:
    return stack.ask("/version").json["model_version"]


def test_it_does_not_start_without_passwords_or_with_the_templates(checkout: Path) -> None:
    for present in (None, (checkout / ".env.template").read_text(encoding="utf-8")):
        command = ["docker", "compose", "--project-name", f"{PROJECT}-refused", "--env-file", "none.env", "config"]
        (checkout / "none.env").write_text(present or "", encoding="utf-8")
        refused = subprocess.run(command, cwd=checkout, env=environment(), capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert "say make env" in refused.stderr
    (checkout / "none.env").unlink()


def test_the_first_prediction_comes_in_time(stack: Stack) -> None:
    assert stack.seconds["first"] < COLD_SECONDS
    assert stack.ask("/readyz").json == {"ready": True, "reasons": []}


def test_a_prediction_is_in_postgres(stack: Stack) -> None:
    prediction_id = stack.predict().json["prediction_id"]
    found = stack.sql("labline", f"SELECT version FROM predictions WHERE prediction_id = '{prediction_id}'")
    assert int(found) == champion(stack)


def test_monitoring_and_every_report_page_work_in_the_lean_image(stack: Stack) -> None:
    assert stack.ask("/monitor?source=current").json["status"] in {"ok", "warn", "drift"}
    for kind in ("data-drift", "target-drift", "data-quality", "model-performance"):
        page = stack.ask(f"/monitor/{kind}?source=current", headers={"accept": "text/html"})
        assert page.status == 200, page.body[:500]
        assert "</html>" in page.body
    assert stack.exec("research", "sh", "-c", "ls reports/obesity | grep -vc model-card").strip() == "4"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_rights_it_does_not_need(stack: Stack, service: str) -> None:
    found = inspected(stack, service)
    host = found["HostConfig"]
    assert found["Config"]["User"] not in {"", "0", "root"}
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["ReadonlyRootfs"] is (service != "research")
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert {bind["HostIp"] for binds in host["PortBindings"].values() for bind in binds} <= {"127.0.0.1"}
    assert found["State"]["Health"]["Status"] == "healthy"


def test_the_api_image_is_small_and_has_nothing_to_train_or_compile_with(stack: Stack) -> None:
    size = subprocess.run(
        ["docker", "image", "inspect", f"{PROJECT}-api", "--format", "{{.Size}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(size.stdout) < API_BYTES_MAX
    absent = "kaggle jupyterlab ipykernel matplotlib openpyxl py7zr optuna pytest"
    code = f"import importlib.util as u; print([n for n in '{absent}'.split() if u.find_spec(n)])"
    assert stack.exec("api", "python", "-c", code).strip() == "[]"
    assert stack.exec("api", "sh", "-c", "command -v gcc cc g++ make git || true").strip() == ""
    best = min(_seconds(stack, "import labline.api") for _ in range(3))
    assert best < IMPORT_SECONDS


def _seconds(stack: Stack, code: str) -> float:
    clock = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    return float(stack.exec("api", "python", "-c", clock))


def test_each_role_reaches_its_own_database_alone(stack: Stack) -> None:
    for role in ("mlflow", "optuna", "labline"):
        assert stack.sql(role, "SELECT current_user") == role
    refused = stack.run(
        "exec", "-T", "postgres", "psql", "-U", "labline", "-d", "mlflow", "-c", "SELECT 1", check=False
    )
    assert "permission denied" in refused.stderr


def test_mlflow_answers_to_its_own_names_alone(stack: Stack) -> None:
    path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=obesity"
    assert stack.ask(path, service="mlflow").status == 200
    refused = stack.ask(path, service="mlflow", headers={"Host": "elsewhere.example"})
    assert (refused.status, "Invalid Host" in refused.body) == (403, True)


def test_jupyter_wants_its_token(stack: Stack) -> None:
    token = re.search(r"^JUPYTER_TOKEN=(.+)$", (stack.folder / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    assert token is not None
    assert stack.ask("/api/contents", service="research").status == 403
    assert stack.ask("/api/contents", service="research", headers={"Authorization": f"token {token[1]}"}).status == 200


@pytest.mark.parametrize("service", ["research", "api"])
def test_the_doctor_finds_nothing_wrong(stack: Stack, service: str) -> None:
    found = stack.run("exec", "-T", service, "labline", "doctor", "--json", check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_notebook_in_research_registers_a_challenger_that_promotion_brings_into_the_api(stack: Stack) -> None:
    before = champion(stack)
    execute = (
        "jupyter",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--output-dir=/tmp",
        "notebooks/03-experiments.ipynb",
    )
    stack.exec("research", *execute)
    versions = json.loads(stack.exec("research", "labline", "registry", "--json"))["versions"]
    challenger = next(version["number"] for version in versions if "challenger" in version["aliases"])
    assert challenger != before
    stack.exec("research", "labline", "promote", "--force")
    wait_for(lambda: champion(stack) == challenger, "the challenger in the API", seconds=20)
    assert stack.predict().json["model"]["version"] == challenger


def test_tests_pass_inside_the_network_with_those_of_the_running_services(stack: Stack) -> None:
    stack.run("--profile", "test", "build", "test")
    # those that need a service, and enough of the others to see that all they need is there; all of them take 8 minutes
    marked = ("pytest", "tests", "-n", "2", "-p", "no:cacheprovider", "-m", "postgres or services")
    some = ("pytest", "tests/contract", "tests/features", "tests/test_cli.py", "-n", "2", "-p", "no:cacheprovider")
    for command, passed in ((marked, r"\d+ passed"), (some, r"\d{3,} passed")):
        said = stack.run("--profile", "test", "run", "--rm", "test", *command).stdout
        assert re.search(passed, said), said
        assert "LABLINE_TEST_" not in said  # what a test that was skipped for want of a service names


def test_with_mlflow_stopped_the_api_answers_also_after_a_restart_of_its_own(stack: Stack) -> None:
    known = champion(stack)
    stack.run("stop", "mlflow")
    assert stack.predict().status == 200
    stack.run("restart", "api")
    wait_for(lambda: _answers(stack), "the cached champion")
    assert stack.predict().json["model"]["version"] == known
    wait_for(lambda: "out of reach" in stack.ask("/readyz").body, "the reason")
    assert stack.ask("/readyz").status == 200
    stack.run("start", "mlflow")
    wait_for(lambda: stack.ask("/readyz").json["reasons"] == [], "MLflow again")


def _answers(stack: Stack) -> bool:
    try:
        return stack.predict().status == 200
    except OSError:
        return False  # not listening yet


def test_with_postgres_stopped_the_api_answers_says_so_and_has_logged_it_all_in_the_end(stack: Stack) -> None:
    stack.run("stop", "postgres")
    wait_for(lambda: "prediction log" in stack.ask("/readyz").body, "the reason, though no one asked for a prediction")
    answers = [stack.predict() for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert stack.ask("/readyz").status == 200
    stack.run("start", "postgres")
    wait_for(lambda: stack.ask("/readyz").json["reasons"] == [], "the log again")
    assert logged(stack) >= {answer.json["prediction_id"] for answer in answers}


def logged(stack: Stack) -> set[str]:
    """Every prediction in the log; each is there once."""
    ids = stack.sql("labline", "SELECT prediction_id FROM predictions").splitlines()
    assert len(ids) == len(set(ids))
    return set(ids)


def test_each_service_is_killed_in_turn_while_requests_go_on_and_nothing_acknowledged_is_missing(stack: Stack) -> None:
    acknowledged: list[str] = []
    others: Counter[str] = Counter()
    record = stack.ask("/openapi.json").json["components"]["schemas"]["Record"]["examples"][0]
    killed, ended = threading.Event(), threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                answer = stack.ask("/predict", record)
            except (OSError, HTTPException) as error:
                if not killed.is_set():  # of an API that is killed connections break
                    others[type(error).__name__] += 1
                time.sleep(0.1)
                continue
            if answer.status == 200:
                acknowledged.append(answer.json["prediction_id"])
            elif not killed.is_set():
                others[str(answer.status)] += 1

    def more_than(number: int) -> bool:
        return len(acknowledged) > number

    def is_dead(service: str) -> bool:
        return not inspected(stack, service)["State"]["Running"]

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for service in ("mlflow", "research", "postgres", "api"):
            if service == "api":
                killed.set()
            stack.run("kill", service)
            # what still counts as running would not be started
            wait_for(partial(is_dead, service), f"{service} to end")
            # what was answered before it was dead tells nothing of afterwards
            if service != "api":
                wait_for(partial(more_than, len(acknowledged) + 20), f"answers without {service}")
            stack.run("start", service)
            wait_for(partial(more_than, len(acknowledged) + 20), f"answers with {service} again")
    finally:
        ended.set()
        for client in clients:
            client.join()
    assert not others
    wait_for(lambda: stack.ask("/readyz").json["reasons"] == [], "everything again")
    assert set(acknowledged) <= logged(stack)


def test_with_postgres_silent_no_request_hangs(stack: Stack) -> None:
    stack.run("pause", "postgres")
    try:
        started = time.monotonic()
        answer = stack.predict()
        took = time.monotonic() - started
    finally:
        stack.run("unpause", "postgres")
    assert answer.status == 200
    assert took < SILENCE_SECONDS
    wait_for(lambda: stack.ask("/readyz").json["reasons"] == [], "the log again")
    assert answer.json["prediction_id"] in logged(stack)


def test_down_and_up_again_loses_nothing_and_is_quick(stack: Stack) -> None:
    def known() -> dict[str, object]:
        runs = json.loads(stack.exec("research", "labline", "leaderboard", "--json"))
        return {
            "champion": champion(stack),
            "runs": sorted(run["run_id"] for run in runs),
            "ledger": stack.sql("labline", "SELECT count(*) FROM promotion_ledger"),
            "notebooks": stack.exec("research", "sh", "-c", "cat notebooks/*.ipynb | sha256sum"),
            "pages": stack.exec("research", "ls", "reports/obesity"),
            "data": stack.exec("research", "sh", "-c", "ls data/obesity/*"),
        }

    before, predictions = known(), int(stack.sql("labline", "SELECT count(*) FROM predictions"))
    stack.run("down")
    stack.up("warm")
    assert stack.seconds["warm"] < WARM_SECONDS
    assert known() == before
    assert int(stack.sql("labline", "SELECT count(*) FROM predictions")) > predictions >= 3


def test_a_champion_comes_out_of_mlflow_when_every_cache_is_lost(stack: Stack) -> None:
    before = champion(stack)
    stack.run("down")
    subprocess.run(["docker", "volume", "rm", f"{PROJECT}_served", f"{PROJECT}_models"], check=True)
    stack.up("caches lost")
    assert champion(stack) == before


def test_the_dev_container_is_given_what_research_is(stack: Stack) -> None:
    files = ("--file", "docker-compose.yaml", "--file", ".devcontainer/docker-compose.yaml")
    services = json.loads(stack.run(*files, "config", "--format", "json").stdout)["services"]
    research, dev = services["research"], services["dev"]
    shared = {name: value for name, value in research["environment"].items() if name != "JUPYTER_TOKEN"}
    assert {name: dev["environment"].get(name, "not there") for name in shared} == shared
    mounts = {(one["source"], one["target"]) for one in research["volumes"] if one["source"] != "/dev/null"}
    assert mounts <= {(one["source"], one["target"]) for one in dev["volumes"]}


def test_without_a_champion_the_api_starts_says_why_and_takes_the_first(stack: Stack) -> None:
    stack.run("down", "--volumes")
    stack.run("up", "--wait", "api", "mlflow")
    wait_for(lambda: "registry holds nothing" in stack.ask("/readyz").body, "the reason")
    assert "not migrated yet" in stack.ask("/readyz").body
    assert (stack.ask("/healthz").status, stack.ask("/readyz").status) == (200, 503)
    stack.run("up", "--wait")
    wait_for(lambda: stack.ask("/readyz").status == 200, "the first champion", seconds=10)
