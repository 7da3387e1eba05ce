"""Numbers behind the extrapolation grade, which all families share: MaxVol, active rows of each element."""
