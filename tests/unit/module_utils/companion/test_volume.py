# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a volume is for people, and who keeps it from going."""

from __future__ import annotations

import pytest
from ansible_collections.dgxspark.sglang.plugins.module_utils._errors import SparkError
from ansible_collections.dgxspark.sglang.plugins.module_utils.companion._volume import (
    Volume,
    refuse_in_use,
    sentence,
)

FULL = Volume("open-webui", True, "/v/_data", 3 * 2**30, 412, ("open-webui", "backup"))


def test_a_volume_in_words() -> None:
    assert sentence(FULL) == "The volume open-webui holds 3.0 GiB in 412 files (/v/_data)."
    assert sentence(Volume("open-webui")) == "The volume open-webui does not exist."


def test_a_volume_in_use_stays() -> None:
    with pytest.raises(SparkError, match="is used by backup") as caught:
        refuse_in_use(FULL, ["open-webui"])
    assert caught.value.problems[0].hint == "remove it first: docker rm -f backup"
    refuse_in_use(FULL, ["open-webui", "backup"])
