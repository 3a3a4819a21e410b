"""Gives a bundle the decoder (and its waveform generator) of another one: all other networks stay as they are, byte for byte. The licence becomes that of both.

    python -m training.export.replace_decoder voice.gguf models/nano.gguf

Both must have the same units. The bundle is rewritten atomically.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gguf

from .tensors import copy_fields, copy_tensors, rewrite

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

    licences = dict.fromkeys(part for reader in (old, new) for part in reader.fields["general.license"].contents().split(" AND "))

    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_license(" AND ".join(licences))
        copy_fields(new, writer, speaks)
        copy_tensors(new, writer, speaks)

    rewrite(bundle, lambda name: not speaks(name) and name != "general.license", add)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("bundle", type=Path)
    args = parser.parse_args()
    replace(args.source, args.bundle)
    print(f"{args.bundle}: {args.bundle.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
