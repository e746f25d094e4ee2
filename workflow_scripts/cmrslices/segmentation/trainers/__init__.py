"""nnU-Net trainers; set ``nnUNet_extTrainer`` to this folder for nnU-Net's own commands."""
