# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ollama's names of models."""

from __future__ import annotations

import typing as t


def full_name(model: str) -> str:
    """Return a model's name as Ollama lists it: what is given no tag is `latest`. A registry may have a port."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def missing(wanted: t.Iterable[str], known: t.Container[str]) -> list[str]:
    """Return those of the wanted models that are not known, each once, as Ollama lists them."""
    return [name for name in dict.fromkeys(map(full_name, wanted)) if name not in known]
