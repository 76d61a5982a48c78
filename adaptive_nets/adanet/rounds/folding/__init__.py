"""Subnetworks that are trained once per fold, and judged on the rows that each has not seen."""
