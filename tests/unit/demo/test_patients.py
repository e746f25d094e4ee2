import numpy as np
import pytest
from scipy import ndimage

from cmrslices.demo.heart import GROUPS, OBSERVER, as_contoured, contracted, draw_heart, last_contoured
from cmrslices.demo.patients import make_patient
from cmrslices.demo.ventricles import axis_frame, ventricles
from cmrslices.labels import LABELS, PHASES

LV, MUSCLE, RV = LABELS.values()
PATIENTS = [("nhs", "nifti", index) for index in range(len(GROUPS))] + [("acdc", "acdc", 5), ("mnms", "mnms", 6)]


@pytest.fixture(scope="module", params=PATIENTS, ids=lambda patient: f"{patient[0]}-{patient[2]}")
def patient(request):
    return make_patient(*request.param, seed=7)


@pytest.fixture
def heart():
    return draw_heart(GROUPS["NOR"], slice_mm=10, centre=(0.0, 0.0), rng=np.random.default_rng(3))


def labelled_slices(labels):
    return np.flatnonzero(labels.any(axis=(0, 1)))


def middle_slice(labels):
    return int(np.median(labelled_slices(labels)))


def same_voxels(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))


def test_the_seed_fixes_every_voxel():
    one, other = (make_patient("nhs", "nifti", 1, seed=7) for _ in range(2))
    assert same_voxels(one, other)
    assert all(np.array_equal(one.labels[phase], other.labels[phase]) for phase in PHASES)


@pytest.mark.parametrize("change", [{"cohort": "b"}, {"index": 6}, {"seed": 8}])
def test_another_cohort_patient_or_seed_gives_another_heart(change):
    given = {"cohort": "a", "raw_format": "nifti", "index": 1, "seed": 7}
    one, other = make_patient(**given), make_patient(**given | change)
    assert one.images[0].shape != other.images[0].shape or not same_voxels(one, other)


def test_labelled_slices_have_no_gap(patient):
    for phase in PHASES:
        assert (np.diff(labelled_slices(patient.labels[phase])) == 1).all()


def test_both_phases_carry_all_three_labels(patient):
    for phase in PHASES:
        assert np.unique(patient.labels[phase]).tolist() == [0, LV, MUSCLE, RV]


def test_the_left_ventricle_shrinks_from_ed_to_es(patient):
    assert (patient.labels["ED"] == LV).sum() > (patient.labels["ES"] == LV).sum()


def test_images_are_int16_stacks_on_the_grid_of_the_labels(patient):
    for phase in PHASES:
        image, labels = patient.images[patient.frames[phase]], patient.labels[phase]
        assert image.shape == labels.shape
        assert (image.dtype, labels.dtype) == (np.int16, np.uint8)


def test_muscle_encloses_the_cavity_in_the_middle(patient):
    for labels in patient.labels.values():
        middle = labels[..., middle_slice(labels)]
        assert ndimage.binary_fill_holes(middle == MUSCLE)[middle == LV].all()


def test_muscle_parts_the_ventricles_in_the_middle(patient):
    for labels in patient.labels.values():
        middle = labels[..., middle_slice(labels)]
        assert not (ndimage.binary_dilation(middle == RV) & (middle == LV)).any()


def test_blood_is_brighter_than_muscle(patient):
    for phase in PHASES:
        image, labels = patient.images[patient.frames[phase]], patient.labels[phase]
        assert image[labels == LV].mean() > 1.3 * image[labels == MUSCLE].mean()


def test_the_cavity_fades_towards_the_apex(patient):
    image, labels = patient.images[patient.frames["ED"]], patient.labels["ED"]
    last = np.flatnonzero((labels == LV).any(axis=(0, 1)))[-1]
    middle = middle_slice(labels)
    contrast = [
        image[..., k][labels[..., k] == LV].mean() / image[..., k][labels[..., k] == MUSCLE].mean()
        for k in (middle, last)
    ]
    assert contrast[0] > contrast[1]


def test_cohorts_have_slices_beyond_both_ends():
    stacks = [make_patient("nhs", "nifti", index, seed=7).labels["ES"] for index in range(4)]
    assert any(labelled_slices(labels)[0] > 0 for labels in stacks)
    assert any(labelled_slices(labels)[-1] < labels.shape[2] - 1 for labels in stacks)


def test_the_base_descends_towards_a_still_apex(heart):
    end_systole = contracted(heart, 1.0)
    assert end_systole.base > heart.base + 3
    assert end_systole.base + end_systole.length == pytest.approx(heart.base + heart.length)


def test_no_contraction_is_end_diastole(heart):
    assert contracted(heart, 0.0) == heart


def test_the_muscle_ring_opens_towards_the_outflow_tract(heart):
    at = axis_frame(heart, *np.meshgrid(np.linspace(-40, 40, 81), np.linspace(-40, 40, 81), [0.0]))
    shape = ventricles(heart, at)
    gap = shape.below_mitral - shape.below_muscle
    towards = at.cosine(heart.outflow_angle)
    assert gap[towards > 0.99].min() > 0.9 * heart.outflow
    assert gap[towards < 0].max() == 0


def test_the_rv_is_a_crescent_on_the_septal_side(heart):
    x, y = np.meshgrid(np.linspace(-90, 90, 181), np.linspace(-90, 90, 181))
    z = heart.base + 0.4 * heart.length
    at = axis_frame(heart, x, y, z)
    rv = ventricles(heart, at).rv > 0
    assert rv.any()
    assert at.septal[rv].min() > -0.5 * heart.radius
    assert ventricles(heart, at).epicardium[rv].max() <= 0


def test_observers_differ_by_a_share_of_a_slice_at_the_base_and_keep_the_tip(heart):
    rng = np.random.default_rng(0)
    drawn = [as_contoured(heart, OBSERVER, 10, rng) for _ in range(400)]
    assert np.std([one.base for one in drawn]) == pytest.approx(10 * OBSERVER.base, rel=0.15)
    assert np.ptp([one.base + one.length for one in drawn]) == pytest.approx(0, abs=1e-9)


def test_contouring_of_the_rv_ends_no_later_than_that_of_the_lv(heart):
    rng = np.random.default_rng(0)
    ends = [last_contoured(heart, OBSERVER, 10, rng) for _ in range(200)]
    assert all(rv <= lv for lv, rv in ends)
    assert any(rv < lv for lv, rv in ends)
