"""A compressed HTTP body, unpacked in pieces of bounded length."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from oneiric.core.errors import BadReply

PIECE_BYTES = 65_536
ACCEPTED = "gzip, deflate"
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # zlib tells the two headers apart by itself


class Decoder:
    """
    Unpacks one body. No piece is longer than 64 KiB, so a bomb can be stopped before it fills the memory.

    Args:
        encoding: The Content-Encoding header; empty for none. RFC 9110 section 8.4.1: gzip, x-gzip, deflate, identity.

    Raises:
        BadReply: An encoding that was not asked for.
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise BadReply("the body has a content encoding that was not asked for")
        self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if name not in {"", "identity"} else None
        self._is_begun = False

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """
        Yield what these bytes unpack to, in pieces of 1 to 65,536 bytes.

        Raises:
            BadReply: The bytes are not of the encoding that the header named.
        """
        if self._unpacker is None:
            yield from (packed[at : at + PIECE_BYTES] for at in range(0, len(packed), PIECE_BYTES))
            return
        self._is_begun = self._is_begun or bool(packed)
        while True:
            try:
                piece = self._unpacker.decompress(packed, PIECE_BYTES)
            except zlib.error:
                raise BadReply("the body does not unpack") from None
            if piece:
                yield piece
            packed = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                packed = self._unpacker.unused_data
                if not packed:
                    return
                self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)  # a gzip file may have several members
            elif not packed and len(piece) < PIECE_BYTES:
                return

    def finish(self) -> None:
        """
        Tell the decoder that there are no more bytes.

        Raises:
            BadReply: The body ends in the middle of its compressed data.
        """
        if self._unpacker is not None and self._is_begun and not self._unpacker.eof:
            raise BadReply("the compressed body is cut off")
