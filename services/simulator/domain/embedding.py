"""Embeddings by feature hashing: the same text gives the same vector, shared words bring texts closer.

Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009.
"""

import base64
import math
import re
from array import array
from hashlib import blake2b

FEATURES_PER_WORD = 8
_WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int) -> list[float]:
    """Return a vector of length 1; the order and case of words do not matter."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4 * FEATURES_PER_WORD).digest()
        for start in range(0, len(digest), 4):
            feature = int.from_bytes(digest[start : start + 4], "big")
            vector[(feature >> 1) % dimensions] += 1.0 if feature & 1 else -1.0
    norm = math.sqrt(sum(value * value for value in vector))
    if norm == 0:  # every feature met its opposite
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / norm for value in vector]


def as_base64(vector: list[float]) -> str:
    """Spell a vector as the API's ``encoding_format: base64``: little-endian 32-bit floats."""
    return base64.b64encode(array("f", vector).tobytes()).decode()
