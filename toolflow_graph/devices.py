"""What a model of PyTorch is computed on, and in which precision."""

__all__ = ["computes_bf16", "find_device"]


def find_device() -> str:
    """Return the name of the device, as PyTorch has it: `cuda` where there is one, else `cpu`."""
    import torch  # noqa: PLC0415 - seconds that only who computes needs

    return "cuda" if torch.cuda.is_available() else "cpu"


def computes_bf16() -> bool:
    """Whether the device multiplies in bfloat16: a GPU, or a CPU with instructions for it (AVX-512 BF16, AMX)."""
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
