"""The precision in which CPUs compute: bf16 where they multiply it in hardware."""

from pathlib import Path

PRECISIONS = ("auto", "bf16", "fp32")


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; without that, bf16 is slower than fp32."""
    return _cpu_has("avx512_bf16", "amx_bf16", "bf16")


def cpu_has_vnni() -> bool:
    """Whether this CPU adds up products of 8-bit integers in 32 bits; others of its kind add them up in 16, which overflow."""
    return _cpu_has("avx512_vnni", "avx_vnni", "amx_int8", "asimddp")


def _cpu_has(*flags: str) -> bool:
    """Whether this CPU names one of some flags."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return False
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        if line.startswith(("flags", "Features")):
            return bool({*flags} & set(line.split()))
    return False


def resolve_precision(precision: str) -> str:
    """Replaces "auto" by what this CPU is good at."""
    return ("bf16" if cpu_has_bf16() else "fp32") if precision == "auto" else precision
