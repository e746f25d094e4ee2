"""Random variation of training slices: position, size, contrast and noise."""

import math
from collections.abc import Callable

import torch

from cmrslices.classification.images import resample

# The size of a heart tells the region, and short-axis stacks are planned alike. So size and angle vary little, and
# nothing is mirrored.
SCALES = (0.9, 1.1)
ANGLES = (-math.pi / 6, math.pi / 6)
SHIFT = 0.1  # share of the field of view, in either direction
GAMMAS = (0.7, 1.5)
CONTRASTS = (0.75, 1.25)
BRIGHTNESS = 0.3  # in standard deviations of the image
NOISE = 0.1  # in the same unit


def augment(slices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Rotate, scale and shift slices, then change their contrast and add noise.

    Parameters
    ----------
    slices : Tensor (n, 1, size, size)
        z-scored intensities.
    generator : torch.Generator
        A generator on the device of the slices; its state fixes the result.

    Returns
    -------
    Tensor (n, 1, size, size)
    """

    def uniform(low: float, high: float) -> torch.Tensor:
        draws = torch.rand(len(slices), generator=generator, device=slices.device)
        return low + (high - low) * draws

    moved = resample(slices, _affine(uniform), slices.shape[-1])
    gamma, contrast, brightness, noise = (
        values.view(-1, 1, 1, 1)
        for values in (uniform(*GAMMAS), uniform(*CONTRASTS), uniform(-BRIGHTNESS, BRIGHTNESS), uniform(0, NOISE))
    )
    lowest = moved.amin(dim=(2, 3), keepdim=True)
    spread = (moved.amax(dim=(2, 3), keepdim=True) - lowest).clamp(min=1e-6)
    curved = ((moved - lowest) / spread) ** gamma * spread + lowest
    grain = torch.randn(slices.shape, generator=generator, device=slices.device)
    return curved * contrast + brightness + noise * grain


def _affine(uniform: Callable[[float, float], torch.Tensor]) -> torch.Tensor:
    angle, scale = uniform(*ANGLES), uniform(*SCALES)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [cos, -sin, uniform(-SHIFT, SHIFT) * 2, sin, cos, uniform(-SHIFT, SHIFT) * 2]
    return torch.stack(rows, dim=1).view(-1, 2, 3)
