"""Pages for people: reports of experiments, uplift and send plans, each one HTML file that needs nothing else."""

from experiments.pages.experiment_page import ReportContext, build_report, result_report

__all__ = ["ReportContext", "build_report", "result_report"]
