"""The color of the brand, and what can be read on it."""

#: calm, and with enough contrast to white text, on white and on the dark background
ACCENT = "#3a6fc4"


def accent(brand_color: str) -> str:
    """The color of buttons and links: that of the brand, or one of ours."""
    return brand_color or ACCENT


def accents(brand_color: str) -> tuple[str, str]:
    """The accent in the light theme and in the dark one: darker or lighter than the brand's where it could not be read.

    Streamlit writes white on it, and writes with it on its background: both have a contrast of 4.5 in the light theme,
    and of 4.5 and 3 in the dark one.
    """
    color = accent(brand_color)
    light = _shaded(color, darkest=0.0, lightest=0.183)
    return light, _shaded(color, darkest=0.13, lightest=0.183)


def text_on(color: str) -> str:
    """White or near-black, whichever has more contrast to #rrggbb."""
    shade = luminance(color)
    return "#ffffff" if 1.05 / (shade + 0.05) >= (shade + 0.05) / 0.06 else "#16181d"


def luminance(color: str) -> float:
    """Of #rrggbb, from 0 for black to 1 for white (WCAG 2.1, relative luminance)."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _shaded(color: str, darkest: float, lightest: float) -> str:
    """The color, mixed with as little black or white as brings its luminance between the two."""
    for step in range(101):
        for mixed in (_mixed(color, towards, step / 100) for towards in (0, 255)):
            if darkest <= luminance(mixed) <= lightest:
                return mixed
    return ACCENT


def _mixed(color: str, towards: int, share: float) -> str:
    return "#" + "".join(f"{round(channel + (towards - channel) * share):02x}" for channel in _channels(color))


def _channels(color: str) -> list[int]:
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
