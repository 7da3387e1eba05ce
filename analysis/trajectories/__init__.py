"""Trajectories: frames of any file in chunks, and whole trajectories as columns."""
