"""The pages a person uses: plain HTML from templates, nothing loaded from elsewhere, light and dark."""

from labline.ui.pages import home_page, monitor_page, reports_page

__all__ = ["home_page", "monitor_page", "reports_page"]
