"""Segmenters: baseline, batch sampling and region-specific models are nnU-Net plus a slice-sampling policy."""
