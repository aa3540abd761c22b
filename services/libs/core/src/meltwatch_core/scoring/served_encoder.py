"""The encoder that an ensemble asks for."""

from meltwatch_chassis.errors import FatalError
from meltwatch_schemas.encoder import Encoder, dct_basis, dims_of


def served_encoder(encoder_id: str) -> Encoder:
    """Return the encoder of an id; only the cosine basis is built in.

    Raises
    ------
    FatalError
        If it is of another basis.
    """
    encoder = Encoder("dct", dct_basis(dims_of(encoder_id)))
    if encoder.encoder_id != encoder_id:
        raise FatalError(
            f"ensemble: expected the encoder {encoder.encoder_id}, got {encoder_id}: "
            "no other basis is known here"
        )
    return encoder
