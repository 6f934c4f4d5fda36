"""Text from standard input, however much and in whatever encoding it comes."""

import sys

from aicompany.errors import OrderInvalid, OrderTooLarge

_BYTES_MAX = 8_388_608


def read_all() -> str:
    """Everything. Raises `OrderTooLarge`, and `OrderInvalid` for what is not UTF-8."""
    return _text_of(sys.stdin.buffer.read(_BYTES_MAX + 1))


def read_line() -> str:
    """The next line without its end; empty when there is none. Raises as `read_all`."""
    return _text_of(sys.stdin.buffer.readline(_BYTES_MAX + 1)).strip()


def _text_of(content: bytes) -> str:
    if len(content) > _BYTES_MAX:
        raise OrderTooLarge(f"standard input is over {_BYTES_MAX:,} bytes; hand in less")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OrderInvalid(
            f"what was typed or piped in is not valid UTF-8 (byte {error.start}); mend it and try again"
        ) from error
