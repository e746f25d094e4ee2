"""Planning and preprocessing on forked processes give what nnU-Net's own commands give."""

import json
import multiprocessing
import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import blosc2
import numpy as np
import pandas as pd
import pytest
import torch
from batchgenerators.utilities.file_and_folder_operations import save_json
from damage import DAMAGES
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from raw_cohorts import save

from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.nnunet import PLANS, set_nnunet_folders
from cmrslices.segmentation.planning import PLANNERS, dataset_fingerprint, plan_segmentation, plan_variant
from cmrslices.segmentation.preprocessing import preprocess_segmentation

DATASET = "Dataset001_tiny"
SPLITS = {"tiny_p0_ED": "train", "tiny_p1_ED": "train", "tiny_p2_ED": "validation", "tiny_p3_ED": "test"}
STORES = {"2d": "store/2d", "3d_fullres": "store_3d/3d_fullres"}
UNCHANGED = {"spacing_mm": None, "patch_size_px": None, "features": None}


def paths(root):
    """Where the rules put what is planned and stored."""
    preprocessed = root / f"nnunet/preprocessed/{DATASET}"
    return SimpleNamespace(
        raw=root / f"nnunet/raw/{DATASET}/dataset.json",
        preprocessed=preprocessed,
        fingerprint=preprocessed / "dataset_fingerprint.json",
        plans=preprocessed / f"{PLANS}.json",
        folds=preprocessed / "splits_final.json",
        store=preprocessed / "store",
    )


@contextmanager
def few_samples():
    """Let nnU-Net draw fewer than its 10^8 voxels for the fingerprint."""
    whole = DatasetFingerprintExtractor.__init__

    def smaller(self, *arguments, **keywords):
        whole(self, *arguments, **keywords)
        self.num_foreground_voxels_for_intensitystats = 3e4

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetFingerprintExtractor, "__init__", smaller)
        yield


@pytest.fixture(scope="module", autouse=True)
def few_samples_in_each_test():
    with few_samples():
        yield


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Cases of different spacing, so that some are resampled; with zeros, that are cropped; one without a label."""
    folder = tmp_path_factory.mktemp("cohort")
    draw = np.random.default_rng(0)
    for number, case in enumerate(SPLITS):
        label = np.zeros((40, 36, 5), np.uint8)
        if number != 1:
            label[12:28, 12:26, 1:], label[16:24, 16:22, 1:], label[28:33, 14:24, 1:4] = 2, 1, 3
        image = (label * 100 + draw.integers(0, 50, label.shape)).astype(np.int16)
        image[:, :4] = 0
        affine = np.diag([1.2 + 0.2 * number, 1.2 + 0.2 * number, 8, 1])
        save(image, folder / f"images/{case}_0000.nii.gz", affine)
        save(label, folder / f"labels/{case}.nii.gz", affine)
    pd.Series(SPLITS, name="split").rename_axis("case").to_csv(folder / "splits.csv")
    return folder


def prepare(cohort, root, threads):
    """Plan and preprocess as the rules do."""
    made = paths(root)
    parts = (cohort / name for name in ("images", "labels", "splits.csv"))
    plan_segmentation(*parts, UNCHANGED, made.raw, made.plans, made.folds, threads)
    preprocess_segmentation(made.plans, made.raw, made.store, threads)
    return made


def prepare_on_two_processes(cohort, root):
    """Plan and preprocess in a process that has used torch's threads, as one of a job may have."""
    torch.set_num_threads(2)
    torch.nn.functional.conv2d(torch.ones(8, 8, 64, 64), torch.ones(8, 8, 3, 3))
    with few_samples():
        prepare(cohort, root, threads=2)


@pytest.fixture(scope="module")
def ours(cohort, tmp_path_factory):
    """From a new process: this one may have used Blosc2's threads, for which a fork could wait for ever."""
    root = tmp_path_factory.mktemp("ours")
    process = multiprocessing.get_context("spawn").Process(target=prepare_on_two_processes, args=(cohort, root))
    process.start()
    process.join()
    assert process.exitcode == 0
    return paths(root)


@pytest.fixture(scope="module")
def stock(ours, tmp_path_factory):
    """The same data set by nnU-Net's own code, on its own processes."""
    made = paths(tmp_path_factory.mktemp("stock"))
    made.raw.parent.mkdir(parents=True)
    dataset = json.loads(ours.raw.read_text())
    for files in dataset["dataset"].values():
        files["images"] = [str((ours.raw.parent / image).resolve()) for image in files["images"]]
        files["label"] = str((ours.raw.parent / files["label"]).resolve())
    made.raw.write_text(json.dumps(dataset))
    set_nnunet_folders(made.preprocessed)
    DatasetFingerprintExtractor(DATASET, num_processes=1).run(overwrite_existing=True)
    ExperimentPlanner(DATASET, plans_name=PLANS).plan_experiment()
    DefaultPreprocessor(verbose=False).run(DATASET, "2d", PLANS, num_processes=1)
    return made


def stored(cases):
    """What the store holds: arrays with their types, and properties. How Blosc2 packs an array may differ."""
    arrays = {path.name: blosc2.open(str(path), mode="r")[:] for path in cases.glob("*.b2nd")}
    packed = {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}
    return packed | {path.name: path.read_bytes() for path in cases.glob("*.pkl")}


def test_the_fingerprint_is_nnunets_to_the_byte(ours, stock):
    assert ours.fingerprint.read_bytes() == stock.fingerprint.read_bytes()


def test_an_unchanged_plan_is_nnunets_2d_plan(ours, stock):
    planned = json.loads(stock.plans.read_text())
    planned["configurations"] = {"2d": {**planned["configurations"]["2d"], "data_identifier": "store/2d"}}
    assert json.loads(ours.plans.read_text()) == planned


def test_the_stored_arrays_and_properties_are_nnunets(ours, stock):
    store = stored(ours.store / "2d")
    assert "tiny_p0_ED.b2nd" in store
    assert store == stored(stock.preprocessed / "nnUNetPlans_2d")


VARIANTS = [("default", "3d_fullres"), *((name, which) for name in ("resenc_m", "resenc_l") for which in STORES)]


@pytest.fixture(scope="module")
def variants(ours):
    """The plans of the other configurations and planners, unchanged."""
    for planner, configuration in VARIANTS:
        file = ours.preprocessed / f"nnUNetPlans_{planner}_{configuration}.json"
        plan_variant(ours.raw, UNCHANGED, planner, configuration, file)
    return {variant: json.loads(variant_file(ours, *variant).read_text()) for variant in VARIANTS}


def variant_file(made, planner, configuration):
    return made.preprocessed / f"nnUNetPlans_{planner}_{configuration}.json"


@pytest.mark.parametrize(("planner", "configuration"), VARIANTS)
def test_an_unchanged_variant_is_nnunets_plan(variants, stock, planner, configuration):
    set_nnunet_folders(stock.preprocessed)
    planned = PLANNERS[planner](DATASET, plans_name="theirs").plan_experiment()
    of_configuration = {**planned["configurations"][configuration], "data_identifier": STORES[configuration]}
    planned |= {"configurations": {configuration: of_configuration}, "plans_name": PLANS}
    assert variants[planner, configuration] == json.loads(json.dumps(planned))


def test_the_planners_plan_one_store(variants, ours):
    network = {"architecture", "patch_size", "batch_size", "batch_dice"}
    plans = {**variants, ("default", "2d"): json.loads(ours.plans.read_text())}
    for (planner, configuration), planned in plans.items():
        default = plans["default", configuration]["configurations"][configuration]
        mine = planned["configurations"][configuration]
        changed = {key for key in default if default[key] != mine[key]}
        assert changed <= network, planner


def test_a_variant_leaves_the_default_plan_alone(variants, ours):
    assert list(json.loads(ours.plans.read_text())["configurations"]) == ["2d"]


def test_the_store_of_3d_models_is_nnunets(variants, ours, stock, tmp_path):
    preprocess_segmentation(variant_file(ours, "default", "3d_fullres"), ours.raw, tmp_path / "store_3d", threads=1)
    store = stored(tmp_path / "store_3d/3d_fullres")
    set_nnunet_folders(stock.preprocessed)
    DefaultPreprocessor(verbose=False).run(DATASET, "3d_fullres", PLANS, num_processes=1)
    assert "tiny_p0_ED.b2nd" in store
    assert store == stored(stock.preprocessed / "nnUNetPlans_3d_fullres")


def test_stacks_of_one_slice_have_no_3d_plan(tmp_path):
    label = np.zeros((40, 36, 1), np.uint8)
    label[12:28, 12:26] = 1
    for name, voxels in (("images/a_0000", label * 100), ("labels/a", label)):
        save(voxels.astype(np.int16), tmp_path / f"{name}.nii.gz", np.diag([1.2, 1.2, 8, 1]))
    pd.DataFrame({"case": ["a"], "split": ["train"]}).to_csv(tmp_path / "splits.csv", index=False)
    made = paths(tmp_path)
    parts = (tmp_path / name for name in ("images", "labels", "splits.csv"))
    plan_segmentation(*parts, UNCHANGED, made.raw, made.plans, made.folds, threads=1)
    with pytest.raises(InputError, match="one slice each; remove 'configuration: 3d_fullres' from the rows of models"):
        plan_variant(made.raw, UNCHANGED, "default", "3d_fullres", variant_file(made, "default", "3d_fullres"))


def test_the_number_of_processes_changes_no_fingerprint_and_no_store(ours, tmp_path):
    set_nnunet_folders(ours.preprocessed)
    alone = dataset_fingerprint(DatasetFingerprintExtractor(DATASET), threads=1)
    save_json(alone, str(tmp_path / "fingerprint.json"))
    assert (tmp_path / "fingerprint.json").read_bytes() == ours.fingerprint.read_bytes()
    preprocess_segmentation(ours.plans, ours.raw, tmp_path / "store", threads=1)
    assert stored(tmp_path / "store/2d") == stored(ours.store / "2d")


EACH_FILE = pytest.mark.parametrize("file", ["images/tiny_p1_ED_0000.nii.gz", "labels/tiny_p2_ED.nii.gz"])
EACH_DAMAGE = pytest.mark.parametrize("damage", DAMAGES)


def damaged_copy(cohort, folder, file, damage):
    """Copy the cohort and spoil one file of the copy."""
    copy = shutil.copytree(cohort, folder / "cohort")
    damage(copy / file)
    return copy


@EACH_FILE
@EACH_DAMAGE
def test_a_training_file_that_is_not_whole_is_named_before_the_fingerprint(cohort, tmp_path, file, damage):
    with pytest.raises(InputError, match=f"{file}: cannot be read .*; delete the folder"):
        prepare(damaged_copy(cohort, tmp_path, file, damage), tmp_path, threads=1)


@EACH_FILE
@EACH_DAMAGE
def test_a_training_file_that_is_not_whole_is_named_before_it_is_stored(cohort, ours, tmp_path, file, damage):
    copy = damaged_copy(cohort, tmp_path, file, damage)
    dataset = json.loads(ours.raw.read_text())
    for case, files in dataset["dataset"].items():
        files["images"] = [str(copy / f"images/{case}_0000.nii.gz")]
        files["label"] = str(copy / f"labels/{case}.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps(dataset))
    with pytest.raises(InputError, match=f"{file}: cannot be read .*; delete the folder"):
        preprocess_segmentation(ours.plans, tmp_path / "dataset.json", tmp_path / "store", threads=1)
