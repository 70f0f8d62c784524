"""The chart of usage: its values by pointer, tap and keys, and its size."""

import re
import time

from playwright.sync_api import Page, Route, expect
from tests.support.page_files import ORIGIN, fulfil_status, serve_page

DAY_S = 86_400
_NUMBERS = {"requests": 2, "failed": 1, "cached_tokens": 10, "busy_s": 3.0, "key": None, "client": None}


def _api(route: Route) -> None:
    """Answer with the usage of three days, of which the second has none."""
    if fulfil_status(route):
        return
    today = int(time.time()) // DAY_S * DAY_S
    rows = [
        {"start_s": today - 2 * DAY_S, "model": "m", "prompt_tokens": 30, "completion_tokens": 7, **_NUMBERS},
        {"start_s": today, "model": "m", "prompt_tokens": 400, "completion_tokens": 90, **_NUMBERS},
    ]
    total = {"start_s": None, "model": None, "prompt_tokens": 430, "completion_tokens": 97, **_NUMBERS}
    route.fulfill(json={"usage": rows, "total": total})


def test_the_values_of_a_step_are_shown_by_keys_and_by_the_pointer(page: Page) -> None:
    """Without one, those of the period; screen readers get the same texts as the values of a slider."""
    serve_page(page, _api)
    page.goto(f"{ORIGIN}/#/usage")
    chart = page.get_by_role("slider", name="Tokens by day")
    legend = page.locator(".chart figcaption")
    expect(legend).to_contain_text("Sum of the period")
    expect(legend).to_contain_text("Out 97")
    chart.press("ArrowLeft")
    expect(legend).to_contain_text("Out 90")
    expect(chart).to_have_attribute("aria-valuenow", "3")
    chart.press("Home")
    expect(legend).to_contain_text("Out 7")
    chart.press("ArrowRight")
    expect(legend).to_contain_text("Out 0")
    chart.press("End")
    expect(chart).to_have_attribute("aria-valuetext", re.compile("Out 90, In 390, In, cached 10$"))
    chart.blur()
    expect(legend).to_contain_text("Sum of the period")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 100)
    expect(legend).to_contain_text("Out 90")
    page.mouse.move(box["x"] + 10, box["y"] + 100)  # the labels of the axis
    expect(legend).to_contain_text("Sum of the period")


def test_a_tap_shows_the_values_until_another_one(page: Page) -> None:
    """The finger leaves the chart after a tap."""
    serve_page(page, _api)
    page.goto(f"{ORIGIN}/#/usage")
    chart = page.get_by_role("slider", name="Tokens by day")
    box = chart.bounding_box()
    assert box is not None
    touch = {"pointerType": "touch", "clientX": box["x"] + box["width"] - 40, "clientY": box["y"] + 100}
    chart.dispatch_event("pointerdown", touch)
    chart.dispatch_event("pointerleave", touch)
    expect(page.locator(".chart figcaption")).to_contain_text("Out 90")


def test_the_chart_has_the_width_of_its_place(page: Page) -> None:
    """Also after the window got another one: the bars end where the labels do."""
    serve_page(page, _api)
    page.goto(f"{ORIGIN}/#/usage")
    bars = page.locator(".chart-bars.s1")
    expect(bars).to_have_count(1)
    wide = page.evaluate(_WIDTHS)
    page.set_viewport_size({"width": 500, "height": 800})
    page.wait_for_function(f"(({_WIDTHS})()[1]) < {wide[1]}")
    for place, drawn in (wide, page.evaluate(_WIDTHS)):
        assert 0.5 * place < drawn < place


_WIDTHS = """() => [document.querySelector('.chart-place').clientWidth,
  document.querySelector('.chart-bars.s1').getBoundingClientRect().width]"""
