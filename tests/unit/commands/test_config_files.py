"""What is generated from the configuration's models is up to date, and editors get it right."""

import json

import jsonschema
import pytest
import yaml
from places import ROOT

from cmrslices.commands.config_files import configuration_table, editor_schema, with_table

CONFIGURATIONS = ("config.yaml", "remedies.yaml", "demo/demo.yaml", "public/public.yaml", "public/small.yaml")


def faults(configuration):
    return list(jsonschema.Draft7Validator(json.loads(editor_schema())).iter_errors(configuration))


def test_the_documented_table_of_keys_is_up_to_date():
    document = (ROOT / "docs/configuration.md").read_text()
    assert configuration_table() in document
    assert with_table(document) == document


def test_the_schema_for_editors_is_up_to_date():
    assert (ROOT / "config.schema.json").read_text() == editor_schema()


def test_the_configuration_names_the_schema_for_editors():
    first = (ROOT / "config.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=config.schema.json"


@pytest.mark.parametrize("file", CONFIGURATIONS)
def test_an_editor_finds_no_fault_in_a_configuration_of_the_project(file):
    assert faults(yaml.safe_load((ROOT / file).read_text())) == []


@pytest.mark.parametrize(
    "overlay",
    [
        {"cohorts": {"nhs": None}},
        {"models": {"sampling_low": {"ratio": 5}}},
        {"classification": {"networks": {"alexnet": None, "resnet50": "ResNet50"}}},
    ],
)
def test_a_file_that_holds_only_what_differs_has_no_fault(overlay):
    assert faults(overlay) == []


@pytest.mark.parametrize(
    "overlay",
    [
        {"segmentation": {"epoch": 3}},
        {"models": {"a": {"sampling": "unifrom"}}},
        {"seed": -1},
        {"cohorts": {"Two words": {"title": "x"}}},
        {"cohorts": {"nhs": {"title": 3}}},
    ],
)
def test_an_editor_marks_a_misspelt_key_and_a_wrong_value(overlay):
    assert len(faults(overlay)) == 1
