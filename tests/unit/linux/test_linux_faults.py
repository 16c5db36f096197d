"""What is said of a device that refuses: path, cause, next action, setting."""

from __future__ import annotations

import errno
import os

import pytest

from hw.linux.faults import Part

PART = Part("pulse.device", "gpio", "is dtoverlay=pps-gpio in config.txt?")


def raised(error: OSError) -> OSError:
    with (
        pytest.raises(OSError, match=r"pulse|whatever|sentence") as caught,
        PART.at("/dev/pps7"),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "no such device: is dtoverlay=pps-gpio in config.txt?"),
        (errno.EACCES, "not allowed: the service needs the group gpio"),
        (errno.EPERM, "forbidden: the container, or the sandbox"),
        (errno.EBUSY, "another program holds it: `fuser -v /dev/pps7` names it"),
        (errno.EAGAIN, "another program holds it"),
        (errno.ENODEV, "does not answer (No such device): is it unplugged"),
        (errno.ENOTTY, "cannot do what is asked (Inappropriate ioctl for device)"),
        (errno.ENOSPC, "No space left on device: the kernel may say more"),
    ],
)
def test_each_refusal_says_where_why_and_what_next(number: int, words: str) -> None:
    error = raised(OSError(number, "whatever"))
    assert error.errno == number
    assert error.filename == "/dev/pps7"
    assert words in str(error.strerror)
    assert str(error.strerror).endswith("(pulse.device)")
    assert type(error) is type(OSError(number, ""))


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_number_has_a_sentence(number: int) -> None:
    sentence = str(raised(OSError(number, "whatever")).strerror)
    what, _, then = sentence.partition(": ")
    assert what
    assert then
    assert "\n" not in sentence
    assert len(sentence) < 160


def test_what_was_explained_already_stays(tmp_path: os.PathLike[str]) -> None:
    outer = Part("receiver.device", "dialout", "plug it in")
    with pytest.raises(OSError, match=r"\(pulse.device\)"), outer.at(str(tmp_path)):
        raise raised(OSError(errno.EIO, "whatever"))
    plain = OSError("a sentence of its own")
    assert raised(plain) is plain
