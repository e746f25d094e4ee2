"""Segmentation of basal, middle and apical slices of cardiac MR, region by region."""
