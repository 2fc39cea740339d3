"""What all parts of a definition have in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a definition: frozen, strict, without unknown fields."""

    # Strict, so that no text becomes a number; enumerations and tuples alone accept what YAML has for them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
