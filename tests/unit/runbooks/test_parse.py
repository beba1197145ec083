from __future__ import annotations

import textwrap

from hypothesis import given
from hypothesis import strategies as st

from bot.runbooks.model import Kind
from bot.runbooks.parse import ParseError, parse


def body(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_a_step_takes_its_words_code_and_language() -> None:
    """Paragraphs of a step become lines, the fenced block its code, the fence's first word the language."""
    _, section = parse(
        body("""
        ## Remediation

        1. Do it
           now.

           ```sql title=x
           SELECT 1;

           SELECT 2;
           ```

           Rollback: `undo`.
        """)
    )
    (step,) = section.steps
    assert step.text == "Do it now."
    assert step.rollback == "`undo`."
    assert step.code == "SELECT 1;\n\nSELECT 2;"
    assert step.language == "sql"


def test_a_step_without_code_has_none() -> None:
    """No code is None, not an empty block."""
    _, section = parse("## D\n\n1. Look.\n")
    assert (section.steps[0].code, section.steps[0].language) == (None, "")


def test_bullets_stay_in_a_step_and_in_an_intro() -> None:
    """A bullet list belongs to what it stands in, as written."""
    _, section = parse(body("## D\n\n- a\n- b\n\n1. Ask:\n   - who\n   - when\n"))
    assert section.intro == "- a\n- b"
    assert section.steps[0].text == "Ask:\n- who\n- when"


def test_headings_in_code_are_code() -> None:
    """A comment in a command is no heading: the parser reads tokens, not lines."""
    _, section = parse("## D\n\n1. Run:\n\n   ```sh\n   ## not a heading\n   1. not a step\n   ```\n")
    assert section.steps[0].code == "## not a heading\n1. not a step"


def test_steps_are_numbered_through_the_file() -> None:
    """Numbers go on over sections, whatever the file's own numbers are."""
    sections = parse("## A\n\n1. a\n1. b\n\n## B\n\n1. c\n")
    assert [step.number for section in sections for step in section.steps] == [1, 2, 3]


@given(st.text(alphabet="#1.-`> \nab\t\\*"))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text makes the parser fail otherwise than by its own error."""
    try:
        sections = parse(text)
    except ParseError:
        return
    assert all(step.text for section in sections for step in section.steps)


def test_a_steps_notes_are_its_own() -> None:
    """How and by when to take it back, why not to, and who must agree stand in paragraphs that begin so."""
    _, section = parse(
        body("""
        ## Remediation

        1. Switch it off.

           Rollback within 2h: switch it on.

           Approval: CISO.

        2. Restart it.

           No rollback: the same revision comes back.

        3. Write down: Rollback: is the word.
        """)
    )
    first, second, third = section.steps
    assert (first.text, first.rollback, first.rollback_within) == ("Switch it off.", "switch it on.", 7200)
    assert (first.approval, first.no_rollback) == ("CISO", None)
    assert (second.rollback, second.no_rollback) == (None, "the same revision comes back.")
    assert (third.text, third.rollback) == ("Write down: Rollback: is the word.", None)
    assert first.kind is Kind.REMEDIATION
