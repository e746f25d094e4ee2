"""A faulty configuration is an error that names the key and what is allowed."""

import copy

import pytest
import yaml
from places import ROOT

from cmrslices.config import described_keys, load_settings
from cmrslices.runtime.errors import InputError

DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path, value):
    config = copy.deepcopy(DEFAULT)
    *parents, key = path.split(".")
    section = config
    for parent in parents:
        section = section[parent]
    section[key] = value
    return config


def test_the_default_configuration_is_valid_and_the_papers():
    settings = load_settings(DEFAULT)
    assert (settings.segmentation.epochs, settings.segmentation.iterations_per_epoch) == (1000, 250)
    assert settings.segmentation.batch_size == 32
    assert settings.models["sampling_low"].ratio == 4
    assert settings.models["sampling_high"].ratio == 20
    assert (settings.splits.train, settings.splits.validation, settings.splits.test) == (3382, 846, 456)
    assert len(settings.classification.networks) == 7


FAULTS = [
    ("segmentation.epoch", 3, r"segmentation\.epoch: unknown key; did you mean 'epochs'"),
    ("sead", 3, r"sead: unknown key; did you mean 'seed'"),
    (
        "segmentation.precision",
        "fp32",
        r"segmentation\.precision: unknown key; did you mean 'precision' at the top level",
    ),
    ("epochs", 3, r"epochs: unknown key; did you mean 'segmentation\.epochs' or 'classification\.epochs'\?"),
    ("precision", "fp16", r"precision: .*'auto', 'fp32' or 'bf16', not 'fp16'"),
    ("cohorts.acdc.formt", "acdc", r"cohorts\.acdc\.formt: unknown key; did you mean 'format'"),
    ("segmentation.epochs", "many", r"segmentation\.epochs: .*integer, not 'many'"),
    ("segmentation.epochs", 0, r"segmentation\.epochs: .*greater than 0, not 0"),
    ("segmentation.mirroring", "yes", r"segmentation\.mirroring: .*boolean"),
    ("cohorts.acdc.format", "dicom", r"cohorts\.acdc\.format: .*'nifti', 'acdc', 'mnms' or 'cvi42', not 'dicom'"),
    ("models.baseline.sampling", "unifrom", r"models\.baseline: .*'uniform', 'quadratic', 'region'"),
    ("models.sampling_low", {"sampling": "quadratic"}, r"models\.sampling_low\.ratio: is missing"),
    ("models.sampling_low.ratio", 0.5, r"models\.sampling_low\.ratio: .*greater than or equal to 1"),
    ("approaches.baseline.model", "best", r"approaches\.baseline: 'best' is not defined; there are: baseline,"),
    (
        "approaches.upper_bound.models",
        {"base": "base"},
        r"approaches\.upper_bound: models has no entry for non-cardiac",
    ),
    ("training_cohort", "ukbb", r"training_cohort: 'ukbb' is not defined; there are: nhs, mnms, acdc"),
    ("evaluation.baseline", "none", r"evaluation\.baseline: 'none' is not defined"),
    ("splits", {"train": 0.7, "validation": 0.2, "test": 0.2}, r"splits: .*sum to 1\.1; give three patient counts, or"),
    ("splits", {"train": 0.7, "validation": 0.3}, r"splits\.test: is missing"),
    ("regions", {"base": 0.5, "apex": 0.5}, r"regions: base and apex leave nothing for the middle"),
    ("segmentation.plan.spacing_mm", [1.5], r"segmentation\.plan\.spacing_mm: .*at least 2"),
    ("demo", {"folder": "x", "patients": {"ukbb": 3}}, r"demo\.patients: 'ukbb' is not defined"),
]


@pytest.mark.parametrize(("path", "value", "message"), FAULTS, ids=[path for path, _, _ in FAULTS])
def test_a_fault_names_its_key_and_what_is_allowed(path, value, message):
    with pytest.raises(InputError, match=message):
        load_settings(changed(path, value))


def test_all_faults_are_reported_together():
    config = changed("segmentation.epochs", "many")
    config["seed"] = -1
    with pytest.raises(InputError, match=r"(?s)^2 faults found:.*seed.*segmentation\.epochs"):
        load_settings(config)


def test_patch_sides_must_suit_the_number_of_stages():
    plan = {"spacing_mm": None, "patch_size_px": [100, 96], "features": [16, 32, 64, 128]}
    with pytest.raises(InputError, match="patch_size_px must be divisible by 8"):
        load_settings(changed("segmentation.plan", plan))


def test_a_row_set_to_null_is_removed():
    config = changed("approaches.sampling_low", None)
    assert "sampling_low" not in load_settings(config).approaches


@pytest.mark.parametrize("overlay", ["demo/demo.yaml"])
def test_overlays_hold_only_known_keys(overlay):
    def merge(base, top):
        return {
            **base,
            **{
                k: merge(base[k], v) if isinstance(base.get(k), dict) and isinstance(v, dict) else v
                for k, v in top.items()
            },
        }

    load_settings(merge(DEFAULT, yaml.safe_load((ROOT / overlay).read_text())))


def test_every_key_of_the_default_configuration_is_described():
    described = {key.split(".")[-1] for key, _ in described_keys()}

    def keys(section, in_table):
        for key, value in section.items():
            if not in_table:
                yield key
            if isinstance(value, dict):
                table = {"cohorts", "models", "approaches"}
                yield from keys(value, key in table if not in_table else key == "models")

    undescribed = {key for key in keys(DEFAULT, False)} - described
    assert undescribed <= {"splits", "regions", "segmentation", "classification", "evaluation", "demo"} | set(
        DEFAULT["classification"]["networks"]
    )
