"""The template environment that all pages share, so that they look and read alike."""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from experiments.number_format import sentence_case


@cache
def environment(*packages: str) -> Environment:
    """Return the environment of the pages' templates: escaping, strict about missing names, with the filter ``sentence_case``.

    Args:
        packages: Further packages with a folder ``templates``; theirs come before those of the pages, whose style sheet they may
            include.
    """
    loaders = [PackageLoader(package, "templates") for package in (*packages, "experiments.pages")]
    found = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_together,
    )
    found.filters["sentence_case"] = sentence_case
    return found


def _keep_together(value: object) -> object:
    """Keep a number and its per-cent sign on one line; markup stays unchanged."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value
