"""The Metrics tab for people, and /metrics for Prometheus."""

from app.gateway.dashboard.routes import Visitor, dashboard_router, metrics_router

__all__ = ["Visitor", "dashboard_router", "metrics_router"]
