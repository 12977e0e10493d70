# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets of a server, for the tasks that give them to its nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: server_secrets
short_description: The secrets of a server, from variables or from files of the controller
version_added: 0.1.0
description:
  - Reads the files that the variables C(server_*_file), C(server_tls_certificate) and C(server_tls_key) of the role
    server name. Files that are encrypted with a vault are decrypted. Relative paths count from the inventory's folder.
  - M(dgxspark.sglang.sglang_plan) reads the same, and refuses what can't be used. Here it is an error.
  - Give each value to an option of its own that is not logged; the whole is never to be registered or shown.
author:
  - The dgxspark.sglang authors (@dgxspark)
options:
  _terms:
    description:
      - One dictionary, with C(api_key) or C(api_key_file), C(admin_api_key) or C(admin_api_key_file), C(hf_token) or
        C(hf_token_file), and C(tls_certificate) and C(tls_key), which are files in PEM format.
    type: list
    elements: dict
    required: true
  own:
    description: The same for one instance, and whatever else is said of it. It wins over the first.
    type: dict
    default: {}
  prefix:
    description: What the names of the variables begin with, where they are not those of the role server.
    type: str
    default: server_
"""

EXAMPLES = r"""
- name: Start a server with a key that is in a file
  dgxspark.sglang.sglang_server:
    image: lmsysorg/sglang:v0.5.23
    model_path: /home/spark/ai/models/qwen3/qwen3-32b-nvfp4
    api_key: "{{ lookup('dgxspark.sglang.server_secrets', {'api_key_file': '~/alpha.key'}).api_key }}"
  become: true
"""

RETURN = r"""
_raw:
  description:
    - C(api_key), C(admin_api_key), C(hf_token) and C(tls_pem) (key and certificates, in one), empty where not set, and
      C(fingerprint), the SHA-256 of the certificate.
  type: list
  elements: dict
"""

import datetime
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils.server._access import settings
from ..module_utils.server._certificate import fingerprint
from ..module_utils.server._secrets import SECRETS
from ..plugin_utils._access import find


class LookupModule(LookupBase):
    """Returns one dictionary."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        now = datetime.datetime.now(datetime.timezone.utc)
        said = settings(terms[0], kwargs.get("own") or {})
        found = find(said, variables or {}, self._loader, now, kwargs.get("prefix", "server_"))
        if found.access.faults:
            raise AnsibleLookupError("\n".join(str(problem) for problem in found.access.faults))
        secrets = {name: found.secrets.get(name, "") for name in SECRETS}
        return [{**secrets, "fingerprint": fingerprint(secrets["tls_pem"])}]
