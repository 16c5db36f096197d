"""A value in shared memory is read whole or not at all."""

import os
from contextlib import closing

import pytest

from hw.net.shared import _HEAD, Shared


def test_what_was_set_is_read_by_the_other_side() -> None:
    with closing(Shared()) as writer, closing(Shared(os.dup(writer.fd))) as reader:
        assert reader.get() is None
        for value in ({"requests": 1}, ("a", 2.5)):
            writer.set(value)
            assert reader.get() == value
            assert reader.get() is reader.get()


def test_a_value_half_written_is_never_read() -> None:
    with closing(Shared()) as writer, closing(Shared(os.dup(writer.fd))) as reader:
        writer.set([1, 2, 3])
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
            writer.set([died_at])
            assert reader.get() == [died_at]


def test_what_does_not_fit_is_refused() -> None:
    with closing(Shared()) as writer:
        writer.set("fits")
        with pytest.raises(ValueError, match="do not fit"):
            writer.set(bytes(1 << 17))
        assert writer.get() == "fits"
