#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Data sets of channel matrices, their import and export, and SigMF recordings."""
