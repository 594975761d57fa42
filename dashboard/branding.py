"""The colour of the brand, and what can be read on it."""

#: calm, and with enough contrast to white text, on white and on the dark background
ACCENT = "#3a6fc4"


def accent(brand_color: str) -> str:
    """The colour of buttons and links: that of the brand, or one of ours."""
    return brand_color or ACCENT


def text_on(color: str) -> str:
    """White or near-black, whichever has more contrast to #rrggbb (relative luminance of WCAG 2.1)."""
    red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.06 else "#16181d"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
