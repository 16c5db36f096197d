"""A value in shared memory is read whole or not at all."""

import os
import pickle
import zlib
from contextlib import closing
from dataclasses import dataclass

import pytest

from hw.net.shared import _HEAD, Shared


@dataclass(frozen=True, slots=True)
class Value:
    name: str
    numbers: tuple[float, ...] = ()


def test_what_was_set_is_read_by_the_other_side() -> None:
    with (
        closing(Shared(Value)) as writer,
        closing(Shared(Value, os.dup(writer.fd))) as reader,
    ):
        assert reader.get() is None
        for value in (Value("a"), Value("b", (0.1, 1e300))):
            writer.set(value)
            assert reader.get() == value
            assert reader.get() is reader.get()


def test_a_value_half_written_is_never_read() -> None:
    with (
        closing(Shared(Value)) as writer,
        closing(Shared(Value, os.dup(writer.fd))) as reader,
    ):
        writer.set(Value("whole"))
        memory = writer._memory
        count, length, checksum = _HEAD.unpack_from(memory)
        _HEAD.pack_into(memory, 0, count + 1, length, checksum)
        with pytest.raises(OSError, match="torn"):
            reader.get()
        _HEAD.pack_into(memory, 0, count + 2, length, checksum ^ 1)
        with pytest.raises(OSError, match="torn"):
            reader.get()
        for died_at in (count + 1, count):
            _HEAD.pack_into(memory, 0, died_at, length, checksum)
            writer.set(Value(str(died_at)))
            assert reader.get() == Value(str(died_at))


def test_what_does_not_fit_or_is_no_number_is_refused() -> None:
    with closing(Shared(Value)) as writer:
        writer.set(Value("fits"))
        with pytest.raises(ValueError, match="do not fit"):
            writer.set(Value("x" * (1 << 20)))
        with pytest.raises(ValueError, match="nan is no number"):
            writer.set(Value("x", (float("nan"),)))
        assert writer.get() == Value("fits")


def test_what_another_wrote_there_is_never_run() -> None:
    with closing(Shared(Value)) as block:
        content = pickle.dumps(print)
        block._memory[_HEAD.size : _HEAD.size + len(content)] = content
        _HEAD.pack_into(block._memory, 0, 2, len(content), zlib.crc32(content))
        with pytest.raises(ValueError, match=r"decode|JSON"):
            block.get()
