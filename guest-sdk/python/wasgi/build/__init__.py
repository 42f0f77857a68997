"""What happens while a component is built: the application is imported, warmed up, and left ready to be called."""

from wasgi.build.story import build

__all__ = ["build"]
