"""A faulty configuration is an error that names the key and what is allowed."""

import copy
import re

import pytest
import torch
import torchvision
import yaml
from places import ROOT
from snakemake.cli import parse_config
from snakemake.utils import update_config
from torchvision.models import regnet

from cmrslices.config import FIXED_SIZE, NETWORKS, described_keys, load_settings
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
    (
        "cohorts.acdc.format",
        "xnat",
        r"cohorts\.acdc\.format: .*'nifti', 'acdc', 'mnms', 'cvi42' or 'dicom', not 'xnat'",
    ),
    ("cohorts.acdc.format", "dicom", r"cohorts\.acdc: format: dicom has no labels; write labels: none and frames: all"),
    (
        "cohorts.acdc.frames",
        "all",
        r"cohorts\.acdc: frames is for cohorts without labels; write labels: none, or remove",
    ),
    ("cohorts.acdc.approaches", ["baseline"], r"cohorts\.acdc: approaches is for cohorts without labels"),
    ("cohorts.nhs.labels", "none", r"cohorts\.nhs: format: cvi42 takes ED, ES and labels from workspaces; .* dicom"),
    ("cohorts.acdc.labels", "some", r"cohorts\.acdc\.labels: .*'given' or 'none', not 'some'"),
    ("models.baseline.sampling", "unifrom", r"models\.baseline: .*'uniform', 'quadratic', 'region'"),
    ("models.sampling_low", {"sampling": "quadratic"}, r"models\.sampling_low\.ratio: is missing"),
    (
        "models.base.configuration",
        "3d_fullres",
        r"models\.base: configuration: 3d_fullres needs sampling: uniform; other sampling draws single slices",
    ),
    ("models.base.configuration", "3d", r"models\.base\.configuration: .*'2d' or '3d_fullres', not '3d'"),
    ("models.base.planner", "resenc", r"models\.base\.planner: .*'default', 'resenc_m' or 'resenc_l', not 'resenc'"),
    ("models.base.batch_size", 1, r"models\.base\.batch_size: .*greater than or equal to 2, not 1"),
    ("models.base.epochs", 0, r"models\.base\.epochs: .*greater than 0, not 0"),
    ("models.base.seed", -1, r"models\.base\.seed: .*greater than or equal to 0"),
    ("models.base.learning_rate", "fast", r"models\.base\.learning_rate: .*valid number, not 'fast'"),
    ("models.base.starts_from", "best", r"models\.base\.starts_from: 'best' is not defined; there are: baseline,"),
    ("models.base.starts_from", "base", r"models\.base\.starts_from: base -> base is a circle"),
    ("models.baseline.network", "both", r"models\.baseline\.network: .*'unet' or 'joint', not 'both'"),
    ("models.apex.network", "joint", r"models\.apex\.network: joint needs sampling: uniform, because"),
    ("models.sampling_low.network", "joint", r"models\.sampling_low\.network: joint needs sampling: uniform"),
    ("segmentation.joint", {"label_smoothing": 1}, r"segmentation\.joint\.label_smoothing: .*less than 1, not 1"),
    ("quality.approaches", ["best"], r"quality\.approaches: 'best' is not defined; there are: baseline, "),
    ("quality.mass", -0.1, r"quality\.mass: .*greater than or equal to 0, not -0\.1"),
    ("quality.components", 9, r"quality\.components: unknown key; did you mean 'components_mm2'"),
    ("segmentation.joint", {"loss_weight": 0}, r"segmentation\.joint\.loss_weight: .*greater than 0, not 0"),
    ("approaches.classification.mixing", "both", r"approaches\.classification\.mixing: .*'hard' or 'soft', not 'both'"),
    (
        "approaches.classification.floor",
        0.3,
        r"approaches\.classification\.floor: .*less than or equal to 0.25, not 0.3",
    ),
    ("approaches.upper_bound.mixing", "soft", r"approaches\.upper_bound\.mixing: unknown key"),
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


NEW = {"title": "New", "format": "nifti", "folder": "new", "labels": "none"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"format": "dicom"}, r"cohorts\.new: format: dicom lists no ED and ES; write frames: all"),
        (
            {"approaches": ["upper_bound"]},
            r"cohorts\.new\.approaches: 'upper_bound' has approaches\.upper_bound\.router: reference, but the cohort "
            r"has labels: none",
        ),
        ({"approaches": ["best"]}, r"cohorts\.new\.approaches: 'best' is not defined; there are: baseline,"),
        ({"approaches": ["given"]}, r"'given' has approaches\.given\.predictions, and cannot segment"),
        ({"approaches": []}, r"cohorts\.new\.approaches: .*at least 1 item"),
    ],
)
def test_a_fault_of_a_cohort_without_labels_names_its_keys(row, message):
    config = changed("cohorts.new", {**NEW, **row})
    config["approaches"]["given"] = {"title": "Given", "predictions": "given"}
    with pytest.raises(InputError, match=message):
        load_settings(config)


def test_a_cohort_without_labels_is_no_training_cohort():
    config = changed("cohorts.new", NEW)
    with pytest.raises(InputError, match=r"training_cohort: 'new' has labels: none; name a cohort with labels"):
        load_settings({**config, "training_cohort": "new"})


def test_given_label_maps_alone_segment_no_new_patient():
    config = changed("cohorts.new", NEW)
    config["approaches"] = {"given": {"title": "Given", "predictions": "given"}}
    config["evaluation"]["baseline"] = "given"
    with pytest.raises(InputError, match=r"cohorts\.new\.approaches: no approach can segment a cohort without labels"):
        load_settings(config)


def test_a_cohort_without_labels_is_segmented_by_all_approaches_that_need_no_reference():
    settings = load_settings(changed("cohorts.new", NEW))
    assert settings.labelled() == ["nhs", "mnms", "acdc"]
    assert settings.segmented_by() == {"new": ["baseline", "sampling_low", "sampling_high", "classification"]}
    settings = load_settings(changed("cohorts.new", {**NEW, "approaches": ["classification"]}))
    assert settings.segmented_by() == {"new": ["classification"]}


def test_the_keys_of_cohorts_without_labels_are_no_part_of_the_rows_of_the_others():
    row = load_settings(DEFAULT).cohorts["acdc"].model_dump()
    assert set(row) == {"title", "format", "folder", "exclude", "csv", "label_map", "name_key"}


def test_a_circle_of_starting_weights_is_named():
    text = "models: {base: {starts_from: apex}, middle: {starts_from: base}, apex: {starts_from: middle}}"
    with pytest.raises(InputError, match="base -> apex -> middle -> base is a circle"):
        load_settings(laid_over(text))


def test_a_chain_of_starting_weights_is_named_and_refused():
    text = "models: {base: {starts_from: apex}, apex: {starts_from: baseline}}"
    with pytest.raises(InputError, match=r"models\.base\.starts_from: base -> apex -> baseline is a chain"):
        load_settings(laid_over(text))


@pytest.mark.parametrize("row", [{"configuration": "3d_fullres"}, {"planner": "resenc_m"}], ids=["3d", "resenc"])
def test_a_model_cannot_start_from_one_of_another_plan(row):
    config = changed("models.other", {"sampling": "uniform", "starts_from": "baseline", **row})
    with pytest.raises(InputError, match=r"models\.other\.starts_from: baseline has another configuration or planner"):
        load_settings(config)


def test_a_model_is_in_2d_and_of_the_default_planner_unless_its_row_says_otherwise():
    settings = load_settings(changed("models.context", {"sampling": "uniform", "configuration": "3d_fullres"}))
    assert settings.models["baseline"].plan == ("default", "2d")
    assert settings.models["context"].plan == ("default", "3d_fullres")
    assert [name for name in settings.models if settings.is_3d(name)] == ["context"]


def test_configuration_planner_and_batch_size_are_no_part_of_the_sampling_policy():
    row = {"sampling": "uniform", "configuration": "3d_fullres", "planner": "resenc_l", "batch_size": 4}
    assert load_settings(changed("models.context", row)).models["context"].policy() == {"sampling": "uniform"}


@pytest.mark.parametrize(
    ("row", "batch_size"),
    [({}, 32), ({"batch_size": 8}, 8), ({"planner": "resenc_m"}, 32), ({"configuration": "3d_fullres"}, None)],
)
def test_a_3d_model_has_no_batch_size_but_its_own(row, batch_size):
    settings = load_settings(changed("models.other", {"sampling": "uniform", **row}))
    assert settings.training_of("other").get("batch_size") == batch_size


def test_several_models_may_start_from_one():
    text = "models: {base: {starts_from: baseline}, apex: {starts_from: baseline}}"
    assert load_settings(laid_over(text)).models["apex"].starts_from == "baseline"


def test_a_model_without_own_keys_is_trained_by_those_of_all():
    settings = load_settings(DEFAULT)
    for name, row in DEFAULT["models"].items():
        assert settings.models[name].policy() == settings.models[name].model_dump() == row
        assert list(settings.training_of(name).items()) == list(settings.segmentation.training().items())
        assert settings.seed_of(name) == 2022


def test_a_models_own_keys_replace_those_of_all_for_it_only():
    text = "models: {apex: {epochs: 100, learning_rate: 3e-3, seed: 0, starts_from: baseline}}"
    settings = load_settings(laid_over(text))
    assert settings.training_of("apex") == {**settings.segmentation.training(), "epochs": 100, "learning_rate": 0.003}
    assert settings.training_of("base") == settings.segmentation.training()
    assert (settings.seed_of("apex"), settings.seed_of("base")) == (0, 2022)
    assert settings.models["apex"].policy() == {"sampling": "region", "region": "apex"}


def test_a_models_own_keys_are_taken_back_by_null():
    settings = load_settings(laid_over("models: {apex: {epochs: null, learning_rate: null, seed: null}}"))
    assert settings.models["apex"].model_dump() == DEFAULT["models"]["apex"]


def test_a_model_that_another_one_starts_from_is_trained_too():
    text = """
models: {first: {sampling: uniform}, second: {sampling: uniform, starts_from: first}, third: {sampling: uniform}}
approaches: {second: {title: Second, router: constant, model: second}}
"""
    assert load_settings(laid_over(text)).models_used() == [*DEFAULT["models"], "first", "second"]


def test_only_a_joint_model_depends_on_the_keys_of_the_region_head():
    text = "models: {joint: {sampling: uniform, network: joint}}\nsegmentation: {joint: {loss_weight: 1}}"
    settings = load_settings(laid_over(text))
    head = {"loss_weight": 1, "label_smoothing": 0.05, "learning_rate": 0.0003}
    assert settings.training_of("joint") == {**settings.segmentation.training(), "joint": head}
    assert settings.models["joint"].policy() == settings.models["baseline"].policy() == {"sampling": "uniform"}
    for name in DEFAULT["models"]:
        assert settings.training_of(name) == load_settings(DEFAULT).training_of(name)


def test_a_model_whose_network_is_written_out_is_trained_as_one_without_the_key():
    settings = load_settings(laid_over("models: {apex: {network: unet}, base: {network: null}}"))
    for name in ("apex", "base"):
        assert settings.training_of(name) == load_settings(DEFAULT).training_of(name)
        assert settings.models[name].policy() == DEFAULT["models"][name]


@pytest.mark.parametrize("key", [{"configuration": "3d_fullres"}, {"planner": "resenc_l"}], ids=str)
def test_a_joint_model_has_the_default_2d_network(key):
    with pytest.raises(
        InputError, match=r"models\.other\.network: joint has the layers of nnU-Net's default 2D network"
    ):
        load_settings(changed("models.other", {"sampling": "uniform", "network": "joint", **key}))


def test_the_keys_that_a_prediction_depends_on_name_the_mixing_only_if_it_is_soft():
    approach = load_settings(DEFAULT).approaches["classification"]
    assert set(approach.routing()) == {"router", "models"}
    soft = load_settings(changed("approaches.classification.mixing", "soft")).approaches["classification"]
    assert soft.routing() == {**approach.routing(), "mixing": "soft", "floor": 0.05}


@pytest.mark.parametrize("key", [{"configuration": "3d_fullres"}, {"planner": "resenc_m"}], ids=str)
def test_only_models_that_see_the_same_tiles_are_mixed(key):
    config = changed("models.other", {"sampling": "uniform", **key})
    config["approaches"]["classification"]["models"]["apex"] = "other"
    load_settings(config)
    config["approaches"]["classification"]["mixing"] = "soft"
    with pytest.raises(InputError, match=r"approaches\.classification\.mixing: soft needs 2D models of one planner"):
        load_settings(config)


def test_a_model_starts_only_from_one_with_the_same_network():
    first = "models: {first: {sampling: uniform, network: joint}, "
    joint = first + "joint: {sampling: uniform, network: joint, starts_from: %s}}"
    with pytest.raises(InputError, match=r"models\.joint\.starts_from: 'joint' and 'baseline' are different networks"):
        load_settings(laid_over(joint % "baseline"))
    assert load_settings(laid_over(joint % "first")).models["joint"].starts_from == "first"


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


@pytest.mark.parametrize("overlay", ["demo/demo.yaml", "remedies.yaml"])
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
    sections = {"splits", "regions", "segmentation", "classification", "evaluation", "quality", "demo"}
    assert undescribed <= sections | set(DEFAULT["classification"]["networks"])


def laid_over(text):
    """The default configuration with a user's file laid over it, as Snakemake does."""
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load(text))
    return config


def given(*arguments):
    """The default configuration with arguments of Snakemake's --config."""
    config = copy.deepcopy(DEFAULT)
    update_config(config, parse_config(arguments))
    return config


@pytest.mark.parametrize(("typed", "number"), [("1e-2", 0.01), ("1e-03", 0.001), ("5E-1", 0.5), ("1", 1)])
def test_a_number_without_a_dot_is_read(typed, number):
    settings = load_settings(laid_over(f"segmentation: {{learning_rate: {typed}}}"))
    assert settings.segmentation.learning_rate == number


def test_numbers_truth_values_and_null_of_a_nested_config_argument_are_read():
    settings = load_settings(
        given(
            "segmentation={epochs: 5, learning_rate: 1e-3, mirroring: false, "
            "plan: {features: [4, 8, 8], spacing_mm: [2.5, 2.5], patch_size_px: null}}",
            "splits={train: 0.6, validation: 0.2, test: 0.2}",
            "deterministic=true",
            "demo=null",
        )
    )
    assert (settings.segmentation.epochs, settings.segmentation.learning_rate) == (5, 0.001)
    assert settings.segmentation.mirroring is False
    assert settings.segmentation.plan.features == [4, 8, 8]
    assert settings.segmentation.plan.spacing_mm == [2.5, 2.5]
    assert settings.segmentation.plan.patch_size_px is None
    assert (settings.splits.train, settings.splits.validation) == (0.6, 0.2)
    assert settings.deterministic is True
    assert settings.demo is None


def test_counts_of_a_nested_config_argument_stay_counts():
    splits = load_settings(given("splits={train: 60, validation: 20, test: 20}")).splits
    assert [type(part) for part in (splits.train, splits.validation, splits.test)] == [int] * 3


def test_a_row_is_removed_by_null_in_a_nested_config_argument():
    assert "mnms" not in load_settings(given("cohorts={mnms: null}")).cohorts


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("segmentation: {learning_rate: 1e-x}", r"segmentation\.learning_rate: .*valid number, not '1e-x'"),
        ("segmentation: {learning_rate: fast}", r"segmentation\.learning_rate: .*valid number, not 'fast'"),
        ("segmentation: {epochs: 2.5}", r"segmentation\.epochs: .*valid integer, not 2\.5"),
        ("segmentation: {epochs: '2.5'}", r"segmentation\.epochs: .*valid integer, not '2\.5'"),
        ("segmentation: {epochs: '010'}", r"segmentation\.epochs: .*valid integer, not '010'"),
        ("segmentation: {epochs: true}", r"segmentation\.epochs: .*valid integer, not True"),
        ("segmentation: {mirroring: 'yes'}", r"segmentation\.mirroring: .*valid boolean, not 'yes'"),
        ("splits: {train: many}", r"^1 fault found:\n.*splits\.train: .*valid number, not 'many'"),
    ],
)
def test_text_that_is_no_number_stays_a_fault(value, message):
    with pytest.raises(InputError, match=message):
        load_settings(laid_over(value))


FLOATS = [
    "segmentation.learning_rate",
    "classification.learning_rate",
    "classification.field_of_view_mm",
    "models.sampling_low.ratio",
    "regions.base",
    "regions.apex",
    "splits.train",
    "splits.validation",
    "splits.test",
    "evaluation.significance",
    "segmentation.plan.spacing_mm",
]


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize("path", FLOATS)
def test_infinite_values_and_nan_are_refused(path, value):
    number = yaml.safe_load(value)
    pair = path.endswith("spacing_mm")
    with pytest.raises(InputError, match=rf"{path}.*finite number"):
        load_settings(changed(path, [number, number] if pair else number))


def test_the_largest_seed_is_torchs():
    assert load_settings(laid_over(f"seed: {2**63 - 1}")).seed == 2**63 - 1
    with pytest.raises(InputError, match=r"seed: .*less than or equal to 9223372036854775807, not 9223372036854775808"):
        load_settings(laid_over(f"seed: {2**63}"))


FOLDERS = {
    "results": "results: {}",
    "cohorts.acdc.folder": "cohorts: {{acdc: {{folder: {}}}}}",
    "demo.folder": "demo: {{folder: {}, patients: {{nhs: 3}}}}",
}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("~", "is empty; write a path"),
        ('""', "is empty; write a path"),
        ('"~"', "'~'.*write the whole path"),
        ("~/run", "'~/run'.*write the whole path: .*/run"),
        ("2022", r"the number 2022; write a path with a slash, such as \./2022"),
        ("'{cohort}'", "reads braces as wildcards"),
    ],
)
@pytest.mark.parametrize("key", FOLDERS)
def test_a_folder_that_names_none_is_refused(key, typed, message):
    with pytest.raises(InputError, match=rf"{re.escape(key)}: .*{message}"):
        load_settings(laid_over(FOLDERS[key].format(typed)))


@pytest.mark.parametrize("argument", ["results=~", "results="])
def test_an_empty_folder_of_a_config_argument_is_refused(argument):
    with pytest.raises(InputError, match=r"results: .*write"):
        load_settings(given(argument))


ROWS = {
    "cohorts": "{title: A, format: acdc, folder: a}",
    "models": "{sampling: uniform}",
    "approaches": "{title: A, router: constant, model: baseline}",
}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("no", "the truth value false"),
        ("on", "the truth value true"),
        ("001", "the number 1"),
        ("1e3", "'1e3' cannot be a name: it is read as a number"),
        ("NA", "'NA' cannot be a name: it is read as a missing value"),
        ("nan", "'nan' cannot be a name: it is read as a missing value"),
        ("'null'", "'null' cannot be a name: it is read as a missing value"),
        ("'no'", "'no' cannot be a name: it is read as a truth value"),
        ("Two", "'Two' cannot be a name; a name has lower-case letters"),
    ],
)
@pytest.mark.parametrize("table", ROWS)
def test_a_name_that_is_a_value_is_refused_with_its_table(table, typed, read):
    with pytest.raises(InputError, match=rf"configuration: {table}: .*{read}.*starts with a letter"):
        load_settings(laid_over(f"{table}: {{{typed}: {ROWS[table]}}}"))


def test_a_name_that_is_a_value_is_refused_where_a_key_refers_to_it():
    with pytest.raises(InputError, match=r"training_cohort: .*the truth value false"):
        load_settings(laid_over("training_cohort: no"))


def test_a_patients_name_that_is_a_number_is_refused():
    with pytest.raises(InputError, match=r"cohorts\.acdc\.exclude: .*the number 8; write names in quotes"):
        load_settings(laid_over("cohorts: {acdc: {exclude: {0010: blurred}}}"))


def test_a_patients_name_in_quotes_is_kept_as_typed():
    settings = load_settings(laid_over("cohorts: {acdc: {exclude: {'0010': blurred}}}"))
    assert settings.cohorts["acdc"].exclude == {"0010": "blurred"}


def test_an_approach_is_named_in_a_fault_even_if_it_is_called_like_a_router():
    with pytest.raises(InputError, match=r"approaches\.classifier\.title: "):
        load_settings(laid_over("approaches: {classifier: {title: 3, router: constant, model: baseline}}"))


def test_a_classified_approach_reads_slices_by_the_selected_network_as_the_paper_does():
    row = load_settings(DEFAULT).approaches["classification"]
    assert (row.reading, row.networks) == ("slice", "selected")


@pytest.mark.parametrize("approach", ["baseline", "upper_bound"])
@pytest.mark.parametrize("key", [{"reading": "stack"}, {"networks": "all"}])
def test_only_a_classified_approach_reads_the_classifiers(approach, key):
    with pytest.raises(InputError, match=rf"approaches\.{approach}\.{next(iter(key))}: unknown key"):
        load_settings(changed(f"approaches.{approach}", {**DEFAULT["approaches"][approach], **key}))


ROUTED = "models: {base: base, middle: middle, apex: apex, non-cardiac: baseline}"


def extent(**keys):
    """The default configuration and an approach `mine` with the router `extent`."""
    given = "".join(f"{key}: {value}, " for key, value in keys.items())
    return laid_over(f"approaches: {{mine: {{title: Mine, router: extent, {given}{ROUTED}}}}}")


def test_an_extent_alone_reads_no_network():
    row = load_settings(extent(extent_of="baseline")).approaches["mine"]
    assert (row.probabilities, row.reading_folder()) == (False, "extent/baseline")


def test_each_way_to_read_an_extent_or_the_classifiers_has_a_folder_of_its_own():
    rows = [{"probabilities": "true"}, {"probabilities": "true", "networks": "all"}]
    folders = [load_settings(extent(extent_of="apex", **row)).approaches["mine"].reading_folder() for row in rows]
    assert folders == ["extent_selected/apex", "extent_all/apex"]
    assert load_settings(DEFAULT).approaches["classification"].reading_folder() == "slice_selected"


def test_the_model_of_an_extent_is_trained_although_no_slice_is_routed_to_it():
    settings = extent(extent_of="other")
    settings["models"]["other"] = {"sampling": "uniform", "starts_from": "second"}
    settings["models"]["second"] = {"sampling": "uniform"}
    loaded = load_settings(settings)
    assert loaded.models_used()[-2:] == ["other", "second"]
    assert "other" not in loaded.approaches["mine"].models_used()
    assert loaded.extents_read() == ["other"]


def test_without_an_extent_no_model_is_read():
    assert load_settings(DEFAULT).extents_read() == []


def test_the_model_of_an_extent_must_exist():
    with pytest.raises(InputError, match=r"approaches\.mine\.extent_of: 'best' is not defined"):
        load_settings(extent(extent_of="best"))


ROW = "sampling: uniform, network: joint"
JOINT = f"models: {{joint: {{{ROW}, starts_from: first}}, first: {{{ROW}}}}}"


def head(row=ROUTED, **keys):
    """The default configuration, a joint model, and an approach `mine` with the router `classifier`."""
    given = "".join(f"{key}: {value}, " for key, value in keys.items())
    return laid_over(f"{JOINT}\napproaches: {{mine: {{title: Mine, router: classifier, {given}{row}}}}}")


def test_the_model_of_a_head_is_trained_although_no_slice_is_routed_to_it():
    loaded = load_settings(head(head_of="joint"))
    assert loaded.models_used()[-2:] == ["joint", "first"]
    assert "joint" not in loaded.approaches["mine"].models_used()
    assert loaded.heads_read() == ["joint"]


def test_an_approach_that_reads_a_head_reads_no_classifier():
    assert load_settings(head()).classified() == ["classification", "mine"]
    assert load_settings(head(head_of="joint")).classified() == ["classification"]


@pytest.mark.parametrize("reading", ["slice", "stack"])
def test_each_reading_of_a_head_has_a_folder_of_its_own(reading):
    row = load_settings(head(head_of="joint", reading=reading)).approaches["mine"]
    assert row.reading_folder() == f"{reading}_head/joint"


def test_decoders_of_a_joint_model_take_the_place_of_the_models():
    settings = load_settings(head("decoders_of: joint", head_of="joint"))
    row = settings.approaches["mine"]
    assert row.models_used() == ["joint"]
    assert row.routing() == {"router": "classifier", "decoders_of": "joint"}
    assert settings.models_of("mine") == ["joint", "first"]


def test_the_bound_of_an_approach_by_decoders_has_the_same_decoders():
    config = head("decoders_of: joint", head_of="joint")
    assert load_settings(config).bounds()["mine"] is None
    config["approaches"]["best"] = {"title": "Best", "router": "reference", "decoders_of": "joint"}
    assert load_settings(config).bounds() == {"classification": "upper_bound", "mine": "best"}


def test_keys_of_joint_models_are_not_written_down_where_they_are_not_set():
    rows = load_settings(DEFAULT).model_dump()["approaches"]
    assert not [key for row in rows.values() for key in row if key in {"head_of", "decoders_of"}]


@pytest.mark.parametrize("row", [ROUTED, "decoders_of: joint"])
def test_what_is_written_down_of_a_row_with_a_head_can_be_read_again(row):
    settings = load_settings(head(row, head_of="joint"))
    assert load_settings(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("row", "keys", "message"),
    [
        (ROUTED, {"head_of": "best"}, r"approaches\.mine\.head_of: 'best' is not defined"),
        ("decoders_of: best", {}, r"approaches\.mine: 'best' is not defined"),
        (ROUTED, {"head_of": "baseline"}, r"approaches\.mine\.head_of: 'baseline' has no head.*network: joint"),
        ("decoders_of: baseline", {}, r"approaches\.mine\.decoders_of: 'baseline' has no head.*network: joint"),
        (ROUTED, {"head_of": "joint", "networks": "all"}, r"approaches\.mine: networks is all.*remove networks"),
        (f"decoders_of: joint, {ROUTED}", {}, r"approaches\.mine: the row has models and also decoders_of; remove one"),
        ("mixing: soft", {}, r"approaches\.mine: models has no entry for non-cardiac, base, middle, apex"),
    ],
    ids=["no such head", "no such decoders", "no head", "no decoders", "networks", "both", "neither"],
)
def test_a_head_and_decoders_are_those_of_a_joint_model(row, keys, message):
    with pytest.raises(InputError, match=message):
        load_settings(head(row, **keys))


def test_all_networks_beside_an_extent_need_probabilities():
    with pytest.raises(InputError, match=r"approaches\.mine: networks is all.*write probabilities: true"):
        load_settings(extent(extent_of="baseline", networks="all"))


def test_a_reading_that_does_not_exist_is_an_error_with_what_is_allowed():
    with pytest.raises(InputError, match=r"approaches\.classification\.reading: .*'slice' or 'stack'"):
        load_settings(laid_over("approaches: {classification: {reading: volume}}"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_b_16", "takes images of one size"),
        ("maxvit_t", "takes images of one size"),
        ("resnet19", "no classification network of torchvision; .*resnet18"),
        ("fcn_resnet50", "no classification network of torchvision; .*resnet50"),
        ("no", "the truth value false"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused(name, message):
    with pytest.raises(InputError, match=rf"classification\.networks: .*{message}"):
        load_settings(laid_over(f"classification: {{networks: {{{name}: Title}}}}"))


def test_slices_too_small_for_a_network_are_refused_before_the_first_job():
    with pytest.raises(InputError, match=r"classification\.image_size_px: 62 is too small for alexnet \(63\)"):
        load_settings(laid_over("classification: {image_size_px: 62}"))
    load_settings(laid_over("classification: {image_size_px: 62, networks: {alexnet: null}}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regions: {base: 0}", r"models\.base: regions\.base is 0"),
        ("splits: {train: 1, validation: 0, test: 0}", "splits: validation is 0"),
        (
            "splits: {train: 0.8, validation: 0.2, test: 0}",
            r"splits\.test: is 0, but classification\.select_on is test",
        ),
        ("splits: {train: 0.5, validation: 0.2, test: 0.3, fold: 1}", r"fold is set, but test, 0\.3, is no whole part"),
        ("splits: {train: 0.8, validation: 0.2, test: 0, fold: 1}", r"fold is set, but test, 0, is no whole part"),
        ("splits: {train: 0.7, validation: 0.1, test: 0.2, fold: 6}", "fold is 6, but test makes 5 folds"),
        ("splits: {train: 70, validation: 10, test: 20, fold: 6}", "fold is 6, but test makes 5 folds"),
        ("evaluation: {primary: [nobody]}", r"evaluation\.primary: 'nobody' is not defined"),
        ("evaluation: {primary: [baseline]}", r"evaluation\.primary: 'baseline' is a control itself"),
        (
            "evaluation: {primary: [classification]}",
            r"evaluation\.primary: 'classification' .* has no matched",
        ),
        (
            "segmentation: {plan: {patch_size_px: [8, 8], features: [4, 4, 4, 4]}}",
            "patch_size_px leaves one pixel to the last of 4 stages",
        ),
        ("evaluation: {profile_points: 1000000}", r"evaluation\.profile_points: .*less than or equal to 10000"),
    ],
)
def test_what_would_fail_in_a_job_is_refused_before_it(text, message):
    with pytest.raises(InputError, match=message):
        load_settings(laid_over(text))


def test_what_is_recorded_of_a_configuration_has_new_keys_only_where_they_are_set():
    """So results that were made before these keys existed stay up to date."""
    plain = load_settings(DEFAULT).model_dump()
    assert "fold" not in plain["splits"]
    assert "primary" not in plain["evaluation"]
    text = "{splits: {train: 0.7, validation: 0.1, test: 0.2, fold: 3}, evaluation: {primary: [sampling_low]}}"
    chosen = load_settings(laid_over(text)).model_dump()
    assert chosen["splits"]["fold"] == 3
    assert chosen["evaluation"]["primary"] == ["sampling_low"]


def with_values(compute):
    """The function with tensors that have values: a RegNet computes its widths with them."""

    def computed(*arguments, **options):
        with torch.device("cpu"):
            return compute(*arguments, **options)

    return computed


def meta_network(name, monkeypatch):
    """A network with four outputs whose tensors have shapes, but no values."""
    options = {"aux_logits": False, "init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    monkeypatch.setattr(regnet.BlockParams, "from_init_params", with_values(regnet.BlockParams.from_init_params))
    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None, num_classes=4, **options).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_an_allowed_network_gives_logits_from_its_smallest_size_on(name, monkeypatch):
    network, size_px = meta_network(name, monkeypatch), NETWORKS[name]
    assert network(torch.zeros(1, 3, size_px, size_px, device="meta")).shape == (1, 4)
    if size_px > 32:
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 3, size_px - 1, size_px - 1, device="meta"))


@pytest.mark.parametrize("name", FIXED_SIZE)
def test_a_network_of_one_size_takes_no_other(name, monkeypatch):
    network = meta_network(name, monkeypatch)
    with pytest.raises((RuntimeError, AssertionError)):
        network(torch.zeros(1, 3, 64, 64, device="meta"))


def test_every_classification_network_of_torchvision_is_allowed_or_of_one_size():
    assert sorted([*NETWORKS, *FIXED_SIZE]) == torchvision.models.list_models(module=torchvision.models)


# ---- Approaches beside each other ---------------------------------------------


def remedies(changes="{}"):
    """The paper's configuration with remedies.yaml and further changes laid over it."""
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load((ROOT / "remedies.yaml").read_text()))
    update_config(config, yaml.safe_load(changes))
    return load_settings(config)


def test_a_model_sees_its_epochs_times_mini_batches_times_slices():
    assert remedies().slices_seen("baseline") == 1000 * 250 * 32
    assert remedies().slices_seen("apex_from_baseline") == 100 * 250 * 32


def test_an_approach_trains_the_models_of_its_router_and_those_that_they_start_from_once_each():
    settings = remedies()
    assert settings.models_of("classification") == ["baseline", "base", "middle", "apex"]
    assert settings.models_of("baseline_continued") == ["baseline", "baseline_continued"]
    regional = ["base_from_baseline", "middle_from_baseline", "apex_from_baseline"]
    assert settings.models_of("from_baseline") == ["baseline", *regional]


def test_the_training_of_the_remedies_in_multiples_of_the_baselines():
    slices = remedies().trained_slices()
    assert slices.pop("context_3d") is None  # its patches hold many slices
    ratios = {name: count / slices["baseline"] for name, count in slices.items()}
    longer = {"from_baseline": 1.3, "from_baseline_upper_bound": 1.3, "baseline_continued": 1.3}
    equal = dict.fromkeys(["baseline", "sampling_low", "sampling_high", "ratio_1", "resenc_m"], 1)
    equal |= dict.fromkeys(["joint", "joint_stack", "joint_upper_bound"], 1)
    assert ratios == {**dict.fromkeys(ratios, 4), **equal, **longer}


def test_the_remedies_have_matched_controls():
    controls = remedies().controls()
    assert controls == dict.fromkeys(controls, "baseline_long") | dict.fromkeys(
        ["from_baseline", "from_baseline_upper_bound", "baseline_continued"], "baseline_continued"
    )
    assert len(controls) == 12


def test_the_papers_approaches_have_no_matched_control():
    assert load_settings(DEFAULT).controls() == {"classification": None, "upper_bound": None}


@pytest.mark.parametrize(
    ("change", "control"),
    [
        ("{}", "baseline_long"),
        ("{models: {baseline_long: {epochs: 4200}}}", "baseline_long"),
        ("{models: {baseline_long: {epochs: 4300}}}", None),
        ("{models: {baseline_long: {starts_from: baseline, epochs: 3000}}}", None),
        ("{models: {baseline_long: {sampling: quadratic, ratio: 1}}}", None),
        ("{models: {baseline_long: {network: joint}}}", None),
        ("{models: {baseline_long: {planner: resenc_m}}}", None),
        ("{approaches: {baseline_long: null}}", None),
    ],
    ids=[
        *("as it is", "5 % more", "more than 5 % more", "another start", "another sampling", "another network"),
        *("another planner", "no such approach"),
    ],
)
def test_a_matched_control_is_trained_as_long_from_the_same_start_with_uniform_sampling(change, control):
    assert remedies(change).controls()["classification"] == control


def test_equally_long_trainings_need_no_control():
    assert "ratio_1" not in remedies().controls()
    assert remedies("{models: {ratio_1: {epochs: 1050}}}").controls().get("ratio_1", "none needed") == "none needed"
    assert remedies("{models: {ratio_1: {epochs: 1060}}}").controls()["ratio_1"] is None


def test_the_bound_of_an_approach_has_the_same_models():
    assert remedies().bounds() == {
        "classification": "upper_bound",
        "ensemble_by_region": None,
        "from_baseline": "from_baseline_upper_bound",
        "classification_stack": "upper_bound",
        "classification_stack_all": "upper_bound",
        "classification_soft": "upper_bound",
        "extent": "upper_bound",
        "extent_probabilities": "upper_bound",
        "joint_stack": "joint_upper_bound",
    }


@pytest.mark.parametrize("slice_class", ["base", "middle", "apex", "non-cardiac"])
def test_one_other_model_makes_another_bound(slice_class):
    change = f"{{approaches: {{upper_bound: {{models: {{{slice_class}: sampling_low}}}}}}}}"
    assert remedies(change).bounds()["classification"] is None


# ---- Given label maps ----------------------------------------------------------

ONLY_GIVEN = """
training_cohort: null
cohorts: {nhs: null, mnms: null}
approaches: {baseline: null, sampling_low: null, sampling_high: null, classification: null, upper_bound: null,
  ours: {title: Ours, predictions: given/ours}, theirs: {title: Theirs, predictions: given/theirs}}
evaluation: {baseline: null}
"""


def test_judge_yaml_takes_out_all_that_is_trained():
    overlay = yaml.safe_load((ROOT / "judge.yaml").read_text())
    update_config(
        overlay, yaml.safe_load("{cohorts: {acdc: {folder: a}}, approaches: {ours: {title: O, predictions: p}}}")
    )
    config = copy.deepcopy(DEFAULT)
    update_config(config, overlay)
    settings = load_settings(config)
    assert settings.given() == list(settings.approaches) == ["ours"]
    assert list(settings.cohorts) == ["acdc"]
    assert settings.models_used() == []


def test_where_all_label_maps_are_given_no_cohort_is_split_and_the_first_approach_is_the_baseline():
    settings = load_settings(laid_over(ONLY_GIVEN))
    assert settings.trained_on() is None
    assert settings.baseline() == "ours"


def test_a_training_cohort_that_is_not_there_does_not_matter_where_nothing_is_trained():
    assert load_settings(laid_over(ONLY_GIVEN.replace("training_cohort: null", "training_cohort: nhs")))


def test_the_baseline_may_be_any_approach_of_given_label_maps():
    config = laid_over(ONLY_GIVEN.replace("{baseline: null}", "{baseline: theirs}"))
    assert load_settings(config).baseline() == "theirs"


def test_given_label_maps_are_named_by_case_and_have_this_projects_values_unless_the_row_says_otherwise():
    row = load_settings(laid_over(ONLY_GIVEN)).approaches["ours"]
    assert row.names == "{case}.nii.gz"
    assert row.label_map.model_dump() == {"LVBP": 1, "LVM": 2, "RVBP": 3}


def test_given_and_trained_approaches_stand_side_by_side():
    settings = load_settings(laid_over("approaches: {ours: {title: Ours, predictions: given}}"))
    assert settings.trained_on() == "nhs"
    assert settings.baseline() == "baseline"
    assert settings.given() == ["ours"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training_cohort: null", r"training_cohort: is null, but models are trained for the approaches baseline, "),
        ("evaluation: {baseline: null}", r"evaluation\.baseline: is null, but no approach has predictions of its own"),
        (
            "approaches: {baseline: {predictions: given}}",
            r"approaches\.baseline: the row has predictions and also router, model; .* a name of their own",
        ),
        ("approaches: {ours: {predictions: given}}", r"approaches\.ours\.title: is missing"),
        ("approaches: {ours: {title: A}}", r"approaches\.ours: router must be 'constant', .*or name a folder"),
        (
            "approaches: {ours: {title: A, predictions: given, bundle: ours}}",
            r"approaches\.ours: the row has predictions and also bundle; ",
        ),
        ("approaches: {ours: {title: A, predictions: given, names: '{case}.png'}}", r"names: .*NIfTI"),
        ("approaches: {ours: {title: A, predictions: given, names: '{patient}.nii.gz'}}", r"names: .*share a file"),
        ("approaches: {ours: {title: A, predictions: given, names: '{frame}.nii.gz'}}", r"names: .*case, patient and"),
        ("approaches: {ours: {title: A, predictions: given, names: '{case.nii.gz'}}", r"names: .*write a pattern"),
        ("approaches: {ours: {title: A, predictions: given, names: '../{case}.nii.gz'}}", r"names: .*leads out"),
        ("approaches: {ours: {title: A, predictions: given, label_map: {LVM: 1}}}", r"label_map: two labels share"),
        (
            "demo: {folder: raw, patients: {acdc: 1}, predictions: {baseline: eroded}}",
            r"demo\.predictions: 'baseline' is not defined",
        ),
    ],
)
def test_a_fault_of_given_label_maps_is_named_with_its_key(text, message):
    with pytest.raises(InputError, match=message):
        load_settings(laid_over(text))


def test_a_primary_comparison_is_with_the_matched_control_or_the_baseline():
    assert remedies("evaluation: {primary: [joint, extent]}").primary() == {
        "joint": "baseline",
        "extent": "baseline_long",
    }


# ---- Bundles ----------------------------------------------------------------


def test_where_all_models_come_from_bundles_no_cohort_is_split_and_the_first_approach_is_the_baseline():
    settings = load_settings(laid_over(ONLY_GIVEN.replace("predictions: given/", "bundle: bundles/")))
    assert settings.bundled() == list(settings.approaches) == ["ours", "theirs"]
    assert settings.routed() == settings.given() == settings.models_used() == []
    assert settings.trained_on() is None
    assert settings.baseline() == "ours"


def test_bundles_stand_beside_given_label_maps_and_trained_approaches():
    text = "approaches: {theirs: {title: Theirs, bundle: bundles/theirs}, ours: {title: Ours, predictions: given}}"
    settings = load_settings(laid_over(text))
    assert (settings.bundled(), settings.given()) == (["theirs"], ["ours"])
    assert settings.trained_on() == "nhs"
    assert settings.trained_slices()["theirs"] is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "baseline: {bundle: ours}",
            r"approaches\.baseline: the row has bundle and also router, model; .* of their own",
        ),
        ("theirs: {bundle: ours}", r"approaches\.theirs\.title: is missing"),
        ("theirs: {title: A, bundle: ''}", r"approaches\.theirs\.bundle: is empty; write a path"),
        ("theirs: {title: A, bundle: ours, label_map: {LVM: 1}}", r"approaches\.theirs\.label_map: unknown key"),
    ],
)
def test_a_fault_of_a_bundle_is_named_with_its_key(row, message):
    with pytest.raises(InputError, match=message):
        load_settings(laid_over(f"approaches: {{{row}}}"))


# ---- Records of runs ----------------------------------------------------------


def test_the_record_of_a_configuration_is_read_as_this_configuration():
    settings = load_settings(DEFAULT)
    assert load_settings(settings.model_dump(mode="json")) == settings


def test_a_record_of_a_run_without_the_newer_keys_has_their_defaults():
    record = {key: value for key, value in DEFAULT.items() if key not in {"quality", "shared_cores"}}
    assert load_settings(record) == load_settings(DEFAULT)
