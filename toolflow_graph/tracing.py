"""What LangSmith's client says when it cannot deliver traces, without any of its key."""

import logging

__all__ = ["hide_keys"]

_KEY = "API Key: "
_DETAILS = "\nContent-Length: "
"""Begins what the client adds to its message: the first five and the last two letters of the key, ids of traces."""


class _Keyless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the details off; a traceback would have them too."""
        message = record.getMessage()
        record.msg, record.args = message.partition(_DETAILS)[0].partition(_KEY)[0], ()
        if record.exc_info and _KEY in str(record.exc_info[1]):
            record.exc_info = record.exc_text = None
        return True


_KEYLESS = _Keyless()


def hide_keys() -> None:
    """Keep keys out of what is logged of traces in this process; asked again it changes nothing."""
    logging.getLogger("langsmith.client").addFilter(_KEYLESS)
