"""What ASE finds behind the entry point group ``ase.ioformats``; imported with `ase.io`, hence light."""

from ase.utils.plugins import ExternalIOFormat

MLIP_CFG = ExternalIOFormat(
    desc="MLIP configurations",
    code="+F",  # several images, from and to open text files
    module="ase_mlips.mtp.configurations",
    magic_regex=rb"(\xef\xbb\xbf)?\s*BEGIN_CFG\s",
)
