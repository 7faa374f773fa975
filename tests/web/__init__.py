"""Pages in a browser: `make test-web`. They need Chromium and are left out by `make test`."""
