"""The pages in a real browser: Chromium, headless."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.server import serving

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no Chromium with its driver on this machine"),
]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update"
)


@pytest.fixture(scope="module")
def address(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("browser") / "trained"))
    with serving(root) as server:
        yield server.address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def busy(address: str, trained_template: Path) -> str:
    """The address of a server that has answered 150 requests, and knows whether 120 of the answers were right."""
    rows = pd.read_csv(trained_template / "train.csv").head(150)
    rows["Age"] = rows["Age"].clip(upper=80) + 15
    records = rows.drop(columns=["id", "NObeyesdad"]).to_dict("records")
    answers = post(f"{address}/predict/batch", records)["predictions"]
    truths = zip(answers, rows["NObeyesdad"], strict=True)
    labels = [{"prediction_id": one["prediction_id"], "label": label} for one, label in truths]
    assert post(f"{address}/feedback", labels[:120])["kept"] == 120
    return address


def post(address: str, body: object) -> Any:
    request = Request(address, json.dumps(body).encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=60) as response:
        return json.load(response)


def answer(browser: webdriver.Chrome) -> str:
    box = WebDriverWait(browser, 20).until(lambda b: b.find_element(By.ID, "answer"))
    WebDriverWait(browser, 20).until(lambda _: box.text)
    return str(box.text)


def test_a_person_fills_in_the_form_and_gets_an_answer(browser: webdriver.Chrome, address: str) -> None:
    browser.get(address)
    Select(browser.find_element(By.NAME, "Gender")).select_by_visible_text("Male")
    weight = browser.find_element(By.NAME, "Weight")
    weight.clear()
    weight.send_keys("48.5")
    browser.find_element(By.TAG_NAME, "button").click()
    said = answer(browser)
    assert said.splitlines()[0] in {"Insufficient Weight", "Normal Weight"}
    assert "Version 1" in said
    assert len(browser.find_elements(By.CSS_SELECTOR, "#answer .bar")) == 7
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_what_the_form_would_not_let_through_is_explained_when_it_gets_through(
    browser: webdriver.Chrome, address: str
) -> None:
    browser.get(address)
    browser.execute_script("document.getElementById('form').noValidate = true")
    age = browser.find_element(By.NAME, "Age")
    age.clear()
    age.send_keys("7")
    browser.find_element(By.TAG_NAME, "button").click()
    assert "Age 7 is out of range; allowed: 14 to 100 years" in answer(browser)


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (390, "light"), (390, "dark")])
def test_the_monitoring_page_shows_what_was_found_narrow_and_wide_light_and_dark(
    browser: webdriver.Chrome, busy: str, width: int, scheme: str
) -> None:
    look_as(browser, width, scheme)
    browser.get_log("browser")  # what other tests left there
    browser.get(f"{busy}/monitor?last=150")
    status = WebDriverWait(browser, 20).until(lambda b: b.find_element(By.CSS_SELECTOR, ".status"))
    assert status.text == "warn"
    assert "Age drifted" in browser.find_element(By.TAG_NAME, "main").text
    assert browser.find_element(By.ID, "advice").text
    rows = browser.find_elements(By.CSS_SELECTOR, "table.columns tbody tr")
    assert len(rows) == 18  # of 16 columns, the prediction and the labels
    assert "Age" in rows[2].text
    charts = [row.find_element(By.CSS_SELECTOR, ".chart svg") for row in rows]
    assert all(chart.is_displayed() and chart.size["width"] > 100 and chart.size["height"] > 20 for chart in charts)
    lines = browser.find_elements(By.CSS_SELECTOR, "polyline.win, rect.bar")
    colours = {line.value_of_css_property("stroke") for line in lines if line.tag_name == "polyline"}
    assert colours == {"rgb(108, 184, 218)" if scheme == "dark" else "rgb(23, 96, 127)"}
    assert "of 120 rows with labels" in browser.page_source
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def look_as(browser: webdriver.Chrome, width: int, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@pytest.mark.parametrize("path", ["/", "/monitor", "/monitor?source=current", "/monitor/reports", "/docs"])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_pages_fit_narrow_and_wide_light_and_dark(
    browser: webdriver.Chrome, address: str, path: str, width: int, scheme: str
) -> None:
    look_as(browser, width, scheme)
    browser.get(address + path)
    WebDriverWait(browser, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, "h1, h2"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    if path != "/docs":
        background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(20, 24, 29)") == (scheme == "dark")


@pytest.mark.thorough
def test_a_report_page_shows_itself_in_its_sandbox(browser: webdriver.Chrome, address: str) -> None:
    browser.get(f"{address}/monitor/data-drift?source=current")
    WebDriverWait(browser, 60).until(lambda b: "Drift" in b.execute_script("return document.body.innerText"))
    assert browser.find_elements(By.TAG_NAME, "svg")
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    assert browser.execute_script("return window.origin") == "null"  # it reaches nothing of ours
