"""Grafana's dashboards as code: one module each, and how panels and frames are made."""
