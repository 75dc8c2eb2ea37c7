"""How a rule of the contract refuses: with the key to look at, what is wrong, and the mend."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

REFUSED = "contract_refused"


def refusal(what: str, mend: str, *keys: str | int) -> PydanticCustomError:
    """The error to raise in a validator; `keys` lead from the validated model to the key that is wrong."""
    return PydanticCustomError(REFUSED, "{what}", {"what": what, "mend": mend, "keys": keys})
