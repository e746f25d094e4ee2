"""Routed prediction against stock nnU-Net, with networks of a tiny size."""

import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tiny_plans import DATASET, MODELS, PATCH, PLANS, PLANS_OF

from cmrslices.classification.probabilities import write_selected_regions
from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction import cohort, sliding_window
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.prediction.sliding_window import load_segmenter, places, routed_logits, stack_logits
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.preprocessed import write_preprocessed
from cmrslices.segmentation.preprocessing import preprocess

SHAPES = {"c_p1_ED": (5, 30, 40), "c_p1_ES": (4, 80, 70), "c_p2_ED": (3, 60, 50)}  # of one, nine and four tiles a slice
TILES = {"c_p1_ED": 1, "c_p1_ES": 9, "c_p2_ED": 4}
MIRRORED_PASSES = 4
EVERY_MODEL = sorted(PLANS_OF)
CONSTANT = {"router": "constant", "model": "baseline"}
ROUTED = {"base": "base", "middle": "baseline", "apex": "apex", "non-cardiac": "baseline"}
MIXED = {"base": "context", "middle": "baseline", "apex": "strong", "non-cardiac": "baseline"}


def build_network(model):
    architecture = configuration_of(model).configuration["architecture"]
    return get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        len(DATASET["labels"]),
        deep_supervision=False,
    )


def configuration_of(model):
    return PlansManager(PLANS_OF[model]).get_configuration(model)


def mirrored_axes(model):
    return tuple(range(len(configuration_of(model).patch_size)))


def write_model(folder, seed):
    """A model folder as training leaves it, untrained."""
    torch.manual_seed(seed)
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(PLANS_OF[folder.name]))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    checkpoint = {
        "network_weights": build_network(folder.name).state_dict(),
        "init_args": {"configuration": folder.name},
        "trainer_name": "SliceTrainer",
        "inference_allowed_mirroring_axes": mirrored_axes(folder.name),
    }
    torch.save(checkpoint, folder / "fold_0/checkpoint_final.pth")


def waves(shape, rng):
    """A positive image of smooth patterns."""
    where = np.indices(shape).reshape(3, -1)
    return sum(2 + np.sin(rng.uniform(0, 0.4, 3) @ where) for _ in range(5)).reshape(shape)


class Project:
    """Images of different sizes with empty borders, preprocessed for 2D and 3D models, and the models."""

    def __init__(self, root):
        self.root = root
        self.weights = {model: root / f"models/{model}/fold_0/checkpoint_final.pth" for model in EVERY_MODEL}
        self.regions = root / "slices.csv"
        for seed, model in enumerate(EVERY_MODEL):
            write_model(root / "models" / model, seed)
        rng = np.random.default_rng(0)
        (root / "images").mkdir()
        stores = {"preprocessed": PLANS, "preprocessed_3d": PLANS_OF["context"]}
        for store in stores:
            (root / store).mkdir()
        for case, shape in SHAPES.items():
            array = np.zeros(shape, np.float32)
            array[:, 2:-2, 3:-1] = waves(shape, rng)[:, 2:-2, 3:-1]
            array[0] *= case != "c_p1_ED"
            image = sitk.GetImageFromArray(array)
            image.SetSpacing((1.5, 1.5, 8))
            sitk.WriteImage(image, self.image(case))
            for store, plans in stores.items():
                write_preprocessed(root / store, case, preprocess(self.image(case), PlansManager(plans), DATASET))
        self.split(list(SHAPES))
        rows = [
            {"case": case, "slice": index, "region": region}
            for case, shape in SHAPES.items()
            for index, region in enumerate(["base", *["middle"] * (shape[0] - 2), "apex"])
        ]
        pd.DataFrame(rows).to_csv(self.regions, index=False)

    def image(self, case):
        return self.root / f"images/{case}_0000.nii.gz"

    def split(self, cases):
        """Make these the test cases, in this order."""
        pd.DataFrame({"case": cases, "split": "test"}).to_csv(self.root / "splits.csv", index=False)

    def predict(self, approach, regions=None, name="predicted"):
        """Label maps by case, and the table of routes."""
        folder = self.root / name
        predict_cohort(
            approach=approach,
            weights=[str(self.weights[model]) for model in sorted(models_of(approach))],
            regions=regions,
            store=str(self.root / "preprocessed"),
            store_3d=str(self.root / "preprocessed_3d"),
            splits=str(self.root / "splits.csv"),
            mirroring=True,
            precision="fp32",
            threads=1,
            labels=str(folder / "labels"),
            routes=str(folder / "routes.csv"),
        )
        maps = {path.name.split(".")[0]: read(path) for path in (folder / "labels").iterdir()}
        return maps, pd.read_csv(folder / "routes.csv")


def models_of(approach):
    return {approach["model"]} if approach["router"] == "constant" else set(approach["models"].values())


def read(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(path))


@pytest.fixture
def stock_adds_up_in_float32(monkeypatch):
    """Stock nnU-Net sums tiles in float16, whose rounding decides near ties of these untrained networks."""
    monkeypatch.setattr(torch, "half", torch.float32)


def stock_predictor(weights):
    """Stock nnU-Net's predictor of a model, default settings."""
    model = weights.parts[-3]
    checkpoint = torch.load(weights, weights_only=True)
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    parameters = [checkpoint["network_weights"]]
    plans, configuration = PlansManager(PLANS_OF[model]), configuration_of(model)
    predictor.manual_initialization(
        build_network(model), plans, configuration, parameters, DATASET, "SliceTrainer", mirrored_axes(model)
    )
    return predictor


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def passes(monkeypatch):
    """Shapes of the batches that each model's network is given."""
    given = {}

    def load(*arguments):
        model, segmenter = load_segmenter(*arguments)
        given[model] = []
        segmenter.network.register_forward_pre_hook(lambda _, inputs: given[model].append(tuple(inputs[0].shape)))
        return model, segmenter

    monkeypatch.setattr(cohort, "load_segmenter", load)
    return given


def stock_label_maps(project, model):
    stock = stock_predictor(project.weights[model])
    files = [[str(project.image(case))] for case in SHAPES]
    outputs = [str(project.root / case) for case in SHAPES]
    stock.predict_from_files_sequential(files, outputs, save_probabilities=False, overwrite=True)
    return {case: read(f"{output}.nii.gz") for case, output in zip(SHAPES, outputs, strict=True)}


def test_label_maps_are_those_of_stock_nnunet(project, stock_adds_up_in_float32):
    predicted, _ = project.predict(CONSTANT)
    theirs = stock_label_maps(project, "baseline")
    assert {case: labels.shape for case, labels in predicted.items()} == SHAPES
    assert all(len(np.unique(labels)) > 1 for labels in theirs.values())
    equal = np.concatenate([(predicted[case] == theirs[case]).ravel() for case in SHAPES])
    assert equal.mean() >= 0.9999


@pytest.mark.parametrize("model", ["strong", "context"])
def test_label_maps_in_3d_and_of_a_residual_encoder_are_those_of_stock_nnunet(project, stock_adds_up_in_float32, model):
    predicted, _ = project.predict({"router": "constant", "model": model})
    theirs = stock_label_maps(project, model)
    assert all(len(np.unique(labels)) > 1 for labels in theirs.values())
    assert [case for case in SHAPES if not np.array_equal(predicted[case], theirs[case])] == []


def test_logits_are_those_of_stock_nnunet(project, stock_adds_up_in_float32):
    weights = project.weights["apex"]
    stack = torch.randn(1, 2, 50, 41)
    stock = stock_predictor(weights).predict_logits_from_preprocessed_data(stack)
    _, segmenter = load_segmenter(weights, True, torch.device("cpu"))
    (ours,) = routed_logits([stack], [["apex", "apex"]], {"apex": segmenter})
    torch.testing.assert_close(ours, stock, atol=1e-4, rtol=1e-4)


def test_logits_of_whole_stacks_are_those_of_stock_nnunet(project, stock_adds_up_in_float32):
    weights = project.weights["context"]
    stacks = [torch.randn(1, 7, 50, 41), torch.randn(1, 4, 32, 40)]
    stock = stock_predictor(weights)
    _, segmenter = load_segmenter(weights, True, torch.device("cpu"))
    for stack, ours in zip(stacks, stack_logits(stacks, "context", segmenter), strict=True):
        torch.testing.assert_close(ours, stock.predict_logits_from_preprocessed_data(stack), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("router", ["reference", "classifier"])
def test_a_routed_label_map_is_put_together_of_its_models_label_maps(project, router):
    regions = project.regions
    if router == "classifier":
        table = pd.read_csv(regions)
        probabilities = pd.get_dummies(table["region"]).reindex(columns=list(SLICE_CLASSES), fill_value=0).astype(float)
        selected, file, regions = (project.root / name for name in ("selected.yaml", "resnet18.csv", "regions.csv"))
        selected.write_text("network: resnet18\n")
        table[["case", "slice"]].join(probabilities).to_csv(file, index=False)
        write_selected_regions(selected, ["resnet18"], [file], regions)
    routed, routes = project.predict({"router": router, "models": ROUTED}, regions)
    alone = {model: project.predict({"router": "constant", "model": model}, name=model)[0] for model in MODELS}
    for case, labels in routed.items():
        models = routes.loc[routes["case"] == case, "model"]
        assert models.tolist() == ["base", *["baseline"] * (len(labels) - 2), "apex"]
        expected = np.stack([alone[model][case][index] for index, model in enumerate(models)])
        assert (labels == expected).mean() >= 0.9999
    assert any((alone["base"][case] != alone["apex"][case]).any() for case in routed)


def test_a_label_map_of_2d_and_3d_models_is_put_together_of_its_models_label_maps(project):
    routed, routes = project.predict({"router": "reference", "models": MIXED}, project.regions)
    models = set(MIXED.values())
    alone = {model: project.predict({"router": "constant", "model": model}, name=model)[0] for model in models}
    for case, labels in routed.items():
        of_slice = routes.loc[routes["case"] == case, "model"]
        assert of_slice.tolist() == ["context", *["baseline"] * (len(labels) - 2), "strong"]
        expected = np.stack([alone[model][case][index] for index, model in enumerate(of_slice)])
        assert (labels == expected).mean() >= 0.9999
        assert any((alone[model][case] != alone["baseline"][case]).any() for model in ("context", "strong"))


def test_a_3d_model_is_not_run_on_a_case_without_a_slice_for_it(project, passes):
    table = pd.read_csv(project.regions)
    table.loc[(table["case"] != "c_p2_ED") & (table["region"] == "base"), "region"] = "non-cardiac"
    table.to_csv(project.regions, index=False)
    project.predict({"router": "reference", "models": MIXED}, project.regions)
    few = sum(shape[0] for shape in passes["context"])
    project.split(["c_p2_ED"])
    project.predict({"router": "constant", "model": "context"})
    assert few == sum(shape[0] for shape in passes["context"]) > 0


def test_each_slice_goes_through_its_model_only_once_per_mirrored_pass(project, passes):
    project.predict({"router": "reference", "models": ROUTED}, project.regions)
    tiles = {model: sum(shape[0] for shape in shapes) for model, shapes in passes.items()}
    ends = sum(TILES.values())
    empty = TILES["c_p1_ED"]  # its basal slice is all zero, and nnU-Net crops it away
    middle = sum((SHAPES[case][0] - 2) * TILES[case] for case in SHAPES)
    assert tiles == {
        "base": (ends - empty) * MIRRORED_PASSES,
        "apex": ends * MIRRORED_PASSES,
        "baseline": middle * MIRRORED_PASSES,
    }


def test_slices_of_many_cases_share_a_batch(project, passes):
    project.predict({"router": "reference", "models": ROUTED}, project.regions)
    assert passes["apex"] == [(sum(TILES.values()), 1, *PATCH)] * MIRRORED_PASSES


def test_the_size_of_a_batch_does_not_change_logits(project, monkeypatch):
    _, segmenter = load_segmenter(project.weights["apex"], True, torch.device("cpu"))
    stacks = [torch.randn(1, 3, 40, 32), torch.randn(1, 1, 32, 32)]
    models = [["apex"] * 3, ["apex"]]
    together = routed_logits(stacks, models, {"apex": segmenter})
    monkeypatch.setitem(sliding_window.PIXELS_PER_BATCH, "cpu", 1)
    for one, other in zip(together, routed_logits(stacks, models, {"apex": segmenter}), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_order_of_cases_changes_nothing(project):
    first, routes = project.predict(CONSTANT)
    project.split(list(SHAPES)[::-1])
    second, same_routes = project.predict(CONSTANT, name="reversed")
    assert all(np.array_equal(first[case], second[case]) for case in SHAPES)
    pd.testing.assert_frame_equal(routes, same_routes)


def test_a_half_done_folder_is_completed_and_overwritten(project):
    whole, _ = project.predict(CONSTANT)
    labels = project.root / "predicted/labels"
    (labels / "c_p1_ED.nii.gz").write_bytes(b"half a file")
    (labels / "c_p2_ED.nii.gz").unlink()
    again, _ = project.predict(CONSTANT)
    assert all(np.array_equal(whole[case], again[case]) for case in SHAPES)


def test_a_cohort_without_test_cases_has_an_empty_table_of_routes(project):
    project.split([])
    labels, routes = project.predict(CONSTANT)
    assert labels == {}
    assert routes.columns.tolist() == ["case", "slice", "model"]
    assert routes.empty


def test_without_mirroring_each_tile_is_passed_once(project):
    _, segmenter = load_segmenter(project.weights["apex"], False, torch.device("cpu"))
    assert segmenter.mirrored_axes == [()]


def test_the_shares_of_overlapping_tiles_add_up_to_one():
    stack = torch.zeros(1, 2, 50, 41)
    total = torch.zeros(50, 41)
    for rows, columns, share in places(stack, PATCH):
        total[rows, columns] += share
    torch.testing.assert_close(total, torch.ones(50, 41))


def test_the_shares_of_overlapping_tiles_of_a_stack_add_up_to_one():
    total = torch.zeros(7, 50, 41)
    for *place, share in places(torch.zeros(1, 7, 50, 41), (4, *PATCH)):
        total[tuple(place)] += share
    torch.testing.assert_close(total, torch.ones(7, 50, 41))


def test_a_slice_of_one_tile_keeps_its_prediction():
    ((rows, columns, share),) = places(torch.zeros(1, 2, *PATCH), PATCH)
    assert (rows, columns) == (slice(0, PATCH[0]), slice(0, PATCH[1]))
    assert (share == 1).all()


def test_damaged_weights_are_named_with_the_remedy(project):
    weights = project.weights["baseline"]
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"checkpoint_final\.pth: .*delete the file and run again$"):
        project.predict(CONSTANT)
