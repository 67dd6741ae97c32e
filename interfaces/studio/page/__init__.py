"""The files of the page, as the browser loads them; they need no build step."""
