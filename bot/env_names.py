"""Names in the environment that nothing reads: a slip of the finger in `SITREP_...` must not go unseen."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

OURS = "SITREP_"
SHARED = ("SLACK_", "PAGERDUTY_", "ALERTMANAGER_")  # other tools have variables of these names too
FAR = 0.55  # how alike what follows our prefix must be to be suggested
NEAR = 0.85  # how alike a whole name must be to count as a slip, where other tools use the prefix

# Kubernetes sets these in every pod, for each Service of the namespace.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")


def unknown(environ: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Return a sentence for each name that is probably a mistake, with the nearest known name.

    Args:
        environ: the names that are set.
        known: the names that the settings read, in capitals; case does not count.
    """
    known = sorted(known)
    given = {name.upper(): name for name in environ}
    for name in sorted(given):
        if name in known or _SERVICE_LINK.search(name):
            continue
        if name.startswith(OURS):
            rests = [k.removeprefix(OURS) for k in known if k.startswith(OURS)]
            near = [OURS + r for r in difflib.get_close_matches(name.removeprefix(OURS), rests, n=1, cutoff=FAR)]
        elif name.startswith(SHARED):
            near = [k for k in difflib.get_close_matches(name, known, n=1, cutoff=NEAR) if k not in given]
        else:
            continue
        if near or name.startswith(OURS):
            yield f"{given[name]} is set, but Sitrep does not read it: {_fix(near, known)}"


def _fix(near: list[str], known: list[str]) -> str:
    if near:
        return f"did you mean {near[0]}? Rename it, or unset it."
    return f"unset it. Known: {', '.join(name for name in known if name.startswith(OURS))}."
