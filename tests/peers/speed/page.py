"""What a measurement says of its machine, and its place in the book's page on performance."""

import datetime
import os
import re
from pathlib import Path

import programs

PAGE = programs.ROOT / "docs/src/performance.md"


def machine() -> str:
    """Date, processor, cores and load."""
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*: (.*)", text)
    flags = set(re.search(r"flags\s*: (.*)", text)[1].split()) if "flags" in text else set()
    names = {"avx512f": "AVX-512", "avx512_bf16": "BF16", "avx512_vnni": "VNNI", "amx_bf16": "AMX"}
    known = [name for flag, name in names.items() if flag in flags]
    processor = " with ".join(filter(None, [found[1] if found else "a processor", ", ".join(known)]))
    return f"{datetime.date.today()}, {os.cpu_count()} cores of {processor}, load {os.getloadavg()[0]:.1f}"


def fill(name: str, text: str) -> None:
    """Writes the text between the comments that bear this name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page = PAGE.read_text()
    before, rest = page.split(begin)
    _, after = rest.split(end)
    PAGE.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")
