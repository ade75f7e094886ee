"""The Metrics tab."""

from app.gateway.dashboard.routes import Visitor, dashboard_router

__all__ = ["Visitor", "dashboard_router"]
