"""What `oneiric bundle` answers: the requirements of an application in one profile, in the form that pip reads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from oneiric.cli.answers import application
from oneiric.cli.failures import FAILED, blocks, refused
from oneiric.cli.options import Options
from oneiric.cli.reply import Reply, answer
from oneiric.containers.bundle import Requirement, Use, bundle, functions
from oneiric.containers.graph import clean
from oneiric.core.errors import BadOption, InvalidApplication, did_you_mean

COMMAND = "oneiric bundle"


def bundled(options: Options, *, only: str | None = None) -> Reply:
    """
    Answer with what has to be installed; it fails where the application would not start there either.

    Args:
        options: Which application, and where its configuration comes from.
        only: A handler, a service or a task: what this one needs.
    """
    with application(options) as app:
        if only is not None and only not in (known := functions(app)):
            hint = " ".join(did_you_mean(only, known)) or "nothing is registered"
            raise BadOption(f'--only: "{only}" is no registered function; {hint}', command=COMMAND)
        found = bundle(app, only)
        if found.faults:
            return refused(InvalidApplication(app.name, found.faults), app)._replace(code=FAILED)
        fields = answer(
            "bundle",
            app=app.name,
            profile=app.profile.name,
            only=only,
            requirements=[_fields(one) for one in found.requirements],
            warnings=[warning.problem.fields() for warning in found.warnings],
        )
        head = f"{app.name}   profile {app.profile.name}" + (f"   only {only}" if only is not None else "")
        notices = blocks(found.warnings, label="warning")
        return Reply(fields, partial(_text, head, found.requirements), notices)


def _fields(requirement: Requirement) -> dict[str, Any]:
    return {
        "requirement": requirement.line,
        "distribution": requirement.distribution,
        "version": requirement.version,
        "extras": list(requirement.extras),
        "needed_by": [use._asdict() for use in requirement.uses],
    }


def _text(head: str, requirements: tuple[Requirement, ...]) -> str:
    """Return a requirements file: pip passes over what follows `#`."""
    lines = [f"# {head}"]
    for requirement in requirements:
        lines += [*_reasons(requirement), requirement.line]
    return "\n".join(map(clean, lines))


def _reasons(requirement: Requirement) -> Iterator[str]:
    """Yield a comment for each extra, and for the distribution itself where no extra is the reason."""
    by_part: dict[str, list[Use]] = {}
    for use in requirement.uses:
        by_part.setdefault(use.extra or requirement.distribution, []).append(use)
    for part in sorted(by_part):
        yield f"# {part}: {', '.join(f'slot {use.slot} = {use.adapter}' for use in by_part[part])}"
