"""From probabilities to one region per slice."""

import pandas as pd
import pytest
import yaml

from cmrslices.classification.probabilities import classified_regions, selected_regions, write_selected_regions
from cmrslices.labels import SLICE_CLASSES


def certain(*regions):
    """Probabilities of the slices of one case, 1 for these regions."""
    table = pd.DataFrame({"case": "x", "slice": range(len(regions))})
    return table.assign(**{name: [float(region == name) for region in regions] for name in SLICE_CLASSES})


@pytest.fixture
def networks(tmp_path):
    """Two networks that give different regions, of which the second one is selected."""
    (tmp_path / "selected.yaml").write_text(yaml.safe_dump({"network": "second"}))
    certain("base", "base").to_csv(tmp_path / "first.csv", index=False)
    certain("apex", "non-cardiac").to_csv(tmp_path / "second.csv", index=False)
    return tmp_path


def test_a_classified_slice_has_its_most_probable_region():
    probabilities = pd.DataFrame(
        {
            "case": "x",
            "slice": [0, 1],
            "non-cardiac": [0.1, 0.4],
            "base": [0.6, 0.3],
            "middle": [0.3, 0.2],
            "apex": [0.0, 0.1],
        }
    )
    assert classified_regions(probabilities)["region"].tolist() == ["base", "non-cardiac"]


def test_the_selected_networks_regions_are_taken(networks):
    files = {name: networks / f"{name}.csv" for name in ("first", "second")}
    assert selected_regions(networks / "selected.yaml", files)["region"].tolist() == ["apex", "non-cardiac"]


def test_they_are_written_with_case_slice_and_region(networks):
    files = [networks / "first.csv", networks / "second.csv"]
    write_selected_regions(networks / "selected.yaml", ["first", "second"], files, networks / "regions.csv")
    written = (networks / "regions.csv").read_text().splitlines()
    assert written == ["case,slice,region", "x,0,apex", "x,1,non-cardiac"]
