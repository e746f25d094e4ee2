"""The layout of a bundle: every file is what it was when the bundle was made, or is named."""

import re
import shutil

import pytest
import yaml

from cmrslices.prediction.bundle import MANIFEST, manifest_digest, open_bundle, seal_bundle
from cmrslices.runtime.errors import InputError

FILES = ("card.md", "plans/2d.json", "models/one/fold_0/checkpoint_final.pth")
CONTENT = {
    "name": "ours",
    "approach": {"router": "constant", "model": "one"},
    "models": {"one": {"sampling": "uniform"}, "deep": {"sampling": "uniform", "configuration": "3d_fullres"}},
    "networks": ["resnet18"],
    "workflow": "0.2.0",
}


@pytest.fixture
def folder(tmp_path):
    """A bundle of three small files."""
    folder = tmp_path / "bundle"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    seal_bundle(folder, CONTENT)
    return folder


def reseal(folder, **changes):
    """Another content with hashes that fit."""
    content = yaml.safe_load((folder / MANIFEST).read_text())
    kept = {key: value for key, value in content.items() if key not in {"format", "files", "sha256"}}
    seal_bundle(folder, {**kept, **changes})


def test_what_was_sealed_is_opened(folder):
    bundle = open_bundle(folder)
    assert {name: bundle.content[name] for name in CONTENT} == CONTENT
    assert bundle.weights("one") == str(folder / FILES[2])


def test_a_bundle_that_was_moved_is_the_same_one(folder, tmp_path):
    shutil.move(folder, tmp_path / "moved")
    assert open_bundle(tmp_path / "moved").content["name"] == "ours"


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_changed_byte_is_refused_with_the_name_of_its_file(folder, name):
    whole = (folder / name).read_bytes()
    for place in {0, len(whole) // 2, len(whole) - 1}:
        changed = bytearray(whole)
        changed[place] ^= 1
        (folder / name).write_bytes(changed)
        with pytest.raises(InputError, match=re.escape(f"{folder / name}: was changed or damaged")):
            open_bundle(folder)


def test_every_byte_of_the_list_of_hashes_counts(folder):
    whole = (folder / MANIFEST).read_bytes()
    for place in range(len(whole)):
        (folder / MANIFEST).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError, match=rf"{MANIFEST}: was changed or damaged"):
            open_bundle(folder)


def test_missing_and_additional_files_are_named_together(folder):
    (folder / "card.md").unlink()
    (folder / "models/one/.DS_Store").write_text("")
    with pytest.raises(InputError) as fault:
        open_bundle(folder)
    assert f"{folder / 'card.md'}: is missing" in str(fault.value)
    assert f"{folder / 'models/one/.DS_Store'}: does not belong to the bundle" in str(fault.value)


def test_a_link_beside_the_files_does_not_belong_to_the_bundle(folder, tmp_path):
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(InputError, match="linked: does not belong to the bundle"):
        open_bundle(folder)


def test_another_format_is_refused_with_the_version_that_made_it(folder, monkeypatch):
    monkeypatch.setattr("cmrslices.prediction.bundle.FORMAT", 2)
    reseal(folder, workflow="9.1.0")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"has format 2, and .* reads format 1; it was made with version 9\.1\.0"):
        open_bundle(folder)


def test_a_folder_that_is_no_bundle_is_named(tmp_path):
    with pytest.raises(InputError, match=rf"{tmp_path}: is no bundle, because it has no bundle\.yaml"):
        open_bundle(tmp_path)


def test_no_file_is_used_whose_hash_is_not_listed(folder, tmp_path):
    reseal(folder, models={"../../outside": {}})
    with pytest.raises(InputError, match=r"does not list models/\.\./\.\./outside/"):
        open_bundle(folder).weights("../../outside")


@pytest.mark.parametrize(
    ("models", "networks", "configurations"),
    [
        (["one"], [], ["2d"]),
        (["deep"], [], ["3d_fullres"]),
        (["deep"], ["resnet18"], ["2d", "3d_fullres"]),  # classifiers see the 2D cases
        (["one", "deep"], [], ["2d", "3d_fullres"]),
    ],
)
def test_a_cohort_is_preprocessed_for_the_models_and_the_classifiers(folder, models, networks, configurations):
    reseal(folder, models={name: CONTENT["models"][name] for name in models}, networks=networks)
    assert open_bundle(folder).configurations() == configurations


def test_another_bundle_has_another_digest(folder):
    before = manifest_digest(folder)
    assert len(before) == 16
    reseal(folder, workflow="0.3.0")
    assert manifest_digest(folder) != before
    assert manifest_digest(folder / "nowhere") == ""
