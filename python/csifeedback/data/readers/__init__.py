#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Readers of CSI files that are neither MATLAB, NumPy nor plain HDF5 files."""
