"""The simulated machines: rates of prompts, of a token in a file, and of disks."""

from dataclasses import dataclass

from gglib.runtime.engines.kept_prompts.policy import SlotRates, is_worth_saving

KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A model on a machine."""

    name: str
    rates: SlotRates
    swap_factor: float
    """Of the loads (4 s) and stops (0.3 s) of ``bench.policies``."""
    source: str

    @property
    def break_even_tokens(self) -> int | None:
        """The shortest prompt that is worth saving; None if none is."""
        lengths = (2**power for power in range(18))
        return next((tokens for tokens in lengths if is_worth_saving(tokens, self.rates)), None)


SMALL = Machine(
    name="SmolLM2-135M, 2 cores",
    rates=SlotRates(prompt_tokens_s=190.0, bytes_token=23_000.0, save_bytes_s=1.5e9, restore_bytes_s=2.6e9),
    swap_factor=0.125,
    source="all rates measured (docs/slots.md); files in the page cache",
)
LAPTOP = Machine(
    name="8B on a laptop's CPU",
    rates=SlotRates(
        prompt_tokens_s=100.0, bytes_token=128.0 * KIB, save_bytes_s=1.0e9, restore_bytes_s=2.0e9
    ),
    swap_factor=1.0,
    source="100 to 200 tokens/s as documented for CPUs, the slower end; bytes from the architecture of an 8B Llama "
    "(32 layers, 8 K/V heads of 128, f16); the SSD's rates are assumed",
)
QWEN = Machine(
    name="7B on a laptop's CPU",
    rates=SlotRates(prompt_tokens_s=200.0, bytes_token=56.0 * KIB, save_bytes_s=1.0e9, restore_bytes_s=2.0e9),
    swap_factor=1.0,
    source="as above, the quicker end; bytes from the architecture of a 7B Qwen 2.5 (28 layers, 4 K/V heads of 128)",
)
GPU = Machine(
    name="8B on a GPU, 5,000 tokens/s",
    rates=SlotRates(
        prompt_tokens_s=5_000.0, bytes_token=128.0 * KIB, save_bytes_s=1.5e9, restore_bytes_s=3.0e9
    ),
    swap_factor=0.5,
    source="the lower end of documented GPU rates; an NVMe disk, assumed",
)
FAST_GPU = Machine(
    name="8B on a GPU, 30,000 tokens/s",
    rates=SlotRates(
        prompt_tokens_s=30_000.0, bytes_token=128.0 * KIB, save_bytes_s=1.5e9, restore_bytes_s=3.0e9
    ),
    swap_factor=0.5,
    source="the upper end, the same disk",
)
MACHINES = (SMALL, LAPTOP, QWEN, GPU, FAST_GPU)
