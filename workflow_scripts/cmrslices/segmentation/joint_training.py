"""What the training of a `JointUNet` needs beside nnU-Net's: the head's loss and the head's own optimiser."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class JointLoss(nn.Module):
    """nnU-Net's loss of the decoders, plus the weighted cross-entropy of the region head.

    Parameters
    ----------
    decoders : Module
        nnU-Net's loss with deep supervision.
    loss_weight : float
        Weight of the head's loss.
    label_smoothing : float
        Share of the reference that is spread over all regions.
    """

    def __init__(self, decoders: nn.Module, loss_weight: float, label_smoothing: float) -> None:
        super().__init__()
        self.decoders = decoders
        self.loss_weight = loss_weight
        self.label_smoothing = label_smoothing

    def forward(self, output: list[torch.Tensor], target: list[torch.Tensor]) -> torch.Tensor:
        """Loss of what `JointUNet` gives in training; `target` has each level's labels, then the regions ``(n,)``."""
        *levels, region_logits = output
        *labels, regions = target
        of_head = functional.cross_entropy(region_logits.float(), regions, label_smoothing=self.label_smoothing)
        return self.decoders(levels, labels) + self.loss_weight * of_head


class JointOptimizer:
    """Two optimisers that nnU-Net's steps and checkpoints use as one.

    Under nnU-Net's SGD with a momentum of 0.99, a head like this one is known to collapse. So it has AdamW, whose
    learning rate stays the same.

    Parameters
    ----------
    unet : Optimizer
        nnU-Net's, of the whole network; the head's parameters are taken out of it.
    head : Module
    learning_rate : float
        Of the head.
    """

    def __init__(self, unet: torch.optim.Optimizer, head: nn.Module, learning_rate: float) -> None:
        of_head = {id(parameter) for parameter in head.parameters()}
        for group in unet.param_groups:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in of_head]
        self.unet = unet
        self.head = torch.optim.AdamW(head.parameters(), learning_rate)

    @property
    def param_groups(self) -> list[dict]:
        """nnU-Net's groups of parameters first; it logs the learning rate of the first one."""
        return [*self.unet.param_groups, *self.head.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self.unet.zero_grad(set_to_none)
        self.head.zero_grad(set_to_none)

    def step(self) -> None:
        """Change the weights."""
        self.unet.step()
        self.head.step()

    def state_dict(self) -> dict[str, Any]:
        """State of both, for a checkpoint."""
        return {"unet": self.unet.state_dict(), "head": self.head.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.unet.load_state_dict(state["unet"])
        self.head.load_state_dict(state["head"])
