"""Diffusion: how far atoms go, alone and together."""
