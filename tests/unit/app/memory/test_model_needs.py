"""The memory that the models of this machine take."""

from pathlib import Path

from gglib.app.memory.model_needs import model_needs
from gglib.app.settings import Settings
from gglib.core.backends import UrlBackend
from gglib.core.errors import EngineArgumentError
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec, ModelSettings, ModelSummary


class Sizes:
    """A byte for each token."""

    async def size_of(self, spec: ModelLaunchSpec, context: int) -> DeviceBytes:
        """Return the size; one argument is refused."""
        if spec.settings.engine_args:
            raise EngineArgumentError("unknown argument")
        return {"ram": context}


async def need(settings: Settings, model: ModelSummary) -> DeviceBytes:
    """Return the need of a model."""
    return await model_needs(Sizes(), lambda: settings)(model)


async def test_the_context_is_that_of_the_model_or_the_default(tmp_path: Path) -> None:
    """As a request without a context has it."""
    settings = Settings(home=tmp_path, default_ctx=4096)
    assert await need(settings, ModelSummary(id=1, name="m", paths=(tmp_path / "m.gguf",))) == {"ram": 4096}
    own = ModelSummary(id=1, name="m", settings=ModelSettings(context=512))
    assert await need(settings, own) == {"ram": 512}


async def test_unknown_needs_are_empty(tmp_path: Path) -> None:
    """The model is at another server, or cannot be launched."""
    settings = Settings(home=tmp_path)
    elsewhere = ModelSummary(id=1, name="m", backend=UrlBackend(base_url="http://box:8000/v1"))
    assert await need(settings, elsewhere) == {}
    refused = ModelSummary(id=1, name="m", settings=ModelSettings(engine_args=("--no",)))
    assert await need(settings, refused) == {}
