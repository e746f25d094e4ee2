"""Segmentation with bundles: the label maps of the run that they were made of, to the voxel, and nothing unchecked."""

import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
import yaml
from tiny_models import waves
from tiny_results import NETWORKS, Results

from cmrslices.classification.extent_reading import write_extent_reading, write_weighed_reading
from cmrslices.classification.inference import classify
from cmrslices.classification.probabilities import write_selected_regions
from cmrslices.classification.readings import write_classifier_reading
from cmrslices.cohorts.regions import PAPER
from cmrslices.commands.bundling import make_bundle
from cmrslices.prediction.bundle import MANIFEST, seal_bundle
from cmrslices.prediction.bundle_networks import checked_bundle
from cmrslices.prediction.bundle_prediction import predict_bundled
from cmrslices.prediction.bundle_preprocessing import preprocess_bundled
from cmrslices.prediction.cohort import predict_cohort
from cmrslices.prediction.extent import find_extent
from cmrslices.prediction.heads import name_regions
from cmrslices.runtime.errors import InputError
from cmrslices.segmentation.preprocessing import preprocess_cohort

SHAPES = {"new_p1_ED": (5, 30, 40), "new_p1_ES": (4, 60, 50)}
SELECTED = ("baseline", "context", "joint", "classification", "stack", "soft", "mixed", "in_3d")
HEADS = ("head", "decoders")
EXTENTS = ("extent", "extent_3d", "weighed")


class Study:
    """A finished run, a cohort that it has never seen, and what the run's own files make of it."""

    def __init__(self, folder):
        self.folder = folder
        self.results = Results(folder / "results").make()
        self.configuration = yaml.safe_load((folder / "results/provenance.yaml").read_text())["configuration"]
        self.images, self.splits = folder / "images", str(folder / "splits.csv")
        self.images.mkdir()
        rng = np.random.default_rng(0)
        for case, shape in SHAPES.items():
            image = sitk.GetImageFromArray(waves(shape, rng).astype(np.float32))
            image.SetSpacing((1.5, 1.5, 8))
            sitk.WriteImage(image, self.images / f"{case}_0000.nii.gz")
        pd.DataFrame({"case": list(SHAPES), "patient": "p1", "split": "test"}).to_csv(self.splits, index=False)
        self.stores = {"store": str(folder / "preprocessed"), "store_3d": str(folder / "preprocessed_3d")}
        for store, plans in zip(self.stores.values(), (self.results.plans, self.results.plans_3d), strict=True):
            preprocess_cohort(str(plans), str(self.results.raw), str(self.images), self.splits, 1, store)
        self.probabilities = []
        for network in NETWORKS:
            self.probabilities.append(str(folder / f"{network}.csv"))
            classify(
                weights=self.results.classifier(network),
                store=self.stores["store"],
                splits=self.splits,
                threads=1,
                probabilities=self.probabilities[-1],
            )

    def predicted_by_the_run(self, name):
        """Folder of the label maps by an approach, from the files of the results folder."""
        row = self.configuration["approaches"][name]
        one = row.get("model") or row.get("decoders_of")
        models = [one] if one else sorted(set(row["models"].values()))
        folder = self.folder / f"by_the_run/{name}"
        folder.mkdir(parents=True)
        predict_cohort(
            approach=row,
            weights=[self.results.weights(model) for model in models],
            regions=self._regions(row, folder) if row["router"] != "constant" else None,
            **self.stores,
            splits=self.splits,
            mirroring=True,
            precision="fp32",
            threads=1,
            labels=str(folder / "labels"),
            routes=str(folder / "routes.csv"),
        )
        return folder

    def _regions(self, row, folder):
        regions = str(folder / "regions.csv")
        networks = {"networks": list(NETWORKS), "probabilities": self.probabilities}
        read = {"chosen": row["networks"], "selected": str(self.results.selected), **networks}
        read |= {"calibration": str(self.results.calibration)}
        if "head_of" in row:
            head, weights = str(folder / "head.csv"), self.results.weights("joint")
            name_regions(weights, self.stores["store"], self.splits, True, "fp32", 1, head)
            read = {"chosen": "all", "selected": None, "networks": ["joint"], "probabilities": [head]}
            calibration = str(self.results.head_calibration)
            write_classifier_reading(row["reading"], **read, calibration=calibration, rule=PAPER, regions=regions)
        elif row["router"] == "extent":
            extent, model = str(folder / "extent.csv"), row["extent_of"]
            find_extent(model, self.results.weights(model), **self.stores, splits=self.splits, mirroring=True,
                        precision="fp32", threads=1, extent=extent)  # fmt: skip
            training = (self.results.extent(model), self.results.slices, self.results.splits)
            if row["probabilities"]:
                write_weighed_reading(extent, *training, **read, rule=PAPER, regions=regions)
            else:
                write_extent_reading(extent, *training, rule=PAPER, regions=regions)
        elif (row["reading"], row["networks"], row["mixing"]) == ("slice", "selected", "hard"):
            write_selected_regions(self.results.selected, **networks, regions=regions)
        else:
            write_classifier_reading(row["reading"], **read, rule=PAPER, regions=regions)
        return regions

    def predicted_by_a_bundle(self, name):
        """Folder of the label maps by an approach, from nothing but its bundle."""
        bundle, folder = self.folder / f"bundles/{name}", self.folder / f"by_a_bundle/{name}"
        make_bundle(self.results.root, name, bundle)
        preprocess_bundled(str(bundle), str(self.images), self.splits, 1, str(folder / "store"))
        predict_bundled(
            bundle=str(bundle),
            store=str(folder / "store"),
            splits=self.splits,
            threads=1,
            labels=str(folder / "labels"),
            routes=str(folder / "routes.csv"),
            record=str(folder / "bundle.yaml"),
        )
        return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def bundle(study, tmp_path):
    """A bundle to damage."""
    make_bundle(study.results.root, "classification", tmp_path / "bundle")
    return tmp_path / "bundle"


def read(file):
    return sitk.GetArrayFromImage(sitk.ReadImage(file))


def reseal(folder, **changes):
    """Hashes that fit changed files."""
    content = yaml.safe_load((folder / MANIFEST).read_text())
    kept = {key: value for key, value in content.items() if key not in {"format", "files", "sha256"}}
    seal_bundle(folder, {**kept, **changes})


@pytest.mark.parametrize("name", [*SELECTED, *HEADS, *EXTENTS])
def test_a_bundle_gives_the_label_maps_of_its_run_to_the_voxel(study, name):
    by_the_run, by_a_bundle = study.predicted_by_the_run(name), study.predicted_by_a_bundle(name)
    assert (by_a_bundle / "routes.csv").read_text() == (by_the_run / "routes.csv").read_text()
    for case in SHAPES:
        expected = read(by_the_run / f"labels/{case}.nii.gz")
        assert len(np.unique(expected)) > 1
        np.testing.assert_array_equal(read(by_a_bundle / f"labels/{case}.nii.gz"), expected)
    assert (by_a_bundle / "bundle.yaml").read_text() == (study.folder / f"bundles/{name}/{MANIFEST}").read_text()


def test_nothing_is_unpickled_but_tensors_numbers_and_text(bundle):
    class Code:
        def __reduce__(self):
            return (print, ("this ran",))

    torch.save({"state_dict": Code()}, bundle / "classifiers/shufflenet_v2_x0_5/weights.pth")
    reseal(bundle)
    with pytest.raises(InputError, match=r"shufflenet_v2_x0_5/weights\.pth: holds something else than tensors"):
        checked_bundle(str(bundle))


def test_a_pickle_without_torchs_layout_is_not_read(bundle):
    (bundle / "models/apex/fold_0/checkpoint_final.pth").write_bytes(pickle.dumps({"a": 1}))
    reseal(bundle)
    with pytest.raises(InputError, match=r"apex/fold_0/checkpoint_final\.pth: "):
        checked_bundle(str(bundle))


def test_a_network_that_cannot_be_built_here_is_named_with_the_versions(bundle):
    file = bundle / "models/apex/plans.json"
    plans = json.loads(file.read_text())
    plans["configurations"]["2d"]["architecture"]["arch_kwargs"]["a_later_key"] = True
    file.write_text(json.dumps(plans))
    reseal(bundle)
    with pytest.raises(
        InputError, match=r"apex/fold_0/.* cannot build this network .*a_later_key.* made with nnunetv2 1\.0 \(here"
    ):
        checked_bundle(str(bundle))


def test_weights_that_do_not_fit_their_plans_are_named(bundle):
    shutil.copy(bundle / "models/apex/fold_0/checkpoint_final.pth", bundle / "models/base/fold_0/checkpoint_final.pth")
    reseal(bundle)
    checked_bundle(str(bundle))  # alike but for their name
    content = torch.load(bundle / "models/apex/fold_0/checkpoint_final.pth", weights_only=True)
    content["network_weights"].popitem()
    torch.save(content, bundle / "models/base/fold_0/checkpoint_final.pth")
    reseal(bundle)
    with pytest.raises(InputError, match=r"base/fold_0/checkpoint_final\.pth: .* cannot build this network"):
        checked_bundle(str(bundle))


@pytest.mark.parametrize("name", ["os.system", "dynamic_network_architectures.architectures.unet.Other"])
@pytest.mark.parametrize("place", ["network_class_name", "conv_op"])
def test_plans_import_no_class_but_those_that_this_workflow_trains(bundle, name, place):
    file = bundle / "models/apex/plans.json"
    plans = json.loads(file.read_text())
    architecture = plans["configurations"]["2d"]["architecture"]
    (architecture if place == "network_class_name" else architecture["arch_kwargs"])[place] = name
    file.write_text(json.dumps(plans))
    reseal(bundle)
    with pytest.raises(InputError, match=r"apex/plans\.json: names a network or a layer"):
        checked_bundle(str(bundle))


def test_a_damaged_bundle_is_refused_before_anything_is_preprocessed(study, bundle, tmp_path):
    card = bundle / "card.md"
    card.write_text(card.read_text() + " ")
    with pytest.raises(InputError, match=r"card\.md: was changed or damaged"):
        preprocess_bundled(str(bundle), str(study.images), study.splits, 1, str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()
