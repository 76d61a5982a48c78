"""Placements: where a round's subnetworks are trained."""
