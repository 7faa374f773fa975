"""Text of users in Markdown."""


def plain_markdown(text: str) -> str:
    """Text on one line in which nothing is Markdown or HTML, such as names from a manifest."""
    for sign in ("\\", "`", "*", "_", "[", "]", "|"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())
