# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for nvidia-smi: there is no GPU. It answers queries from /etc/lab/gpu.csv and /etc/lab/gpu-processes.csv.

Without the first file it fails as the real one does without a driver.
"""

from __future__ import annotations

import sys

GPU, PROCESSES = "/etc/lab/gpu.csv", "/etc/lab/gpu-processes.csv"
COLUMNS = {"pid": 0, "process_name": 1, "name": 1, "used_memory": 2, "used_gpu_memory": 2}
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n"
)


def rows(path):
    """Cells of the lines that are no comment."""
    with open(path) as source:
        lines = [line.strip() for line in source]
    return [[cell.strip() for cell in line.split(",")] for line in lines if line and not line.startswith("#")]


def without_unit(value):
    number, _space, unit = value.partition(" ")
    return number if unit and number.replace(".", "", 1).isdigit() else value


def answer(fields, table, known):
    """Print the wanted columns of a table as --format asks."""
    for field in fields:
        if field not in known:
            sys.stdout.write(f'Field "{field}" is not a valid field to query.\n\n')
            return 2
    how = next((word.partition("=")[2].split(",") for word in sys.argv if word.startswith("--format=")), None)
    if not how or "csv" not in how:
        sys.stdout.write('"--format=" option is missing or unknown: csv is what there is.\n')
        return 2
    if "noheader" not in how:
        print(", ".join(fields))
    for row in table:
        values = [row[known[field]] for field in fields]
        print(", ".join(map(without_unit, values) if "nounits" in how else values))
    return 0


def screen(gpu):
    """Something like what nvidia-smi prints without arguments."""
    driver = gpu["driver_version"]
    state = f"{gpu['temperature.gpu']}C  {gpu['pstate']}  {gpu['power.draw']}  Memory-Usage: Not Supported"
    line = "+" + "-" * 89 + "+"
    lines = [
        f" NVIDIA-SMI {driver:<18}Driver Version: {driver:<18}CUDA Version: 13.0",
        f" {gpu['index']}  {gpu['name']}  {gpu['pci.bus_id']}  {state}",
        *(f" {pid:>10}  {name}  {memory}" for pid, name, memory in rows(PROCESSES)),
    ]
    print("\n".join([line, *(f"|{text:<89}|" for text in lines), line]))


def main():
    try:
        gpu = dict(rows(GPU))
    except FileNotFoundError:
        sys.stdout.write(NO_DRIVER)
        return 9
    for word in sys.argv[1:]:
        option, _equals, value = word.partition("=")
        if option == "--query-gpu":
            names = list(gpu)
            return answer(value.split(","), [list(gpu.values())], {name: names.index(name) for name in names})
        if option == "--query-compute-apps":
            return answer(value.split(","), rows(PROCESSES), COLUMNS)
        if option in ("-L", "--list-gpus"):
            print(f"GPU {gpu['index']}: {gpu['name']} (UUID: {gpu['uuid']})")
            return 0
    screen(gpu)
    return 0


sys.exit(main())
