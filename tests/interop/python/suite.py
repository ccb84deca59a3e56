"""One line per check, and an exit status that cannot be overlooked."""

import sys
from contextlib import contextmanager


class _Failed(Exception):
    """A check of the story failed and was reported."""


class Suite:
    """A flow is a story: its first failing check ends it, since the rest of the story rests on it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failed = 0

    @contextmanager
    def flow(self, flow: str):
        """A story; yields the context manager of its checks."""

        @contextmanager
        def check(what: str):
            try:
                yield
            except Exception as error:
                self._report(f"{flow}: {what}", error)
                raise _Failed from error
            print(f"ok   {self._name}: {flow}: {what}", flush=True)

        try:
            yield check
        except _Failed:
            pass
        except Exception as error:
            self._report(flow, error)

    def _report(self, what: str, error: Exception) -> None:
        self._failed += 1
        words = f"{type(error).__name__} {error}".replace("\n", " ")
        line = error.__traceback__
        while line is not None and line.tb_next is not None and "/python/" in line.tb_next.tb_frame.f_code.co_filename:
            line = line.tb_next
        at = f" (line {line.tb_lineno})" if line is not None else ""
        print(f"FAIL {self._name}: {what}: {words[:600]}{at}", flush=True)

    def end(self) -> None:
        """Ends the process."""
        sys.exit(1 if self._failed else 0)


@contextmanager
def refused(kind: type[Exception], **members):
    """The body must raise the exception, with these members."""
    try:
        yield
    except kind as error:
        for name, wanted in members.items():
            got = getattr(error, name)
            assert got == wanted, f"{name} is {got!r}, not {wanted!r}"
    else:
        raise AssertionError(f"not refused with {kind.__name__}")
