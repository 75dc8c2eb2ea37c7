"""Watching: judgements of windows that share no row, and a signed notice of a change, sent once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from labline import pipeline
from labline.config import Config
from labline.config.monitoring import Monitoring
from labline.config.section import Url
from labline.database import open_database
from labline.errors import ConfigError
from labline.migrations import migrate
from labline.monitoring.history import last_judgements
from labline.monitoring.tables import NOTICES
from labline.monitoring.webhook import WebhookError, post, signature
from labline.monitoring.windows import Wanted
from tests.monitoring.traffic import NOON, Traffic

SECRET = "whsec_" + base64.b64encode(b"a secret of the receiver").decode()
ROWS = 120


@dataclass
class Receiver:
    """A real HTTP server that keeps what it is sent, and answers as it is told to."""

    address: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = found.answers.pop(0) if found.answers else 204
            self.send_response(status)
            if status == 302:
                self.send_header("location", found.address)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.address = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def watched(request: pytest.FixtureRequest, config: Config, receiver: Receiver) -> Config:
    storage = config.storage
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres"))
        migrate(open_database(url))
        storage = storage.model_copy(update={"database_url": Url(url)})
    changed = {
        **config.monitoring.model_dump(mode="python"),
        "window": ROWS,
        "webhook_url": receiver.address,
        "webhook_secret": SECRET,
    }
    return config.model_copy(update={"monitoring": Monitoring.model_validate(changed), "storage": storage})


@pytest.fixture
def traffic(watched: Config, sample: dict[str, pd.DataFrame]) -> Traffic:
    url = watched.storage.database_url.get_secret_value()
    return Traffic.of(watched, sample["train"], url)


def look(config: Config, traffic: Traffic) -> str:
    """One look, as the API looks every minute; gives the status."""
    status = pipeline.watch(config, traffic.served).summary.status
    pipeline.send_notices(config, "obesity")
    return status


def judged(traffic: Traffic) -> list[str]:
    with traffic.engine.connect() as connection:
        return [one.status for one in last_judgements(connection, "obesity", traffic.served.version, 100)]


def older(traffic: Traffic, rows: int = ROWS) -> None:
    """Traffic of people who are older, and of whom some do not say how."""
    frame = traffic.frame.assign(Age=traffic.frame["Age"] + 15)
    traffic.log(Traffic(traffic.served, traffic.bundle, traffic.engine, frame).rows(rows))


def test_a_window_is_judged_once_and_windows_share_no_row(watched: Config, traffic: Traffic) -> None:
    assert look(watched, traffic) == "insufficient_data"
    assert judged(traffic) == []
    traffic.log(traffic.rows(ROWS))
    for _ in range(3):
        look(watched, traffic)
    assert len(judged(traffic)) == 1
    traffic.log(traffic.rows(ROWS - 1))
    look(watched, traffic)
    assert len(judged(traffic)) == 1
    traffic.log(traffic.rows(1))
    look(watched, traffic)
    assert len(judged(traffic)) == 2


def test_a_change_that_stays_is_told_once_signed_and_told_again_when_it_is_over(
    watched: Config, traffic: Traffic, receiver: Receiver
) -> None:
    for _ in range(3):
        traffic.log(traffic.rows(ROWS))
        assert look(watched, traffic) == "ok"
    assert receiver.received == []
    older(traffic)
    assert look(watched, traffic) == "warn"
    assert receiver.received == []  # one window may be chance
    for _ in range(3):
        older(traffic)
        look(watched, traffic)
    [(headers, body)] = receiver.received
    said = json.loads(body)
    assert said["type"] == "labline.monitoring.status_changed"
    assert (said["data"]["status"], said["data"]["previous"], said["data"]["rows"]) == ("warn", "ok", ROWS)
    assert any("Age" in reason for reason in said["data"]["reasons"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(b"a secret of the receiver", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    for _ in range(2):
        traffic.log(traffic.rows(ROWS))
        look(watched, traffic)
    assert [json.loads(body)["data"]["status"] for _, body in receiver.received] == ["warn", "ok"]


def test_a_window_in_between_is_no_change(watched: Config, traffic: Traffic, receiver: Receiver) -> None:
    for drifted in (False, True, False, True, False):
        older(traffic) if drifted else traffic.log(traffic.rows(ROWS))
        look(watched, traffic)
    assert judged(traffic)[::-1] == ["ok", "warn", "ok", "warn", "ok"]
    assert receiver.received == []


def test_what_fails_is_tried_again_with_the_same_id_until_it_is_taken(
    watched: Config, traffic: Traffic, receiver: Receiver
) -> None:
    receiver.answers = [500, 302]
    for _ in range(2):
        older(traffic)
        look(watched, traffic)
    assert len(receiver.received) == 1
    assert pipeline.send_notices(watched, "obesity") == 0  # it is not time yet
    for _ in range(3):
        with traffic.engine.begin() as connection:
            connection.execute(update(NOTICES).where(NOTICES.c.next_at.is_not(None)).values(next_at=0))
        pipeline.send_notices(watched, "obesity")
    assert len(receiver.received) == 3  # refused, sent elsewhere, taken; and then no more
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len({body for _, body in receiver.received}) == 1


def test_what_always_fails_is_given_up(watched: Config, traffic: Traffic, receiver: Receiver) -> None:
    settings = watched.monitoring.model_copy(update={"webhook_tries": 2})
    watched = watched.model_copy(update={"monitoring": settings})
    receiver.answers = [503] * 9
    for _ in range(2):
        older(traffic)
        look(watched, traffic)
    for _ in range(4):
        with traffic.engine.begin() as connection:
            connection.execute(update(NOTICES).where(NOTICES.c.next_at.is_not(None)).values(next_at=0))
        pipeline.send_notices(watched, "obesity")
    assert len(receiver.received) == 2
    with traffic.engine.connect() as connection:
        assert connection.execute(select(NOTICES.c.sent_at, NOTICES.c.next_at)).one() == (None, None)


def test_many_senders_send_it_once(watched: Config, traffic: Traffic, receiver: Receiver) -> None:
    for _ in range(2):
        older(traffic)
        pipeline.watch(watched, traffic.served)
    senders = [threading.Thread(target=pipeline.send_notices, args=(watched, "obesity")) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(receiver.received) == 1


def test_no_one_who_listens_is_an_error_with_a_mend(receiver: Receiver) -> None:
    with pytest.raises(WebhookError, match="cannot be reached"):
        post("http://127.0.0.1:9/", SECRET, "1", "{}", now=0, seconds=1)
    with pytest.raises(ConfigError, match="not base64"):
        post(receiver.address, "whsec_!", "1", "{}", now=0, seconds=1)


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    secret, body = "whsec_plJ3nmyCDGBKInavdOK15jsl", b'{"event_type":"ping","data":{"success":true}}'
    found = signature(secret, "msg_loFOjxBNrRLzqYUf", "1731705121", body)
    assert found == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_a_webhook_without_a_secret_or_an_address_of_another_kind_is_refused(config: Config) -> None:
    plain = config.monitoring.model_dump(mode="python")
    for more in ({"webhook_url": "https://example.org"}, {"webhook_url": "ftp://example.org", "webhook_secret": "x"}):
        with pytest.raises(ValidationError):
            Monitoring.model_validate(plain | more)


def test_gauges_name_columns_status_and_performance(watched: Config, traffic: Traffic) -> None:
    older(traffic)
    gauges = pipeline.watch(watched, traffic.served).gauges
    by_name: dict[str, list[Any]] = {}
    for gauge in gauges:
        assert gauge.labels["problem"] == "obesity"
        by_name.setdefault(gauge.name, []).append(gauge)
    scores = {gauge.labels["column"]: gauge.value for gauge in by_name["labline_drift_score"]}
    assert scores.keys() == {*traffic.problem.columns, "prediction"}
    assert max(scores, key=lambda name: scores[name]) == "Age"
    assert {g.labels["status"]: g.value for g in by_name["labline_drift_status"]}["warn"] == 1
    assert sum(gauge.value for gauge in by_name["labline_window_predictions"]) == ROWS
    assert "labline_label_delay_seconds" not in by_name


def test_the_history_has_what_was_judged_and_large_windows_are_made_of_hours(
    watched: Config, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = traffic.log(traffic.rows(200))
    look(watched, traffic)
    history = pipeline.monitor_history(watched, traffic.served, since=NOON, until=NOON + timedelta(days=2), by="hour")
    assert [(one.status, one.rows, one.until) for one in history.judgements] == [("ok", ROWS, rows[-1].at)]
    assert [(one.begin, one.rows) for one in history.periods] == [
        (NOON + timedelta(hours=hours), count) for hours, count in enumerate((60, 60, 60, 20))
    ]
    whole = pipeline.monitor(watched, traffic.served, Wanted(200))
    monkeypatch.setattr("labline.monitoring.windows.ROWS_MAX", 70)
    hours = pipeline.monitor(watched, traffic.served, Wanted(90, since=NOON + timedelta(minutes=1)))
    assert (hours.rows, hours.since, hours.notes) == (200, NOON, ["made of whole hours"])
    effects = [{row.column: row.effect for row in one.columns} for one in (hours, whole)]
    assert effects[0] == pytest.approx(effects[1])
    assert hours.estimated["accuracy"].value == pytest.approx(whole.estimated["accuracy"].value)
    last = pipeline.monitor(watched, traffic.served, Wanted(75))
    assert (last.rows, last.since) == (80, NOON + timedelta(hours=2))
    few = pipeline.monitor(watched, traffic.served, Wanted(90, since=NOON + timedelta(hours=3, minutes=5)))
    assert (few.rows, few.since, few.notes) == (15, NOON + timedelta(hours=3, minutes=5), [])
