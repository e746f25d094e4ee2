"""A heart as a set of numbers: the ventricles of one patient, how they contract, and how an observer contours them."""

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Group:
    """How a pathology changes the heart; thicknesses and radii are given relative to a normal heart."""

    radius: float = 1.0
    wall: float = 1.0
    septum: float = 0.0  # extra thickness of the septum
    scar: float = 0.0  # share of the wall that a scar has lost
    rv: float = 1.0
    shortening: float = 0.32  # of the radius, from ED to ES
    rv_shortening: float = 0.30


GROUPS = {
    "NOR": Group(),
    "DCM": Group(radius=1.28, wall=0.9, rv=1.05, shortening=0.12, rv_shortening=0.2),
    "HCM": Group(radius=0.92, wall=1.35, septum=0.6, shortening=0.42),
    "MINF": Group(radius=1.14, scar=0.45, shortening=0.19),
    "RV": Group(radius=0.95, rv=1.35, rv_shortening=0.17),
}
"""The five groups of ACDC (Bernard et al., IEEE TMI 2018)."""


@dataclass(frozen=True)
class Observer:
    """How much human contours differ from the anatomy: standard deviations, ends in slices and outlines in mm."""

    base: float = 0.30
    apex: float = 0.40
    rv_base: float = 0.45
    rv_apex: float = 0.70
    outline_mm: float = 0.9
    outline_correlation_mm: float = 9.0
    smallest_mm2: float = 15.0  # a smaller outline is not drawn
    ring: float = 0.5  # a basal slice is contoured where this share of the ring is muscle


OBSERVER = Observer()


@dataclass(frozen=True)
class Heart:
    """Shape and place of the ventricles in one phase.

    Lengths are in mm. Angles are in radians around the LV's long axis: 0 is the middle of the septum, and they grow
    towards the anterior wall. z grows from base to apex and is 0 at the first slice.
    """

    centre: tuple[float, float]  # x, y of the long axis at z = 0
    drift: tuple[float, float]  # x, y of the long axis per mm of z
    septum: float  # direction from the LV to the RV in the image plane
    base: float  # z of the mitral plane on the long axis
    tilt: tuple[float, float]  # z of that plane per mm towards septum and anterior wall
    outflow: float  # depth of the muscle's gap at the outflow tract
    outflow_angle: float
    length: float  # mitral plane to the cavity's tip
    radius: float
    fullness: float  # of the cavity towards its tip: 0 is an ellipsoid
    oval: float
    oval_angle: float
    wall: float
    septum_extra: float
    scar: float
    scar_angle: float
    shortening: float
    papillary: float  # radius of the papillary muscles
    rv_base: float  # z of the tricuspid plane, from the mitral plane
    rv_length: float  # share of the LV's length
    rv_width: float  # septum to free wall
    rv_angle: float  # half of the angle that the RV spans
    rv_shortening: float


def draw_heart(group: Group, slice_mm: float, centre: tuple[float, float], rng: np.random.Generator) -> Heart:
    """Draw the heart of one patient at end-diastole.

    Parameters
    ----------
    group : Group
        The patient's pathology.
    slice_mm : float
        Distance of the slices; the base lies at a random height around the first slice.
    centre : (float, float)
        x and y of the heart in the image plane, mm.
    rng : numpy.random.Generator
        Source of all variation between patients.
    """
    size = rng.normal(1.0, 0.07)
    return Heart(
        centre=centre,
        drift=tuple(rng.normal((0.10, -0.02), 0.10).tolist()),
        septum=math.radians(rng.normal(200, 14)),
        base=slice_mm * rng.uniform(-0.5, 0.9),
        tilt=tuple(rng.normal((-0.06, 0.10), 0.05).tolist()),
        outflow=rng.uniform(2, 11),
        outflow_angle=rng.normal(0.6, 0.2),
        length=size * rng.normal(80, 5) * group.radius**0.3,
        radius=size * rng.normal(26.5, 1.5) * group.radius,
        fullness=rng.uniform(0.4, 1.0),
        oval=rng.normal(0, 0.035),
        oval_angle=rng.uniform(0, math.pi),
        wall=rng.normal(7.8, 0.6) * group.wall,
        septum_extra=group.septum * rng.uniform(0.5, 1.2),
        scar=group.scar * rng.uniform(0.6, 1.2),
        scar_angle=rng.uniform(-math.pi, math.pi),
        shortening=group.shortening * rng.normal(1, 0.1),
        papillary=rng.uniform(3.5, 6.0),
        rv_base=slice_mm * rng.normal(0.55, 0.5),
        rv_length=rng.uniform(0.86, 1.10),
        rv_width=size * rng.normal(32, 4) * group.rv,
        rv_angle=math.radians(rng.normal(80, 5)) * group.rv**0.3,
        rv_shortening=group.rv_shortening * rng.normal(1, 0.1),
    )


def contracted(heart: Heart, amount: float) -> Heart:
    """Heart after a share of its contraction: 0 is end-diastole, 1 is end-systole.

    The apex stays in place and the base moves towards it; the cavities shrink; the wall thickens, except in a scar.
    """
    short = heart.shortening * amount
    rv_short = heart.rv_shortening * amount
    descent = 0.45 * short * heart.length
    return replace(
        heart,
        base=heart.base + descent,
        length=heart.length - descent,
        radius=heart.radius * (1 - short),
        wall=heart.wall * (1 + 1.3 * short),
        scar=heart.scar * (1 + short),
        rv_base=heart.rv_base + 0.25 * rv_short * heart.length - 0.3 * descent,
        rv_width=heart.rv_width * (1 - 1.1 * rv_short),
    )


def as_contoured(heart: Heart, observer: Observer, slice_mm: float, rng: np.random.Generator) -> Heart:
    """Heart as an observer contours it: the base is off by a fraction of a slice, the apex is not."""
    base = slice_mm * rng.normal(0, observer.base)
    rv_base = slice_mm * rng.normal(0, observer.rv_base)
    return replace(
        heart,
        base=heart.base + base,
        length=heart.length - base,
        rv_base=max(heart.rv_base + rv_base, 0.0),
    )


def last_contoured(heart: Heart, observer: Observer, slice_mm: float, rng: np.random.Generator) -> tuple[float, float]:
    """Heights z, in mm, at which an observer stops contouring the LV and the RV: near the tips of the cavities."""
    lv = heart.base + heart.length + slice_mm * rng.normal(0, observer.apex)
    rv = heart.base + heart.length * heart.rv_length + slice_mm * rng.normal(0, observer.rv_apex)
    return lv, min(lv, rv)
