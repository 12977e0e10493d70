# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the service manager is told of a service: that it is ready, lives, stops, and how things stand (sd_notify)."""

from __future__ import annotations

import contextlib
import os
import socket

_LONGEST = 500


def notify(*lines: str) -> None:
    """Tell systemd, where it has started us. Never raises: who can't be heard goes on working."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    path = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as talk:
        talk.sendto("\n".join(lines).encode(errors="replace"), path)


def status(words: str) -> str:
    """Return the line that `systemctl status` shows."""
    return "STATUS=" + " ".join(words.split())[:_LONGEST]


def longer(seconds: float) -> str:
    """Return the line that asks for more time to stop, from now on."""
    return f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}"
