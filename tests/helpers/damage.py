"""Ways to spoil a gzipped file that a copy, a disk or a full quota has, and that a plain reader does not notice."""

import gzip
from pathlib import Path


def cut_off(file: Path) -> None:
    """Keep the first half of a file."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flip_bit(file: Path) -> None:
    """Change one bit of the unpacked content, here of a voxel near the end; the stream stays readable."""
    stored = bytearray(gzip.compress(gzip.decompress(file.read_bytes()), compresslevel=0))
    stored[-20] ^= 1
    file.write_bytes(stored)


DAMAGES = [cut_off, flip_bit]
