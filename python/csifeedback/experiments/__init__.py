#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Experiments: tables and figures of the papers and of the manual. The programs in cli/ parse
arguments, call these modules and print what they return."""
