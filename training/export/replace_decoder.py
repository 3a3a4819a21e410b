"""Gives a bundle the decoder (and its waveform generator) of another one: all other networks stay as they are, byte for byte.

    python -m training.export.replace_decoder voice.gguf models/nano.gguf

Both must have the same units. The bundle is rewritten atomically.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import gguf

from .tensors import copy_fields, copy_tensors

SPEAKING = ("decoder.", "generator.")


def speaks(name: str) -> bool:
    return name.removeprefix("moss-speech.").startswith(SPEAKING)


def replace(source: Path, bundle: Path) -> None:
    """Raises ValueError where `source` has no decoder, or other units."""
    new, old = gguf.GGUFReader(source), gguf.GGUFReader(bundle)
    units = [reader.fields["moss-speech.units"].contents() for reader in (new, old)]
    if not any(speaks(tensor.name) for tensor in new.tensors):
        raise ValueError(f"{source} has no decoder")
    if units[0] != units[1]:
        raise ValueError(f"{source} was made for other units than {bundle}")
    part = bundle.with_name(bundle.name + ".part")
    writer = gguf.GGUFWriter(part, old.fields["general.architecture"].contents())
    copy_fields(old, writer, lambda name: not speaks(name))
    copy_fields(new, writer, speaks)
    copy_tensors(old, writer, lambda name: not speaks(name))
    copy_tensors(new, writer, speaks)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, bundle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("bundle", type=Path)
    args = parser.parse_args()
    replace(args.source, args.bundle)
    print(f"{args.bundle}: {args.bundle.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
