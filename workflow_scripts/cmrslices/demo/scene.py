"""The signal of a slice through the chest: tissues are painted one over the other."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cmrslices.demo.heart import Heart
from cmrslices.demo.ventricles import AxisFrame, Ventricles, axis_frame, ventricles

ATRIAL_WALL_MM = 2.0
RV_WALL_MM = 3.0
INFUNDIBULUM_MM = 12.0  # height of the RV's outflow above the tricuspid plane; never contoured

Lay = Callable[[np.ndarray, np.ndarray | float], None]
"""Paints a signal where a depth in mm is positive."""


@dataclass(frozen=True)
class Tissues:
    """Signal of each tissue, relative to the LV's blood."""

    air: float = 0.02
    lung: float = 0.07
    muscle: float = 0.30
    myocardium: float = 0.33
    liver: float = 0.36
    bone: float = 0.45
    fat: float = 1.05
    blood: float = 1.0
    rv_blood: float = 0.88
    aorta: float = 1.0


@dataclass(frozen=True)
class Chest:
    """Surroundings of one patient's heart; x and y in mm from the heart's centre, rightwards and downwards."""

    torso: tuple[float, float, float, float]  # centre x, y and half axes x, y
    fat: float  # under the skin
    pericardial_fat: float
    diaphragm: float  # y of the liver's dome below the first slice
    rise: float  # of the diaphragm per mm of z
    spine: tuple[float, float]
    aorta: tuple[float, float, float]  # descending: x, y, radius
    atria: tuple[float, float]  # radius left, right


def draw_chest(rng: np.random.Generator) -> Chest:
    """Draw the surroundings of one patient's heart."""
    return Chest(
        torso=(rng.normal(-55, 8), rng.normal(52, 6), rng.normal(154, 8), rng.normal(132, 6)),
        fat=rng.uniform(8, 26),
        pericardial_fat=rng.uniform(2, 11),
        diaphragm=rng.normal(36, 5),
        rise=rng.uniform(0.10, 0.40),
        spine=(rng.normal(-58, 6), rng.normal(84, 5)),
        aorta=(rng.normal(-22, 6), rng.normal(66, 4), rng.uniform(9, 13)),
        atria=(rng.normal(31, 3), rng.normal(31, 3)),
    )


def paint(
    heart: Heart,
    chest: Chest,
    tissues: Tissues,
    edge_mm: float,
    texture: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
) -> np.ndarray:
    """Signal at some points, relative to the LV's blood.

    Parameters
    ----------
    heart : Heart
    chest : Chest
    tissues : Tissues
    edge_mm : float
        Width of the transition from one tissue to the next: that of a pixel.
    texture : array (y, x)
        Smooth noise of SD 1, from which trabeculae, vessels and uneven blood are made.
    x, y, z : arrays that broadcast to (z, y, x)
        Positions in mm: rightwards and downwards in the image, and from base to apex.

    Returns
    -------
    array (z, y, x), float32
    """

    def lay(depth: np.ndarray, signal: np.ndarray | float) -> None:
        np.add(canvas, (signal - canvas) * np.clip(0.5 + depth / edge_mm, 0, 1), out=canvas)

    at = axis_frame(heart, x, y, z)
    shape = ventricles(heart, at)
    canvas = np.full(at.distance.shape, tissues.air, np.float32)
    _lay_chest(lay, chest, tissues, texture, x - heart.centre[0], y - heart.centre[1], z)
    _lay_vessels(lay, heart, chest, tissues, at, shape)
    _lay_ventricles(lay, heart, tissues, texture, at, shape)
    return canvas


def _ellipse(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float) -> np.ndarray:
    """Depth inside an ellipse around the origin, in mm, to first order; negative outside."""
    return (1 - np.hypot(x / half_x, y / half_y)) * np.minimum(half_x, half_y)


def _lay_chest(
    lay: Lay, chest: Chest, tissues: Tissues, texture: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> None:
    left, top, half_x, half_y = chest.torso
    torso = _ellipse(x - left, y - top, half_x, half_y)
    uneven = 1 + 0.06 * texture
    lay(torso, tissues.fat * uneven)
    lay(torso - chest.fat, tissues.muscle * uneven)
    lay(torso - chest.fat - 9, tissues.lung * (1 + np.maximum(texture - 1.2, 0) * 7))
    dome = y + chest.rise * z - chest.diaphragm + 0.0025 * (x + 30) ** 2
    inside = torso - chest.fat - 9
    lay(np.minimum(dome, inside), tissues.liver * uneven)
    lay(np.minimum(1.5 - np.abs(dome), inside), tissues.muscle)
    lay(_ellipse(x - chest.spine[0], y - chest.spine[1], 22, 18), tissues.bone * uneven)
    lay(chest.aorta[2] - np.hypot(x - chest.aorta[0], y - chest.aorta[1]), tissues.aorta)


def _lay_vessels(lay: Lay, heart: Heart, chest: Chest, tissues: Tissues, at: AxisFrame, shape: Ventricles) -> None:
    """Paint pericardial fat, atria and great vessels; their blood is as bright as that of the ventricles below them."""
    fat = chest.pericardial_fat * (at.hump(0.9, 2.2) + 0.4 * at.hump(-1.2, 0.7))
    lay(np.minimum(np.maximum(shape.epicardium, shape.rv + RV_WALL_MM) + fat, shape.below_mitral), tissues.fat)

    def dome(septal: float, anterior: float, radius: float, below: np.ndarray, blood: float) -> None:
        height = np.clip(1 - ((below + 26) / 32) ** 2, 0, 1)
        depth = radius * np.sqrt(height) - np.hypot(at.septal - septal, at.anterior - anterior)
        depth = np.where(height > 0, depth, -ATRIAL_WALL_MM - 9)
        lay(depth + ATRIAL_WALL_MM, tissues.muscle)
        lay(depth, blood)

    def tube(septal: float, anterior: float, radius: float, below: np.ndarray, blood: float) -> None:
        depth = radius - np.hypot(at.septal - septal, at.anterior - anterior)
        lay(np.minimum(depth + ATRIAL_WALL_MM, -below), tissues.muscle)
        lay(np.minimum(depth, -below), blood)

    rim = heart.radius + heart.wall
    dome(rim + 0.45 * heart.rv_width, -0.55 * rim, chest.atria[1], shape.below_tricuspid, tissues.rv_blood)
    dome(-0.2 * rim, -0.45 * rim, chest.atria[0], shape.below_mitral, tissues.blood)
    tube(0.75 * rim, 1.15 * rim, 13, shape.below_tricuspid, tissues.rv_blood)
    cos, sin = math.cos(heart.outflow_angle), math.sin(heart.outflow_angle)
    tube(0.62 * rim * cos, 0.62 * rim * sin, 13.5, shape.below_muscle, tissues.blood)


def _lay_ventricles(
    lay: Lay, heart: Heart, tissues: Tissues, texture: np.ndarray, at: AxisFrame, shape: Ventricles
) -> None:
    inlet = shape.below_tricuspid + INFUNDIBULUM_MM * at.hump(1.0, 1.0)
    rv = np.minimum(shape.rv, inlet)
    lay(np.minimum(shape.rv + RV_WALL_MM, inlet), tissues.myocardium)
    trabeculae = np.clip(0.25 * texture - 0.004 * shape.below_tricuspid, -0.5, 0)
    lay(rv, tissues.rv_blood * (1 + trabeculae))
    lay(np.minimum(shape.epicardium, shape.below_muscle), tissues.myocardium * (1 + 0.05 * texture))
    level = np.clip(at.below_base / heart.length, 0, 1)
    trabeculae = np.clip(0.25 * texture - 0.1, -0.6, 0) * level
    lay(np.minimum(shape.lv, shape.below_mitral), tissues.blood * (1 + trabeculae + 0.04 * texture))
    thickness = heart.papillary * np.clip(1.6 - np.abs(level - 0.52) * 5, 0, 1)
    for angle in (2.1, -2.0):  # anterolateral and posteromedial
        reach = shape.lv + at.distance - 1.1 * heart.papillary
        septal, anterior = at.septal - reach * math.cos(angle), at.anterior - reach * math.sin(angle)
        depth = thickness - np.hypot(septal, anterior)
        lay(np.where(thickness > 0, depth, -9), tissues.myocardium)
