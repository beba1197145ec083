"""What stands in where a file is broken or missing: the least that a responder needs."""

from __future__ import annotations

from datetime import date

from bot.incidents.policy import Severity
from bot.runbooks.model import Checklist, Runbook, Section, Step

GENERAL_ID = "ops.general.first-response"
CHECKLIST_ID = "checklist.first-response"
BUILT_IN = "built-in"  # the version and the url of what stands in

_DIAGNOSIS = (
    "Check the scope: one service or several, one region or all. If in doubt, raise the severity.",
    "Look at the alert's own links: its dashboard, its graph, its runbook.",
    "List what has changed in the last hours: deployments, configuration, keys.",
)
_REMEDIATION = ("Roll back the last change before the incident, if there was one.",)
_VERIFICATION = ("The alert has resolved, and the reporter confirms that the service works.",)
_ESCALATION = ("No progress after 15 minutes, or nobody knows the service: page the next level.",)
_FIRST = (
    ("Acknowledge the page, so that nobody else is paged.", "acknowledge"),
    ("Say in one line what you see, and who is affected.", None),
    ("Take the lead, or name who has it.", "lead"),
    ("Post the first update.", "update"),
)


def _sections(**titled: tuple[str, ...]) -> tuple[Section, ...]:
    number = 0
    made = []
    for title, texts in titled.items():
        steps = []
        for text in texts:
            number += 1
            why = "this step restores the last known good state" if title == "Remediation" else None
            steps.append(Step(section=title, number=number, text=text, no_rollback=why))
        made.append(Section(title=title, steps=tuple(steps)))
    return tuple(made)


GENERAL = Runbook(
    id=GENERAL_ID,
    title="First response",
    severity_hint=Severity.SEV3,
    owner_team="Sitrep operators",
    last_reviewed_at=date(2026, 11, 21),
    url=BUILT_IN,
    version=BUILT_IN,
    summary="The general runbook could not be read: these steps stand in. `sitrep runbooks lint` says why.",
    sections=_sections(
        Diagnosis=_DIAGNOSIS, Remediation=_REMEDIATION, Verification=_VERIFICATION, Escalation=_ESCALATION
    ),
)
FIRST_RESPONSE = Checklist(
    id=CHECKLIST_ID,
    title="First ten minutes",
    version=BUILT_IN,
    items=tuple(
        Step(section="", number=number, text=text, point=point) for number, (text, point) in enumerate(_FIRST, start=1)
    ),
)
TEMPLATES = {
    "initial": """:rotating_light: *{{ severity | capitals }} {{ number | line }}* {{ title | line }}
*Service:* {{ service | line or "unknown" }}
*Impact:* {{ impact | text or "unknown" }}
*Responders:* {{ responders | line }}
""",
    "update": """:memo: *Update on {{ number | line }}* ({{ severity | capitals }}, {{ status | line }})
*Now:* {{ state | text }}
{% if action %}
*Next step:* {{ action | text }}
{% endif %}
{% if next_update %}
*Next update:* {{ next_update | line }}
{% endif %}
""",
    "resolution": """:large_green_circle: *{{ severity | capitals }} {{ number }} is resolved:* {{ title | line }}
*Root cause:* {{ root_cause | text or "unknown" }}
*Fixed by:* {{ fix | text or "unknown" }}
""",
}
