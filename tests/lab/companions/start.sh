# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What the image of Open WebUI begins with: the key of its sessions is kept where WEBUI_SECRET_KEY_FILE says.
KEY_FILE="${WEBUI_SECRET_KEY_FILE:-.webui_secret_key}"
[ -e "$KEY_FILE" ] || head -c 12 /dev/urandom | base64 > "$KEY_FILE"
exec python3 -u /opt/stand-in/open_webui.py
