import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest

from experiments.analysis import ExperimentResult, analyze_decisions
from experiments.definition import ExperimentDefinition
from experiments.pages import ReportContext, build_report
from tests.experiments.definitions import arms, definition, raw_definition
from tests.experiments.pages import Page
from tests.experiments.synthetic import Logs, exposure, frames, offer_ranking_logs, outcome

CONTEXT = ReportContext(
    title="Do personal offers work better?",
    subtitle="Four weeks of a grocery programme",
    generated_time=datetime(2026, 5, 4, 3, 2, tzinfo=UTC),
    limits=["Nobody saw these offers.", "So nobody was influenced."],
    facts={"Zebra fact": "first", "Aardvark fact": "second"},
    notes=["A note for those who know."],
    technical={"Model version": "7"},
)


def result_of(logs: Logs | None = None, experiment: ExperimentDefinition | None = None) -> ExperimentResult:
    """Return the analysis of logs of ``offer-ranking``, by default with a clear effect."""
    experiment = experiment or definition(analysis="fixed")
    logs = logs or offer_ranking_logs(experiment)
    return analyze_decisions(experiment, exposures=logs.exposures, outcomes=logs.outcomes)


@pytest.fixture(scope="module")
def page() -> Page:
    """The report of a clear effect."""
    return Page(build_report(result_of(), CONTEXT))


def test_verdict_comes_first(page: Page) -> None:
    """The heading, a few words of verdict and the reason stand above everything else, and no p-value does."""
    opening = page.text[:600]

    assert opening.index(CONTEXT.title) < opening.index("Ship: Personal ranking")
    assert result_of().decision.reason in opening
    assert "p-value" not in page.text.split("Technical appendix")[0]
    assert "chi-squared" not in page.text.split("Technical appendix")[0]


def test_headline_numbers_are_those_of_the_result(page: Page) -> None:
    """Figures, differences and percentages are on the page with the interval that the decision rests on."""
    primary = result_of().results[0]
    pair, interval = primary.pair, primary.decisive
    assert pair is not None
    assert interval is not None
    assert interval.ci_lower is not None
    assert interval.relative_ci_lower is not None

    assert f"{pair.treatment_mean:.3f}" in page.text
    assert f"{pair.control_mean:.3f}" in page.text
    assert f"+{pair.estimate:.3f}" in page.text
    assert f"between +{interval.ci_lower:.3f} and" in page.text
    assert (
        f"+{100 * pair.estimate / pair.control_mean:.0f} % between +{100 * interval.relative_ci_lower:.0f} %"
        in page.text
    )
    assert f"{pair.standard_error:.6g}" in page.text


def test_page_has_its_charts_inline(page: Page) -> None:
    """One plot of effects and one of bars per metric, as SVG in the page."""
    assert page.tags.count("svg") == 3
    assert page.tags.count("figure") == 3


def test_page_loads_nothing() -> None:
    """No script, no link, no image, no address but the names of SVG's namespaces."""
    html = build_report(result_of(), CONTEXT)
    found = Page(html)

    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(found.tags)
    assert {name for name, _ in found.attributes} & {"src", "href", "xlink:href", "srcset", "onload"} == set()
    assert set(re.findall(r"https?://[^\s\"'<>]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_page_suits_dark_mode_phones_and_paper() -> None:
    """The style sheet has rules for each of them."""
    html = build_report(result_of(), CONTEXT)

    assert "prefers-color-scheme: dark" in html
    assert "max-width: 34rem" in html
    assert "@media print" in html
    assert 'name="viewport"' in html


def test_context_is_told_in_order(page: Page) -> None:
    """Limits, facts, technical rows and notes of the caller are all there, facts in their own order."""
    for text in (*CONTEXT.limits, *CONTEXT.notes, "Model version", CONTEXT.subtitle, "2026-05-04 03:02 UTC"):
        assert text in page.text
    assert page.text.index("Zebra fact") < page.text.index("Aardvark fact")


def test_time_is_written_in_utc() -> None:
    """A local time is converted, not relabelled."""
    local = datetime(2026, 5, 4, 3, 2, tzinfo=timezone(timedelta(hours=-4)))

    assert "2026-05-04 07:02 UTC" in build_report(result_of(), replace(CONTEXT, generated_time=local))


def test_everything_is_escaped() -> None:
    """Markup in names, texts and facts stays text, in HTML and in charts."""
    evil = "<script>alert('x')</script><b>"
    raw = raw_definition(hypothesis=evil, owner=evil)
    raw["variants"][1] |= {"name": evil, "description": evil}
    raw["metrics"][0]["name"] = evil
    experiment = definition(**raw)
    logs = offer_ranking_logs(experiment)
    context = ReportContext(
        title=evil,
        subtitle=evil,
        generated_time=CONTEXT.generated_time,
        limits=[evil],
        facts={evil: evil},
        notes=[evil],
        technical={evil: evil},
    )

    html = build_report(result_of(logs, experiment), context)

    assert "<script" not in html
    assert "script" not in Page(html).tags


def test_red_sample_ratio_names_no_winner() -> None:
    """While the groups cannot be compared, the page says so first, and "better" of nobody."""
    logs = offer_ranking_logs(definition())
    lost = (pl.col("variant_id") != "personal") | ~pl.col("member_id").str.contains("[1-3]$")

    text = Page(build_report(result_of(Logs(logs.exposures.filter(lost), logs.outcomes)), CONTEXT)).text

    assert "Invalid: the groups do not have the planned sizes" in text
    assert "Something is wrong" in text
    assert "Ship" not in text
    assert "is better" not in text
    assert "Better" not in text


def test_healthy_groups_are_said_to_be_comparable(page: Page) -> None:
    """The traffic light is green, with members found and expected."""
    assert "The groups have the planned sizes" in page.text
    assert "Popular offers: 1,004 members, 1,000 expected; Personal ranking: 996 members" in page.text


def test_undecided_result_claims_nothing() -> None:
    """An interval across zero is not dressed up."""
    logs = offer_ranking_logs(definition(), members=900, hit_rates=(0.03, 0.03), hit_values=(2.4, 2.4))

    text = Page(build_report(result_of(logs), CONTEXT)).text

    assert "Do not ship" in text
    assert "which can be chance" in text
    assert "Better" not in text


def test_worse_is_called_worse() -> None:
    """A treatment below the control is a loss in plain words."""
    logs = offer_ranking_logs(definition(), hit_rates=(0.06, 0.03))

    text = Page(build_report(result_of(logs), CONTEXT)).text

    assert "Do not ship" in text
    assert "Personal ranking is worse on offers hit per trip" in text


def test_without_figures_there_is_still_a_page() -> None:
    """Two members are not a result: the page says why and draws nothing."""
    logs = frames([exposure("m", "popular", "d1"), exposure("n", "personal", "d2")], [])

    page = Page(build_report(result_of(logs), CONTEXT))

    assert "Invalid: there is no figure to judge by" in page.text
    assert "a ratio needs at least 30" in page.text
    assert "Too early to tell" in page.text
    assert "svg" not in page.tags


def test_what_was_left_out_is_said() -> None:
    """Every kind of exclusion of the analysis appears in words."""
    rows = [exposure(f"m{n}", "popular" if n % 2 else "personal", f"d{n}") for n in range(80)]
    rows += [rows[0], exposure("m1", "personal", "d100"), exposure("z", "old", "d101")]
    bought = [
        outcome("m2", "d2", "a", None),
        outcome("m2", "d4", "a"),
        outcome("m2", None, "a"),
        outcome("m2", "d999", "a"),
        outcome("m1", "d1", "a"),
    ]

    text = Page(build_report(result_of(frames(rows, bought)), CONTEXT)).text

    assert "1 member met more than one variant" in text
    assert "1 exposure to variants that the definition does not have" in text
    assert "1 repeated exposure and 0 repeated outcomes were counted once" in text
    assert "1 outcome named no decision" in text
    assert "1 outcome named a decision that this experiment did not show" in text
    assert "1 outcome named another member's decision" in text
    assert "1 outcome belong to members that are left out" in text
    assert "1 outcome had no value" in text


def test_three_variants_fit_on_the_page() -> None:
    """Every treatment has its card and its own verdict; the best one that may ship is in the heading."""
    experiment = definition(variants=arms(1, 1, 1), control="v0", analysis="fixed")
    logs = offer_ranking_logs(experiment, hit_rates=(0.03, 0.06, 0.03), hit_values=(1, 1, 1))

    page = Page(build_report(result_of(logs, experiment), CONTEXT))

    assert "Ship: v1" in page.text
    assert "Every variant" in page.text
    assert "Do not ship. v2 is not proven better" in page.text
    assert page.tags.count("article") == 4


def test_same_result_gives_the_same_page() -> None:
    """Nothing in the page depends on when or how often it was built."""
    assert build_report(result_of(), CONTEXT) == build_report(result_of(), CONTEXT)
