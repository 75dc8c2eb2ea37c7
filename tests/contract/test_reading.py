"""Reading `problem.yaml`: what holds is read, what cannot hold is refused with file, line and mend."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from labline.contract import BooleanColumn, CategoryColumn, NumberColumn, Problem, read_problem
from labline.errors import ContractError

PROBLEMS = Path(__file__).parents[2] / "problems"
SCHEMA = PROBLEMS / "problem.schema.json"

# Lines are counted in the tests: the first is 1.
CONTRACT = """\
name: loans
title: Loan default
task: binary
target: default
classes: ["no", "yes"]
id: loan_id
metric: roc_auc
sources:
  train: {csv: loans.csv}
columns:
  income: {type: number, unit: EUR, minimum: 0, maximum: 1000000, log: true, bands: [1, 2], example: 30000}
  children: {type: integer, minimum: 0, maximum: 20}
  region: {type: category, values: [north, south], example: south}
  owner: {type: boolean, missing: allow}
"""

Read = Callable[[str], Problem]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "loans").mkdir()
    return tmp_path / "loans" / "problem.yaml"


@pytest.fixture
def read(file: Path) -> Read:
    def read(text: str) -> Problem:
        file.write_text(text, encoding="utf-8")
        return read_problem(file)

    return read


def changed(old: str, new: str) -> str:
    assert CONTRACT.count(old) == 1
    return CONTRACT.replace(old, new)


# What is read


def test_a_contract_says_everything_about_the_problem(read: Read) -> None:
    problem = read(CONTRACT)

    assert (problem.name, problem.task, problem.target, problem.id) == ("loans", "binary", "default", "loan_id")
    assert problem.feature_names == ("income", "children", "region", "owner")
    assert problem.sources.train.csv == "loans.csv"
    assert problem.sources.current is None
    assert problem.columns["income"] == NumberColumn(
        type="number", unit="EUR", minimum=0, maximum=1e6, log=True, bands=(1, 2), example=30000
    )
    assert problem.columns["children"] == NumberColumn(type="integer", minimum=0, maximum=20)
    assert problem.columns["region"] == CategoryColumn(type="category", values=("north", "south"), example="south")
    assert problem.columns["owner"] == BooleanColumn(type="boolean", missing="allow")


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in PROBLEMS.glob("*/problem.yaml")))
def test_the_shipped_contracts_read_and_carry_their_folders_names(folder: str) -> None:
    assert read_problem(PROBLEMS / folder / "problem.yaml").name == folder


def test_no_and_yes_on_and_off_stay_names_and_so_do_dates(read: Read) -> None:
    problem = read(changed("[north, south], example: south", "[no, yes, on, off, No, 2024-01-31], example: no"))

    assert problem.columns["region"].values == ("no", "yes", "on", "off", "No", "2024-01-31")
    assert problem.columns["region"].example == "no"
    assert read(changed('["no", "yes"]', "[no, yes]")).classes == ("no", "yes")


def test_true_and_false_are_booleans(read: Read) -> None:
    assert read(changed("log: true", "log: false")).columns["income"].log is False


def test_a_byte_order_mark_does_no_harm(file: Path) -> None:
    file.write_bytes(CONTRACT.encode("utf-8-sig"))

    assert read_problem(file).name == "loans"


def test_columns_may_have_any_name(read: Read) -> None:
    names = ["Größe in m", "class", "2nd", "model_config", "a.b", "no"]
    text = CONTRACT + "".join(f"  {json.dumps(name, ensure_ascii=False)}: {{type: number}}\n" for name in names)

    assert read(text).feature_names[4:] == tuple(names)


# What is refused, each with its line and its mend

WRONG = {
    "minimum above maximum": (
        changed("minimum: 0, maximum: 20", "minimum: 30, maximum: 20"),
        (12, "columns.children.minimum", "minimum 30 is not below maximum 20", "swap or correct"),
    ),
    "minimum not a number": (
        changed("minimum: 0, maximum: 20", "minimum: .nan, maximum: 20"),
        (12, "columns.children.minimum", "nan: input should be a finite number", "correct the value"),
    ),
    "no whole number in the range": (
        changed("minimum: 0, maximum: 20", "minimum: 0.2, maximum: 0.7"),
        (12, "columns.children.minimum", "no whole number from 0.2 to 0.7", "widen"),
    ),
    "unknown type": (
        changed("{type: integer, minimum: 0, maximum: 20}", "{type: colour}"),
        (12, "columns.children", "there is no type 'colour'", "'number', 'integer', 'category', 'boolean'"),
    ),
    "no type": (
        changed("{type: integer, minimum: 0, maximum: 20}", "{minimum: 0}"),
        (12, "columns.children", "type is missing", "say number, integer, category, boolean, datetime"),
    ),
    "unknown key": (
        changed("title: Loan default", "titel: Loan default\ntitle: Loan default"),
        (2, "titel", "the contract has no such key", "correct its spelling"),
    ),
    "unknown key of a column": (
        changed("type: boolean, missing: allow", "type: boolean, mising: allow"),
        (14, "columns.owner.mising", "the contract has no such key", "correct its spelling"),
    ),
    "metric that does not fit the task": (
        changed("metric: roc_auc", "metric: rmse"),
        (7, "metric", "'rmse' does not fit task binary", "accuracy, f1_weighted, f1_macro, log_loss, roc_auc"),
    ),
    "target among the columns": (
        changed("target: default", "target: region"),
        (13, "columns.region", "it is the target, and cannot be a feature", "take it out"),
    ),
    "id among the columns": (
        changed("id: loan_id", "id: owner"),
        (14, "columns.owner", "it is the id, and cannot be a feature", "take it out"),
    ),
    "target as id": (
        changed("id: loan_id", "id: default"),
        (6, "id", "it is the target", "name another column"),
    ),
    "repeated value": (
        changed("[north, south]", "[north, south, north]"),
        (13, "columns.region.values", "'north' stands twice", "name each value once"),
    ),
    "repeated class": (
        changed('["no", "yes"]', "[no, no]"),
        (5, "classes", "a value stands twice", "name each once"),
    ),
    "three classes of two": (
        changed('["no", "yes"]', "[no, maybe, yes]"),
        (5, "classes", "3 given", "task binary takes 2"),
    ),
    "classes of a number": (
        changed("task: binary", "task: regression").replace("roc_auc", "rmse"),
        (5, "classes", "2 given", "task regression takes 0"),
    ),
    "a number among the values": (
        changed("[north, south]", "[north, south, 3]"),
        (13, "columns.region.values.2", "3: a name is wanted", "put it in quotes"),
    ),
    "true among the classes": (
        changed('["no", "yes"]', "[false, yes]"),
        (5, "classes.0", "False: a name is wanted", "put it in quotes"),
    ),
    "a number as a column's name": (
        f"{CONTRACT}  2024: {{type: number}}\n",
        (15, "columns.2024", "2024: a name is wanted", "put it in quotes"),
    ),
    "no values": (
        changed("[north, south], example: south", "[]"),
        (13, "columns.region.values", "at least 1 item", "correct the value"),
    ),
    "duplicate column": (
        f"{CONTRACT}  income: {{type: number}}\n",
        (15, "", "'income' stands twice (first on line 11)", "keep one of them"),
    ),
    "duplicate key": (
        changed("id: loan_id", "id: loan_id\ntask: binary"),
        (7, "", "'task' stands twice (first on line 3)", "keep one of them"),
    ),
    "missing task": (
        changed("task: binary\n", ""),
        (1, "task", "missing", "add it"),
    ),
    "unknown task": (
        changed("task: binary", "task: clustering"),
        (3, "task", "'clustering': input should be 'binary', 'multiclass', 'multilabel' or 'regression'", "correct"),
    ),
    "bad name": (
        changed("name: loans", "name: My Loans"),
        (1, "name", "'My Loans': string should match", "correct the value"),
    ),
    "example outside the range": (
        changed("example: 30000", "example: -1"),
        (11, "columns.income.example", "-1 is outside minimum and maximum", "choose one inside"),
    ),
    "example among no values": (
        changed("example: south", "example: west"),
        (13, "columns.region.example", "'west' is not one of values", "choose one of them"),
    ),
    "half an example": (
        changed("minimum: 0, maximum: 20", "minimum: 0, maximum: 20, example: 1.5"),
        (12, "columns.children.example", "1.5 is not a whole number", "choose one that is"),
    ),
    "log without minimum": (
        changed("minimum: 0, maximum: 1000000, log", "maximum: 1000000, log"),
        (11, "columns.income.log", "log needs a minimum of 0 or more", "give one, or take log out"),
    ),
    "log below zero": (
        changed("minimum: 0, maximum: 1000000", "minimum: -1, maximum: 1000000"),
        (11, "columns.income.log", "log needs a minimum of 0 or more", "give one, or take log out"),
    ),
    "bands out of order": (
        changed("bands: [1, 2]", "bands: [2, 1]"),
        (11, "columns.income.bands", "the limits do not ascend", "sort them"),
    ),
    "segments of a column that is not there": (
        changed("id: loan_id", "id: loan_id\nsegments: [colour]"),
        (7, "segments", "there is no column 'colour'", "name columns of the contract"),
    ),
    "segments by a moment": (
        changed("id: loan_id", "id: loan_id\nsegments: [day]") + "  day: {type: datetime}\n",
        (7, "segments", "'day' is of type datetime, which makes no segments", "category, boolean, number or integer"),
    ),
    "segments by a text": (
        changed("id: loan_id", "id: loan_id\nsegments: [said]") + "  said: {type: text}\n",
        (7, "segments", "'said' is of type text", "category, boolean, number or integer"),
    ),
    "segments by one column twice": (
        changed("id: loan_id", "id: loan_id\nsegments: [region, region]"),
        (7, "segments", "a column stands twice", "name each once"),
    ),
    "both competition and dataset": (
        changed("{csv: loans.csv}", "{kaggle: {competition: a, dataset: b/c, file: d.csv}}"),
        (9, "sources.train.kaggle", "the place is not clear", "either a competition or a dataset"),
    ),
    "neither competition nor dataset": (
        changed("{csv: loans.csv}", "{kaggle: {file: d.csv}}"),
        (9, "sources.train.kaggle", "the place is not clear", "either a competition or a dataset"),
    ),
    "a dataset without owner": (
        changed("{csv: loans.csv}", "{kaggle: {dataset: c, file: d.csv}}"),
        (9, "sources.train.kaggle.dataset", "'c' is not of the form owner/name", "copy it from the page"),
    ),
    "two places": (
        changed("{csv: loans.csv}", "{csv: a.csv, parquet: b.parquet}"),
        (9, "sources.train", "2 places named", "exactly one of kaggle, file, csv, parquet, sql"),
    ),
    "no place": (
        changed("{csv: loans.csv}", "{}"),
        (9, "sources.train", "0 places named", "exactly one of kaggle, file, csv, parquet, sql"),
    ),
    "no columns": (
        CONTRACT[: CONTRACT.index("  income")],
        (10, "columns", "None", "correct the value"),
    ),
    "a tab": (
        f"{CONTRACT}\tage: {{type: number}}\n",
        (15, "", "not YAML", "indent with spaces"),
    ),
    "a colon too many": (
        changed("title: Loan default", "title: Loan default: yes"),
        (2, "", "not YAML: mapping values are not allowed here", "correct the line"),
    ),
    "a letter that no editor shows": (
        changed("title: Loan default", "title: Loan\x07default"),
        (2, "", "not YAML: special characters are not allowed", "take out"),
    ),
    "an object of Python": (
        changed("title: Loan default", "title: !!python/object/apply:os.getcwd []"),
        (2, "", "not YAML", "correct the line"),
    ),
    "far too many brackets": ("name: " + "[" * 100_000, (1, "", "nested too deeply", "docs/your-own-data.md")),
    "what holds itself": ("name: &loan [*loan]\n", (1, "", "within itself", "docs/your-own-data.md")),
    "a list": ("- a\n- b\n", (1, "", "no contract in it", "docs/your-own-data.md")),
    "nothing": ("", (1, "", "no contract in it", "docs/your-own-data.md")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_contract_is_refused_with_file_line_what_and_mend(wrong: str, read: Read, file: Path) -> None:
    text, (line, place, what, mend) = WRONG[wrong]
    with pytest.raises(ContractError) as caught:
        read(text)

    assert caught.value.where == f"{file}:{line}"
    assert caught.value.what.startswith(place)
    assert what in caught.value.what
    assert mend in str(caught.value.mend)


def test_all_that_is_wrong_is_told_at_once_from_top_to_bottom(read: Read, file: Path) -> None:
    text = changed("example: south", "example: west").replace("title: Loan default\n", "").replace("integer", "colour")
    with pytest.raises(ContractError) as caught:
        read(text)

    said = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in said] == [f"{file}:{number}" for number in (1, 11, 12)]
    assert all(word in line for word, line in zip(("title", "'colour'", "'west'"), said, strict=True))
    assert all("Mend: " in line for line in said)


def test_a_contract_that_is_not_utf8_is_refused(file: Path) -> None:
    file.write_bytes(changed("Loan default", "Crédit").encode("latin-1"))
    with pytest.raises(ContractError, match="not UTF-8") as caught:
        read_problem(file)

    assert caught.value.where == str(file)


def test_an_unknown_problem_is_answered_with_the_name_that_is_near(tmp_path: Path) -> None:
    for name in ("obesity", "loans"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "problem.yaml").touch()

    with pytest.raises(ContractError, match="there is no problem 'obestiy'") as caught:
        read_problem(tmp_path / "obestiy" / "problem.yaml")
    assert caught.value.mend == "did you mean 'obesity'?"
    assert caught.value.where == str(tmp_path / "obestiy" / "problem.yaml")

    with pytest.raises(ContractError) as caught:
        read_problem(tmp_path / "wine" / "problem.yaml")
    assert caught.value.mend == "use one of: loans, obesity"


def test_where_there_is_no_problem_at_all_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="none is there yet"):
        read_problem(tmp_path / "wine" / "problem.yaml")


# The schema for editors


class NamesStay(yaml.SafeLoader):
    """YAML as editors read it, 1.2: yes and no are names."""


NamesStay.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not (tag.endswith(":bool") and first in "yYnNoO")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_schema_in_the_folder_is_the_one_the_package_makes() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "labline.contract.schema"], capture_output=True, check=True, timeout=60, encoding="utf-8"
    )

    assert made.stdout == SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(PROBLEMS.glob("*/problem.yaml")), ids=lambda file: file.parent.name)
def test_the_schema_accepts_the_shipped_contracts(file: Path) -> None:
    validator().validate(yaml.load(file.read_text(encoding="utf-8"), Loader=NamesStay))


@pytest.mark.parametrize(
    "wrong", ["unknown type", "unknown key", "unknown key of a column", "missing task", "bad name", "no values"]
)
def test_the_schema_refuses_what_an_editor_can_see(wrong: str) -> None:
    assert validator().is_valid(yaml.load(CONTRACT, Loader=NamesStay))
    assert not validator().is_valid(yaml.load(WRONG[wrong][0], Loader=NamesStay))


@pytest.mark.parametrize("file", sorted(PROBLEMS.glob("*/problem.yaml")), ids=lambda file: file.parent.name)
def test_the_shipped_contracts_tell_editors_where_the_schema_is(file: Path) -> None:
    marker, _, address = file.read_text(encoding="utf-8").splitlines()[0].partition("=")

    assert marker == "# yaml-language-server: $schema"
    assert (file.parent / address).samefile(SCHEMA)
