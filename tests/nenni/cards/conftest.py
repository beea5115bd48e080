"""A browser, for the pages of cards."""

from browser_cases import browser  # noqa: F401 - a fixture
