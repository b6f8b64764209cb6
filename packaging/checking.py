"""How the validators of packaging/, yocto/ and k8s/ find their tools and say what they found. It checks nothing itself."""

import shutil
import sys
from pathlib import Path


class MissingTool(Exception):
    """A program without which a check cannot run; nothing is skipped in its stead."""


def tool(name, remedy):
    """The path of a program, the one beside this Python (its venv) first."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not installed; run: {remedy}")
    return found


def report(what, results):
    """Prints each (title, problems) as it comes, then the sum. The exit status: 0, 1 where a check failed, 2 where a tool is
    missing."""
    passed = failed = 0
    try:
        for title, problems in results:
            passed, failed = (passed, failed + 1) if problems else (passed + 1, failed)
            print(f"{'FAILED' if problems else 'ok    '} {title}")
            for problem in problems:
                print(f"       {problem}")
    except MissingTool as missing:
        print(f"MISSING TOOL: {missing}", file=sys.stderr)
        return 2
    print(f"{what}: {passed} passed, {failed} failed")
    return 1 if failed else 0
