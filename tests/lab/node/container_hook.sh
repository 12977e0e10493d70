# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# A stand-in for NVIDIA's container hook: it accepts, and gives the container nothing. Docker offers `--gpus` because
# a program of that name exists.
cat > /dev/null
