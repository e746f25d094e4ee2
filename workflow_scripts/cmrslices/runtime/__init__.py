"""What every job shares: locks, signals, checkpoints, files, devices, progress and the record of what was run."""
