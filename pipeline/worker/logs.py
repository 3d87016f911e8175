"""One JSON line a happening on stderr. Names, counts, positions: never what an event holds."""

import logging
import sys
from typing import Final

import structlog

_QUIET: Final = ("aiokafka", "kafka", "faust", "mode", "asyncio", "rdkafka")


def configure(*, verbose: bool = False) -> None:
    """Set up logging of this process; library logs pass from warnings on.

    Library messages name topics and offsets. Their exception texts may hold payloads and are cut
    to the type's name.
    """
    level = logging.INFO if verbose else logging.WARNING
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_type,
    ]
    structlog.configure(
        processors=[*processors, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(level)


def _exception_type(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    info = event.pop("exc_info", None)
    if isinstance(info, tuple):
        info = info[1]
    elif info is True:
        info = sys.exc_info()[1]
    if isinstance(info, BaseException):
        event["error"] = type(info).__name__
    return event


def logger() -> structlog.typing.FilteringBoundLogger:
    """The process's logger."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log
