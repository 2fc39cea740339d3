"""Reports for marketers: one HTML file that needs nothing else."""

from experiments.report.build import ReportContext, build_report

__all__ = ["ReportContext", "build_report"]
