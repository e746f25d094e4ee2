"""Where the blood and the muscle of the two ventricles lie: signed depths in mm, positive inside."""

import math
from dataclasses import dataclass

import numpy as np

from cmrslices.demo.heart import Heart

APEX_CAP = 0.35  # thickness of the muscle below the tip of the cavity, relative to the wall's


@dataclass(frozen=True)
class AxisFrame:
    """Points of a stack in coordinates of the LV's long axis; every array broadcasts to (z, y, x)."""

    septal: np.ndarray  # mm from the axis towards the septum
    anterior: np.ndarray  # mm from the axis towards the anterior wall
    distance: np.ndarray  # mm from the axis
    below_base: np.ndarray  # mm from the mitral plane towards the apex

    def cosine(self, angle: float) -> np.ndarray:
        """Cosine between the direction of each point and the direction at `angle` radians, from septum to anterior."""
        return (math.cos(angle) * self.septal + math.sin(angle) * self.anterior) / self.distance

    def hump(self, angle: float, half_width: float) -> np.ndarray:
        """A weight that is 1 in the direction of `angle` and falls to 0 at `half_width` radians from it."""
        edge = math.cos(half_width)
        return np.clip((self.cosine(angle) - edge) / (1 - edge), 0, 1)


def axis_frame(heart: Heart, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> AxisFrame:
    """Express points of the image in the coordinates of the heart.

    Parameters
    ----------
    heart : Heart
        Its long axis, the direction of its septum and its mitral plane are used.
    x, y, z : arrays that broadcast to (z, y, x)
        Positions in mm: rightwards and downwards in the image, and from base to apex.
    """
    dx = x - heart.centre[0] - heart.drift[0] * z
    dy = y - heart.centre[1] - heart.drift[1] * z
    cos, sin = math.cos(heart.septum), math.sin(heart.septum)
    septal, anterior = cos * dx + sin * dy, cos * dy - sin * dx
    base = heart.base + heart.tilt[0] * septal + heart.tilt[1] * anterior
    return AxisFrame(septal, anterior, np.sqrt(septal**2 + anterior**2 + 1e-3), z - base)


@dataclass(frozen=True)
class Ventricles:
    """Depth of each point inside a surface, in mm; arrays (z, y, x).

    `lv`, `epicardium` and `rv` are measured in the image plane; above the base, these surfaces continue straight. The
    planes that end the ventricles there are given separately: `below_mitral`, `below_muscle` and `below_tricuspid` are
    the distances from a plane towards the apex.
    """

    lv: np.ndarray
    epicardium: np.ndarray
    rv: np.ndarray
    below_mitral: np.ndarray
    below_muscle: np.ndarray
    below_tricuspid: np.ndarray


def ventricles(heart: Heart, at: AxisFrame) -> Ventricles:
    """Surfaces of the ventricles: the LV is a tapering shell, and the RV a crescent around its septum."""
    endo = heart.radius * (1 + heart.oval * (2 * at.cosine(heart.oval_angle) ** 2 - 1))
    wall = heart.wall * (1 + heart.septum_extra * at.hump(0.2, 1.6) - heart.scar * at.hump(heart.scar_angle, 1.0))
    epi_length = heart.length + APEX_CAP * heart.wall
    beyond_epi = at.distance - (endo + wall) * _shell(at.below_base / epi_length, heart.fullness)

    below_tricuspid = at.below_base - heart.rv_base + 0.12 * at.anterior
    rv_level = below_tricuspid / (heart.length * heart.rv_length - heart.rv_base)
    crescent = at.hump(0.0, heart.rv_angle) * np.maximum(_shell(rv_level, 0.4), 0)
    return Ventricles(
        lv=endo * _shell(at.below_base / heart.length, heart.fullness) - at.distance,
        epicardium=-beyond_epi,
        rv=np.minimum(beyond_epi, heart.rv_width * (crescent - 0.05) - beyond_epi),
        below_mitral=at.below_base,
        below_muscle=at.below_base - heart.outflow * at.hump(heart.outflow_angle, 1.1),
        below_tricuspid=below_tricuspid,
    )


def _shell(level: np.ndarray, fullness: float) -> np.ndarray:
    """Radius at a level between base (0) and tip (1), relative to that at the base; negative beyond the tip."""
    square = np.maximum(level, 0) ** 2
    left = 1 - square * (1 - fullness + fullness * square)
    return np.copysign(np.sqrt(np.abs(left)), left)
