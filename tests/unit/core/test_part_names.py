"""Names of the files beside an incomplete download."""

from pathlib import Path

from gglib.core.part_names import part_manifest_path, part_path


def test_the_files_of_a_download_lie_beside_its_target() -> None:
    """The suffix is added to the whole name, so that ``m.gguf`` and ``m.bin`` do not share a part file."""
    target = Path("/models/ada/m.Q4_0.gguf")
    assert part_path(target) == Path("/models/ada/m.Q4_0.gguf.part")
    assert part_manifest_path(target) == Path("/models/ada/m.Q4_0.gguf.part.note")
