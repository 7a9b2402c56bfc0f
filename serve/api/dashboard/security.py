"""What pages tell browsers to refuse: everything that is not the server's own."""

from __future__ import annotations

# A heatmap of Plotly is an image that the page itself has drawn: hence data.
_SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_POLICY = "; ".join(f"{what} {whence}" for what, whence in _SOURCES.items())
_FOR_GOOD = "public, max-age=31536000, immutable"

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def page_headers() -> dict[str, str]:
    """Return the headers of a page.

    Examples
    --------
    >>> "script-src 'self'" in page_headers()["Content-Security-Policy"]
    True
    """
    return _ALWAYS | {
        "Content-Security-Policy": _POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-cache",
    }


def file_headers() -> dict[str, str]:
    """Return the headers of a file that pages load; its address changes with its content."""
    return _ALWAYS | {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
