"""Baseline, batch sampling and region-specific models: nnU-Net under a slice-sampling policy."""
