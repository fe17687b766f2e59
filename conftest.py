"""Guards for running notebooks with nbval, which alone passes too much.

nbval looks at a cell's outputs only. So it calls a cell good whose magic is
unknown (the rest of the cell never ran), whose `!command` or `%pip` failed,
or which promised an exception and raised none. And where a kernel dies it
waits on, until the cell's time is up, and names neither cause nor cell. It
also passes a solution whose own check says "not yet" in a cell that is no
fact. With these guards such cells fail at once; tests/must_fail holds a
notebook for each, tests/test_guards.py runs them. The guards lean on parts of
nbval that are not its public interface and say so when a new version moves
them.
"""

import math
import os
import re
import signal
import time
from queue import Empty

import pytest

# They must fail; tests/test_guards.py names them one by one.
collect_ignore_glob = ["tests/must_fail/*"]

# IPython leaves the exit status of the last `!command` in this name.
SHELL_STATUS = "get_ipython().user_ns.pop('_exit_code', 0)"

# What `check` says of a solution that is not right.
NOT_RIGHT = re.compile(r"^Exercise [\d.]+: (?!right\.).*", re.MULTILINE)

# Where a notebook keeps the sentence that says how its kernel died.
DEATH = pytest.StashKey[str]()


class KernelDied(Exception):
    """No message will come any more."""


def pytest_configure(config):
    """Arm the guards when notebooks are run."""
    options = config.option
    if not (options.nbval or options.nbval_lax):
        return
    if options.nbval and options.nbval_lax:
        raise pytest.UsageError("choose one of --nbval and --nbval-lax")
    if getattr(options, "tx", None) and options.dist not in (
        "loadfile",
        "loadscope",
    ):
        raise pytest.UsageError(
            f"--dist {options.dist} sends the cells of one notebook to "
            "different kernels; add --dist loadfile"
        )
    # Chapters run at smoke scale in tests, unless somebody asks for more.
    os.environ.setdefault("BOOK_SCALE", "smoke")
    _watch_replies()


def _watch_replies():
    """Make nbval fail where the kernel's reply, not its output, says so."""
    from nbval.kernel import RunningKernel

    if not all(
        hasattr(RunningKernel, name)
        for name in ("get_message", "execute_cell_input")
    ):
        raise pytest.UsageError(
            "this nbval has no RunningKernel.get_message or "
            "execute_cell_input: adapt the guards in conftest.py, or pin "
            "nbval to 0.11.0"
        )
    nbval_get_message = RunningKernel.get_message

    def get_message(self, stream, timeout=None):
        """nbval's, but it waits for a living kernel only."""
        end = time.monotonic() + (math.inf if timeout is None else timeout)
        while True:
            # Asked first: its last message may still be on the way.
            dead = _death(self) is not None
            left = max(0, end - time.monotonic())
            try:
                return nbval_get_message(self, stream, timeout=min(1, left))
            except Empty:
                if dead:
                    raise KernelDied from None
                if left <= 1:
                    raise

    def execute_cell_input(self, cell_input, allow_stdin=None):
        return self.kc.execute(
            cell_input,
            store_history=False,
            allow_stdin=allow_stdin,
            stop_on_error=False,
            user_expressions={"shell_status": SHELL_STATUS},
        )

    def guarded_get_message(self, stream, timeout=None):
        message = get_message(self, stream, timeout)
        content = message["content"]
        if content.get("ename") == "UsageError":
            pytest.fail(f"IPython: {content['evalue']}", pytrace=False)
        status = content.get("user_expressions", {}).get("shell_status")
        if status and status["data"]["text/plain"] != "0":
            pytest.fail(
                "a shell command in this cell failed with exit status "
                f"{status['data']['text/plain']}",
                pytrace=False,
            )
        return message

    RunningKernel.execute_cell_input = execute_cell_input
    RunningKernel.get_message = guarded_get_message


def _death(kernel):
    """How the kernel's process ended, as the end of a sentence, or None."""
    if not hasattr(kernel, "km"):  # nbval itself has stopped it
        return None
    status = kernel.km.provisioner.process.poll()
    if status is None:
        return None
    if status >= 0:
        return f"ended with exit status {status}"
    name = signal.Signals(-status).name
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"was ended by the signal {name}{hint}"


def pytest_runtest_setup(item):
    """Skip the cells that come after the one in which the kernel died."""
    if death := item.parent.stash.get(DEATH, None):
        pytest.skip(death)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Name a kernel's death, and a promised exception that never came."""
    if not hasattr(item, "cell_num"):  # a test in Python, not a cell
        return (yield)
    try:
        yield
    except Exception:
        end = _death(item.parent.kernel)
        if end is None:
            raise
        death = f"{item.path.name}, {item.name}: the kernel {end}"
        item.parent.stash[DEATH] = death
        item.parent.kernel.stop()
        pytest.fail(f"{death}\n\n{item.cell.source}", pytrace=False)
    if item.options["check_exception"] and not any(
        output.output_type == "error" for output in item.test_outputs
    ):
        pytest.fail("tagged raises-exception, but raised nothing", False)
    if item.cell.source.startswith("# @title Solution"):
        said = "".join(o.get("text", "") for o in item.test_outputs)
        if wrong := NOT_RIGHT.search(said):
            pytest.fail(wrong[0], pytrace=False)
