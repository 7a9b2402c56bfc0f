"""Unpacking of Kafka's batches that fails cleanly, and within a bound of memory.

In kafka-python 3.0.12 an error while unpacking (a codec that is not installed, a wrong checksum)
is raised once; the next poll then spins for ever over the batch that it gave up. A batch unfolds
into memory whole, however large. And a partition that was paused in the middle of a batch is never
read again. All three are put right here, at the class that unpacks and beside it.
"""

from __future__ import annotations

import zlib
from typing import Any, Protocol

import lz4.frame  # type: ignore[import-untyped]
import zstandard
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch

from stream.errors import UndecodableBatchError
from stream.records import TopicPartition

MAX_UNFOLDED_BYTES = 64 * 1024 * 1024
"""Largest batch after decompression; Kafka's own default for a compressed one is 1 MiB."""


class TooLargeBatchError(Exception):
    """A batch unfolds beyond the bound."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unfold(codec: int, data: bytes, limit: int = MAX_UNFOLDED_BYTES) -> bytes:
    """Decompress gzip, lz4 or zstd, but no further than the limit.

    Parameters
    ----------
    codec
        Kafka's number of it.
    data
        One or more compressed streams, one after another.
    limit
        Bytes of the result.

    Raises
    ------
    TooLargeBatchError
        When the result would be larger.

    Examples
    --------
    >>> import gzip
    >>> unfold(1, gzip.compress(b"a" * 100), limit=100) == b"a" * 100
    True
    >>> unfold(1, gzip.compress(b"a" * 101), limit=100)
    Traceback (most recent call last):
    ...
    stream.logs.kafka_batches.TooLargeBatchError: it unfolds into more than 100 bytes
    """
    if codec == DefaultRecordBatch.CODEC_ZSTD:
        reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
        result = reader.read(limit + 1)
    else:
        result = _unfold_streams(codec, data, limit)
    if len(result) > limit:
        raise TooLargeBatchError(f"it unfolds into more than {limit:,} bytes")
    return result


def _unfold_streams(codec: int, data: bytes, limit: int) -> bytes:
    result = bytearray()
    while data and len(result) <= limit:
        decompressor: _Decompressor
        if codec == DefaultRecordBatch.CODEC_GZIP:
            decompressor = zlib.decompressobj(wbits=31)
        else:
            decompressor = lz4.frame.LZ4FrameDecompressor()
        result += decompressor.decompress(data, limit + 1 - len(result))
        if not decompressor.eof and len(result) <= limit:
            raise ValueError("the compressed data ends too early")
        data = decompressor.unused_data or b""
    return bytes(result)


class _BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]  # kafka-python has no types
    """A batch that does not unfold beyond the bound.

    Snappy is left to kafka-python: by its format it grows 22 times at most.
    """

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def _maybe_uncompress(self) -> None:
        codec = self.compression_type
        if self._decompressed or codec in (self.CODEC_NONE, self.CODEC_SNAPPY):
            super()._maybe_uncompress()
            return
        self._assert_has_codec(codec)
        self._buffer = bytearray(unfold(codec, bytes(memoryview(self._buffer)[self._pos :])))
        self._pos = 0
        self._decompressed = True


class _BoundedBatches:
    """Stands in for the records of a fetch, of which the unpacking asks only ``next_batch``."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if not isinstance(batch, DefaultRecordBatch):
            return batch
        return _BoundedBatch(batch._buffer)  # noqa: SLF001


class SafePartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # no types there
    """The records of one fetch; once unpacking has failed, every further attempt says so."""

    def __init__(self, fetch_offset: int, tp: Any, records: Any, **settings: Any) -> None:
        super().__init__(fetch_offset, tp, _BoundedBatches(records), **settings)
        self._failure: UndecodableBatchError | None = None

    def take(self, n: int | None = None) -> Any:
        """Return up to ``n`` records, or raise what was raised before."""
        if self._failure is not None:
            raise self._failure
        try:
            return super().take(n)
        except Exception as error:
            partition = str(TopicPartition(*self.topic_partition))
            self._failure = UndecodableBatchError(
                partition, self.next_fetch_offset, f"{type(error).__name__}: {error}"
            )
            raise self._failure from error


def make_unpacking_safe(consumer: Any) -> None:
    """Let a KafkaConsumer unpack what it fetches as this module does."""
    consumer._fetcher.PartitionRecords = SafePartitionRecords  # noqa: SLF001


def give_back_paused(consumer: Any) -> None:
    """Let a KafkaConsumer take up again what it put aside for a pause; to be called before a poll.

    It looks for that only where its current batch is None, and leaves an empty one there.
    """
    fetcher = consumer._fetcher  # noqa: SLF001
    current = fetcher._next_partition_records  # noqa: SLF001
    if current is not None and not current:
        fetcher._next_partition_records = None  # noqa: SLF001
