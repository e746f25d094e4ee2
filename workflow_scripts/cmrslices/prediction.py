"""Routed prediction: every slice of a case through its own model, on nnU-Net's tiles."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.inference.sliding_window_prediction import compute_gaussian
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tqdm import tqdm

from cmrslices.devices import autocast, best_device
from cmrslices.routing import Router, make_router

TILES_PER_PASS = 16


class SlicePredictor(nnUNetPredictor):
    """nnU-Net's predictor for 2D models, several tiles per forward pass.

    Tiles, mirroring and Gaussian weighting are nnU-Net's; stock nnU-Net passes one tile at a time.
    """

    @torch.inference_mode()
    def _internal_predict_sliding_window_return_logits(
        self, data: torch.Tensor, slicers: list[tuple], do_on_device: bool = True
    ) -> torch.Tensor:
        device = self.device if do_on_device else torch.device("cpu")
        data = data.to(device)
        weight = compute_gaussian(
            tuple(self.configuration_manager.patch_size), sigma_scale=1 / 8, value_scaling_factor=10, device=device
        ).float()
        logits = torch.zeros((self.label_manager.num_segmentation_heads, *data.shape[1:]), device=device)
        total = torch.zeros(data.shape[1:], device=device)
        for first in range(0, len(slicers), TILES_PER_PASS):
            tiles = slicers[first : first + TILES_PER_PASS]
            batch = torch.stack([data[tile] for tile in tiles]).to(self.device)
            for tile, prediction in zip(tiles, self._internal_maybe_mirror_and_predict(batch), strict=True):
                logits[tile] += prediction.float().to(device) * weight
                total[tile[1:]] += weight
        return logits / total


def load_predictor(weights: str | Path, mirroring: bool, device: torch.device) -> tuple[str, SlicePredictor]:
    """A trained model, ready to predict.

    Parameters
    ----------
    weights : path
        `checkpoint_final.pth` in an nnU-Net model folder's `fold_0`.
    mirroring : bool
        Whether to average over mirrored passes, as nnU-Net does.
    device : torch.device
        Where the network runs.

    Returns
    -------
    str, SlicePredictor
        The model's name and its predictor.
    """
    folder = Path(weights).parents[1]
    dataset = json.loads((folder / "dataset.json").read_text())
    plans = PlansManager(json.loads((folder / "plans.json").read_text()))
    # nnU-Net's checkpoints hold more than tensors; this one lies in the project's own results.
    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    model = checkpoint["init_args"]["configuration"]
    configuration = plans.get_configuration(model)
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        len(dataset["channel_names"]),
        plans.get_label_manager(dataset).num_segmentation_heads,
        deep_supervision=False,
    )
    network.load_state_dict(checkpoint["network_weights"])
    predictor = SlicePredictor(use_mirroring=mirroring, device=device, allow_tqdm=False)
    predictor.manual_initialization(
        network,
        plans,
        configuration,
        None,
        dataset,
        checkpoint["trainer_name"],
        checkpoint["inference_allowed_mirroring_axes"],
    )
    return model, predictor


def predict_case(
    image: Path, case: str, route: Router, predictors: dict[str, SlicePredictor], precision: str, output: Path
) -> list[str]:
    """Segment one case, each slice by the model that the router names, and write its label map.

    Parameters
    ----------
    image : path
        The case's image.
    case : str
        Its name.
    route : Router
        Names the model of each slice.
    predictors : dict of str to SlicePredictor
        Model to predictor; they share the store's preprocessing.
    precision : str
        The configuration's `segmentation.precision`.
    output : path
        Label map to write, on the image's grid.

    Returns
    -------
    list of str
        The model of each slice, from the base.
    """
    any_of_them = next(iter(predictors.values()))
    plans, configuration, dataset = (
        any_of_them.plans_manager,
        any_of_them.configuration_manager,
        any_of_them.dataset_json,
    )
    data, _, properties = DefaultPreprocessor(verbose=False).run_case([str(image)], None, plans, configuration, dataset)
    models = route(case, properties["shape_before_cropping"][0])
    first, last = properties["bbox_used_for_cropping"][0]
    of_slice = np.array(models[first:last])
    data = torch.from_numpy(data)
    logits = torch.zeros((any_of_them.label_manager.num_segmentation_heads, *data.shape[1:]))
    for model in sorted(set(of_slice)):
        chosen = torch.from_numpy(np.flatnonzero(of_slice == model))
        with autocast(any_of_them.device, precision):
            logits[:, chosen] = predictors[model].predict_sliding_window_return_logits(data[:, chosen]).float().cpu()
    segmentation = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits, plans, configuration, any_of_them.label_manager, properties, num_threads_torch=torch.get_num_threads()
    )
    plans.image_reader_writer_class().write_seg(segmentation, str(output), properties)
    return models


def predict_cohort(
    approach: dict,
    weights: list[str],
    regions: list[str],
    cohort: str,
    images: str,
    splits: str,
    mirroring: bool,
    precision: str,
    threads: int,
    labels: str,
    routes: str,
) -> None:
    """Segment the test cases of a cohort by one approach, case by case.

    Parameters
    ----------
    approach : dict
        A row of the configuration's `approaches`.
    weights : list of path
        Checkpoints of the models that it routes to.
    regions : list of path
        What its router reads, see `make_router`.
    cohort : str
        Name of the cohort.
    images, splits : path
        The cohort's images folder and `splits.csv`.
    mirroring, precision
        The configuration's keys of `segmentation`.
    threads : int
        Cores to use.
    labels, routes : path
        Folder of label maps, and the table of case, slice and model, to write.
    """
    torch.set_num_threads(threads)
    device = best_device()
    route = make_router(approach, regions, cohort)
    predictors = dict(load_predictor(path, mirroring, device) for path in weights)
    cases = pd.read_csv(splits)
    Path(labels).mkdir(parents=True)
    rows = []
    for case in tqdm(sorted(cases.loc[cases["split"] == "test", "case"]), unit="case"):
        image = Path(images) / f"{case}_0000.nii.gz"
        models = predict_case(image, case, route, predictors, precision, Path(labels) / f"{case}.nii.gz")
        rows += [{"case": case, "slice": index, "model": model} for index, model in enumerate(models)]
    pd.DataFrame(rows).to_csv(routes, index=False)
