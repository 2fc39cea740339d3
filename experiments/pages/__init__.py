"""Reports for marketers: one HTML file that needs nothing else."""

from experiments.pages.experiment_page import ReportContext, build_report, experiment_page

__all__ = ["ReportContext", "build_report", "experiment_page"]
