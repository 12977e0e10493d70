# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machinery of the stand-ins: packages of which every module and every name can be imported, and none computes.

SGLang imports some CUDA-only packages at start-up even where it never calls them, as on a CPU.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types


class Name(type):
    """Whatever is asked of an imported name is again such a name."""

    def __getattr__(cls, attribute):
        return invented(attribute)


def invented(name):
    """A class for any name: a base class, a type annotation, a constant or a decorator that changes nothing."""
    if name.startswith("__"):
        raise AttributeError(name)

    def called(cls, *args, **kwargs):
        if len(args) == 1 and not kwargs and callable(args[0]):
            return args[0]  # used as @name
        if cls.__name__[0].islower():
            return lambda function: function  # used as @name(...)
        return object.__new__(cls)

    return Name(name, (), {"__new__": called, "__init__": lambda self, *args, **kwargs: None})


class Module(types.ModuleType):
    """A module in which every name exists."""

    def __getattr__(self, name):
        value = invented(name)
        setattr(self, name, value)
        return value


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every submodule of one package."""

    def __init__(self, package):
        self.prefix = package + "."

    def find_spec(self, fullname, path=None, target=None):
        if fullname.startswith(self.prefix):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return Module(spec.name)

    def exec_module(self, module):
        """Nothing to execute: names appear when they are asked for."""


def become_stand_in(package):
    """Turn a package that is being imported into a stand-in."""
    sys.meta_path.insert(0, Finder(package))
    sys.modules[package].__class__ = Module
