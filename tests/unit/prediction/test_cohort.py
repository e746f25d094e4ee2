"""Routed prediction against stock nnU-Net, with networks of a tiny size."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from simulated_cuda import simulated_cuda
from tiny_models import build_network, configuration_of, mirrored_axes, waves, write_model
from tiny_plans import DATASET, MODELS, PATCH, PLANS, PLANS_OF

from cmrslices.classification.probabilities import read_probabilities, write_selected_regions
from cmrslices.classification.readings import write_classifier_reading
from cmrslices.cohorts.regions import PAPER
from cmrslices.labels import SLICE_CLASSES
from cmrslices.prediction import cohort, sliding_window
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.prediction.extent import find_extent
from cmrslices.prediction.heads import name_regions
from cmrslices.prediction.sliding_window import (
    load_segmenter,
    mixed_logits,
    places,
    region_probabilities,
    routed_logits,
    stack_logits,
)
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.preprocessed import read_preprocessed, write_preprocessed
from cmrslices.segmentation.preprocessing import preprocess

SHAPES = {"c_p1_ED": (5, 30, 40), "c_p1_ES": (4, 80, 70), "c_p2_ED": (3, 60, 50)}  # of one, nine and four tiles a slice
TILES = {"c_p1_ED": 1, "c_p1_ES": 9, "c_p2_ED": 4}
AXES = ((), (2,), (3,), (2, 3))
MIRRORED_PASSES = len(AXES)
EVERY_MODEL = sorted(PLANS_OF)
CONSTANT = {"router": "constant", "model": "baseline"}
ROUTED = {"base": "base", "middle": "baseline", "apex": "apex", "non-cardiac": "baseline"}
MIXED = {"base": "context", "middle": "baseline", "apex": "strong", "non-cardiac": "baseline"}
SOFT = {"router": "classifier", "models": ROUTED, "mixing": "soft", "floor": 0.05}


class Project:
    """Images of different sizes with empty borders, preprocessed for 2D and 3D models, and the models."""

    def __init__(self, root):
        self.root = root
        self.weights = {model: root / f"models/{model}/fold_0/checkpoint_final.pth" for model in EVERY_MODEL}
        self.regions = root / "slices.csv"
        for seed, model in enumerate(EVERY_MODEL):
            write_model(root / "models" / model, model, seed)
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

    def weigh(self, certain):
        """Write the weights of the regions: `certain` for each slice's own, the rest for another one."""
        table = pd.read_csv(self.regions)
        own = pd.get_dummies(table["region"]).reindex(columns=list(SLICE_CLASSES), fill_value=0).astype(float)
        other = pd.get_dummies(table["region"].map({"base": "middle", "middle": "apex", "apex": "middle"}))
        other = other.reindex(columns=list(SLICE_CLASSES), fill_value=0).astype(float)
        table.join(certain * own + (1 - certain) * other).to_csv(self.root / "weights.csv", index=False)
        return self.root / "weights.csv"

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

    def extent(self, model):
        """The table of the slices in which a model finds a label, and the files that were written beside it."""
        folder = self.root / "extent"
        folder.mkdir()
        find_extent(
            model=model,
            weights=str(self.weights[model]),
            store=str(self.root / "preprocessed"),
            store_3d=str(self.root / "preprocessed_3d"),
            splits=str(self.root / "splits.csv"),
            mirroring=True,
            precision="fp32",
            threads=1,
            extent=str(folder / "extent.csv"),
        )
        return pd.read_csv(folder / "extent.csv"), sorted(path.name for path in folder.iterdir())

    def head(self, model):
        """The file of the region probabilities by the head of a model."""
        name_regions(
            weights=str(self.weights[model]),
            store=str(self.root / "preprocessed"),
            splits=str(self.root / "splits.csv"),
            mirroring=True,
            precision="fp32",
            threads=1,
            probabilities=str(self.root / "head.csv"),
        )
        return self.root / "head.csv"


def models_of(approach):
    one = approach.get("model") or approach.get("decoders_of")
    return {one} if one else set(approach["models"].values())


def name_always(weights, region):
    """Let the head of a joint model be certain of one region, whatever it sees."""
    checkpoint = torch.load(weights, weights_only=True)
    network = checkpoint["network_weights"]
    network["head.1.weight"].zero_()
    network["head.1.bias"].fill_(-torch.inf)
    network["head.1.bias"][SLICE_CLASSES.index(region)] = 0
    torch.save(checkpoint, weights)


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


@pytest.mark.parametrize("model", ["apex", "joint"])
def test_logits_are_those_of_stock_nnunet(project, stock_adds_up_in_float32, model):
    weights = project.weights[model]
    stack = torch.randn(1, 2, 50, 41)
    stock = stock_predictor(weights).predict_logits_from_preprocessed_data(stack)
    _, segmenter = load_segmenter(weights, True, torch.device("cpu"))
    (ours,) = routed_logits([stack], [[{model: 1}] * 2], {model: segmenter})
    torch.testing.assert_close(ours, stock, atol=1e-4, rtol=1e-4)


def test_of_a_joint_model_probabilities_are_averaged_as_logarithms_over_mirrored_passes(project):
    _, segmenter = load_segmenter(project.weights["joint"], True, torch.device("cpu"))
    tile = torch.randn(1, 1, *PATCH)
    passes = [segmenter.network(tile.flip(axes)).flip(axes) for axes in AXES]
    assert all(torch.allclose(one.exp().sum(1), torch.ones(1, *PATCH)) for one in passes)
    torch.testing.assert_close(segmenter.logits(tile), torch.stack(passes).mean(0))


def test_region_probabilities_of_a_stack_are_means_over_tiles_and_mirrored_passes(project):
    _, segmenter = load_segmenter(project.weights["joint"], True, torch.device("cpu"))
    stack = torch.randn(1, 3, 50, 41)
    rows, columns = (0, 9, 18), (0, 9)
    tiles = [stack[0, :, None, top : top + 32, left : left + 32] for top in rows for left in columns]
    passes = [segmenter.network.region_probabilities(tile.flip(axes)) for tile in tiles for axes in AXES]
    probabilities = region_probabilities(stack, segmenter)
    torch.testing.assert_close(probabilities, torch.stack(passes).mean(0))
    assert probabilities.std(dim=0).min() > 0  # slices differ


def test_a_model_without_a_region_head_has_no_region_probabilities(project):
    _, segmenter = load_segmenter(project.weights["apex"], True, torch.device("cpu"))
    with pytest.raises(InputError, match="network: joint"):
        region_probabilities(torch.randn(1, 1, *PATCH), segmenter)


def test_a_joint_model_can_be_the_model_of_a_region(project):
    models = {**ROUTED, "apex": "joint"}
    routed, routes = project.predict({"router": "reference", "models": models}, project.regions)
    joint, _ = project.predict({"router": "constant", "model": "joint"}, name="joint")
    for case, labels in routed.items():
        assert routes.loc[routes["case"] == case, "model"].tolist()[-1] == "joint"
        assert (labels[-1] == joint[case][-1]).mean() >= 0.9999


def test_the_head_of_a_joint_model_names_all_slices_in_the_form_of_the_classifiers(project):
    file = project.head("joint")
    table = read_probabilities(file)
    assert table.columns.tolist() == ["case", "slice", *SLICE_CLASSES]
    assert file.read_text().splitlines()[1] == "c_p1_ED,0,1.000000,0.000000,0.000000,0.000000"
    assert table.groupby("case", sort=False).size().to_dict() == {case: shape[0] for case, shape in SHAPES.items()}
    values = table[list(SLICE_CLASSES)].to_numpy()
    assert values.sum(axis=1) == pytest.approx(np.ones(len(values)), abs=1e-5)
    assert values[0].tolist() == [1, 0, 0, 0]  # the basal slice of c_p1_ED is all zero, and nnU-Net crops it away
    _, segmenter = load_segmenter(project.weights["joint"], True, torch.device("cpu"))
    preprocessed = read_preprocessed(project.root / "preprocessed", "c_p1_ES")
    expected = region_probabilities(torch.from_numpy(preprocessed.voxels), segmenter)
    own = table.loc[table["case"] == "c_p1_ES", list(SLICE_CLASSES)].to_numpy()
    assert own == pytest.approx(expected.numpy(), abs=1e-5)


def test_without_cases_the_head_names_nothing(project):
    project.split([])
    assert read_probabilities(project.head("joint")).columns.tolist() == ["case", "slice", *SLICE_CLASSES]


def test_a_model_without_a_head_names_no_regions(project):
    with pytest.raises(InputError, match="network: joint"):
        project.head("apex")


@pytest.mark.parametrize("mixing", [{}, {"mixing": "soft", "floor": 0.05}], ids=["hard", "soft"])
@pytest.mark.parametrize("region", ["base", "apex"])
def test_decoders_that_are_chosen_by_a_certain_head_segment_as_the_joint_model_does(project, region, mixing):
    name_always(project.weights["joint"], region)
    (project.root / "calibration.yaml").write_text("all: {temperature: 1.0}\n")
    regions = project.root / "regions.csv"
    files = {"calibration": project.root / "calibration.yaml", "regions": regions}
    write_classifier_reading("slice", "all", None, ["joint"], [project.head("joint")], rule=PAPER, **files)
    routed, routes = project.predict({"router": "classifier", "decoders_of": "joint", **mixing}, regions)
    joint, _ = project.predict({"router": "constant", "model": "joint"}, name="joint")
    kept = routes.query("case != 'c_p1_ED' or slice > 0")  # the one that nnU-Net cropped away
    assert set(kept["model"]) == {f"joint/{region}"}
    assert all((routed[case] == joint[case]).mean() >= 0.9999 for case in SHAPES)


def test_each_slice_goes_to_the_decoder_of_its_region(project):
    routed, routes = project.predict({"router": "reference", "decoders_of": "joint"}, project.regions)
    alone = {}
    for region in ("base", "middle", "apex"):
        name_always(project.weights["joint"], region)
        alone[region], _ = project.predict({"router": "constant", "model": "joint"}, name=region)
    for case, labels in routed.items():
        of_slice = routes.loc[routes["case"] == case, "model"]
        assert of_slice.tolist() == ["joint/base", *["joint/middle"] * (len(labels) - 2), "joint/apex"]
        expected = np.stack([alone[model.split("/")[1]][case][index] for index, model in enumerate(of_slice)])
        assert (labels == expected).mean() >= 0.9999
        assert (alone["base"][case] != alone["apex"][case]).any()


def test_logits_of_whole_stacks_are_those_of_stock_nnunet(project, stock_adds_up_in_float32):
    weights = project.weights["context"]
    stacks = [torch.randn(1, 7, 50, 41), torch.randn(1, 4, 32, 40)]
    stock = stock_predictor(weights)
    _, segmenter = load_segmenter(weights, True, torch.device("cpu"))
    for stack, ours in zip(stacks, stack_logits(stacks, segmenter), strict=True):
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
    mixtures = [[{"apex": 1}] * 3, [{"apex": 1}]]
    together = routed_logits(stacks, mixtures, {"apex": segmenter})
    monkeypatch.setitem(sliding_window.PIXELS_PER_BATCH, "cpu", 1)
    for one, other in zip(together, routed_logits(stacks, mixtures, {"apex": segmenter}), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_batch_that_is_too_large_for_the_gpu_is_computed_in_halves(project, capsys):
    def too_small(_, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    _, segmenter = load_segmenter(project.weights["apex"], True, torch.device("cpu"))
    tiles = torch.randn(5, 1, *PATCH)
    expected = segmenter.logits(tiles)
    segmenter.network.register_forward_pre_hook(too_small)
    torch.testing.assert_close(segmenter.logits(tiles), expected, atol=1e-5, rtol=1e-5)
    assert "too small for 5 tiles at once; going on with half of them" in capsys.readouterr().out


def test_a_gpu_that_is_too_small_for_one_tile_is_a_fault(project):
    def too_small(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    _, segmenter = load_segmenter(project.weights["apex"], True, torch.device("cpu"))
    segmenter.network.register_forward_pre_hook(too_small)
    with pytest.raises(torch.OutOfMemoryError):
        segmenter.logits(torch.randn(2, 1, *PATCH))


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
    assert routes.columns.tolist() == ["case", "slice", "model", "weight"]
    assert routes.empty


def test_soft_routing_with_certain_regions_equals_hard_routing_to_the_bit(project):
    hard, routes = project.predict({"router": "classifier", "models": ROUTED}, project.regions)
    soft, same_routes = project.predict(SOFT, project.weigh(certain=1), name="soft")
    assert all(np.array_equal(hard[case], soft[case]) for case in SHAPES)
    pd.testing.assert_frame_equal(routes, same_routes)


def test_each_slice_of_a_stack_is_mixed_from_its_own_models(project):
    segmenters = dict(load_segmenter(project.weights[model], True, torch.device("cpu")) for model in MODELS)
    stack = torch.randn(1, 3, 50, 41)
    mixtures = [{"base": 0.6, "baseline": 0.4}, {"baseline": 1.0}, {"apex": 0.2, "base": 0.5, "baseline": 0.3}]
    (mixed,) = routed_logits([stack], [mixtures], segmenters)
    alone = {model: routed_logits([stack], [[{model: 1.0}] * 3], segmenters)[0].softmax(dim=0) for model in MODELS}
    for z, mixture in enumerate(mixtures):
        expected = sum(weight * alone[model][:, z] for model, weight in mixture.items())
        torch.testing.assert_close(mixed[:, z].softmax(dim=0), expected, atol=1e-5, rtol=1e-4)


def test_the_softmax_of_mixed_logits_is_the_weighted_sum_of_the_softmax():
    logits = {"base": torch.randn(4, 5, 5) * 20, "apex": torch.randn(4, 5, 5) * 20}
    mixed = mixed_logits(logits, {"base": 0.3, "apex": 0.7}).softmax(dim=0)
    torch.testing.assert_close(mixed, 0.3 * logits["base"].softmax(dim=0) + 0.7 * logits["apex"].softmax(dim=0))


def test_a_slice_goes_through_the_models_above_the_floor_only(project, passes, capsys):
    project.predict({**SOFT, "floor": 0.25}, project.weigh(certain=0.8))
    hard = sum(shape[0] for case, shape in SHAPES.items())
    assert f"{hard} slices, {hard} times through a model: 1.00 per slice" in capsys.readouterr().out
    project.predict({**SOFT, "floor": 0.1}, project.weigh(certain=0.8))
    assert f"{hard} slices, {2 * hard} times through a model: 2.00 per slice" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["baseline", "context"])
def test_the_extent_is_where_the_models_own_label_maps_have_a_label(project, monkeypatch, model):
    """The network of these tests finds labels nearly everywhere, so its background is favoured in all but one case."""
    write = cohort.label_map_of

    def emptied(logits, case, parts):
        label_map = write(logits, case, parts)
        label_map[:: 1 if case.name == "c_p1_ES" else 2] = 0
        return label_map

    monkeypatch.setattr(cohort, "label_map_of", emptied)
    maps, _ = project.predict({"router": "constant", "model": model})
    found, _ = project.extent(model)
    assert found.columns.tolist() == ["case", "slice", "found"]
    for case, labels in maps.items():
        own = found[found["case"] == case]
        assert own["slice"].tolist() == list(range(len(labels)))
        assert own["found"].tolist() == labels.any(axis=(1, 2)).tolist()
    assert set(found["found"]) == {True, False}


def test_the_extent_is_that_of_validation_and_test_cases_and_of_no_training_case(project):
    splits = {"c_p1_ED": "validation", "c_p1_ES": "train", "c_p2_ED": "test"}
    pd.DataFrame(splits.items(), columns=["case", "split"]).to_csv(project.root / "splits.csv", index=False)
    found, _ = project.extent("apex")
    assert found.groupby("case").size().to_dict() == {case: SHAPES[case][0] for case in ("c_p1_ED", "c_p2_ED")}


def test_no_label_map_of_an_extent_is_kept(project):
    assert project.extent("baseline")[1] == ["extent.csv"]


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


ON_GPU = {
    "one model": CONSTANT,
    "by region": {"router": "reference", "models": ROUTED},
    "2D and 3D": {"router": "reference", "models": MIXED},
    "mixed": SOFT,
    "joint network": {"router": "constant", "model": "joint"},
    "decoders of a joint network": {"router": "classifier", "mixing": "soft", "floor": 0.05, "decoders_of": "joint"},
}


@pytest.mark.parametrize("name", ON_GPU)
def test_on_a_gpu_label_maps_and_routes_are_those_of_the_cpu(project, monkeypatch, name):
    """On a CPU, networks compute in the memory format channels last, which rounds otherwise; not here."""
    monkeypatch.setattr(sliding_window, "channels_last", lambda network: network)
    regions = project.weigh(0.7) if ON_GPU[name].get("mixing") else project.regions
    regions = None if ON_GPU[name]["router"] == "constant" else regions
    expected, routes = project.predict(ON_GPU[name], regions, "cpu")
    with simulated_cuda() as counts:
        predicted, on_gpu = project.predict(ON_GPU[name], regions, "gpu")
    pd.testing.assert_frame_equal(on_gpu, routes)
    assert {case: labels.tolist() for case, labels in predicted.items()} == {
        case: labels.tolist() for case, labels in expected.items()
    }
    assert counts.operators > 0


def test_on_a_gpu_the_head_names_the_regions_of_the_cpu(project, monkeypatch):
    monkeypatch.setattr(sliding_window, "channels_last", lambda network: network)
    expected = project.head("joint").read_text()
    with simulated_cuda():
        assert project.head("joint").read_text() == expected


def test_damaged_weights_are_named_with_the_remedy(project):
    weights = project.weights["baseline"]
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"checkpoint_final\.pth: .*delete the file and run again$"):
        project.predict(CONSTANT)
