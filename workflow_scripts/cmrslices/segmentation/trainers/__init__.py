"""The trainer that nnU-Net's own commands find by its name when ``nnUNet_extTrainer`` is set to this folder.

They import every file of the folder, by its path.
"""
