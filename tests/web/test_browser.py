"""The page in a real browser: a person draws, and sees photos."""

import re
import shutil
import threading
import time
import zipfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchy.retrieval.follow import Follower
from sketchy.retrieval.model import Model
from sketchy.retrieval.open import open_index
from sketchy.web.app import create_app
from sketchy.web.server import Server, open_socket

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP, PHONE, WALL = (1280, 800), (360, 740), (3840, 2160)
SMALL = [PHONE, (740, 360), (820, 1180), DESKTOP]
SETTLED = """() => {
    const results = document.querySelector('#results');
    const pending = document.querySelectorAll('.photo img:not([src])').length;
    return !results.classList.contains('is-searching') && pending === 0;
}"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def launched():
    """The files that were opened on this machine."""
    return []


@pytest.fixture(scope="module")
def address(index, launched):
    with served(index, launch=lambda file, in_folder: launched.append(file) or 0) as address:
        yield address


@contextmanager
def served(index, **options):
    """Serve the page for an index, and yield its address; `options` are those of `create_app`."""
    opened = open_socket("127.0.0.1", 0)
    ready = threading.Event()
    server = Server(create_app(index, **options), opened, ready.set)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def visit(browser, address, size=DESKTOP, fragment="", **options):
    """Open the page as a new person, in a window of that size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    try:
        with tab(context, address, fragment) as page:
            yield page
    finally:
        context.close()


@contextmanager
def tab(context, address, fragment=""):
    """Open the page with nothing stored; at the end nothing may have gone wrong, and no other host been asked."""
    context.set_default_timeout(10_000)
    page = context.new_page()
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "all"})
    hosts, complaints = set(), []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(f"{address}/{fragment}")
    until(page, "document.querySelector('#gallery').textContent.includes('photos in')")
    try:
        yield page
    finally:
        page.close()
    assert hosts - {""} == {urlsplit(address).netloc}
    assert [said for said in complaints if "Failed to load resource" not in said] == []


@pytest.fixture(scope="module")
def window(browser):
    """One window for all tests that need none of their own: a page is opened in it in half of the time."""
    made = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    yield made
    made.close()


@pytest.fixture
def page(window, address):
    with tab(window, address) as page:
        yield page


def until(page, condition):
    """Wait for something to be true of the page; as a function, since its policy forbids to evaluate strings."""
    page.wait_for_function(f"() => {condition}")


def draw(page, *points, steps=2):
    """Drag the mouse over the sheet, in so many steps from point to point; points are shares of its side."""
    box = page.locator("#canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()


def circle(page, steps=2):
    points = (0.5, 0.2), (0.75, 0.35), (0.75, 0.65), (0.5, 0.8), (0.25, 0.65), (0.25, 0.35), (0.5, 0.2)
    draw(page, *points, steps=steps)


def cross(page):
    draw(page, (0.1, 0.15), (0.9, 0.9))
    draw(page, (0.9, 0.1), (0.1, 0.85))


def test_a_line_is_answered_with_keep_drawing_and_more_of_it_is_not(page):
    draw(page, (0.1, 0.5), (0.9, 0.52))
    until(page, "document.querySelector('#line').textContent.startsWith('Keep drawing')")
    assert page.locator("#grid li").count() > 0
    draw(page, (0.5, 0.1), (0.3, 0.9))
    until(page, "!document.querySelector('#line').textContent.startsWith('Keep drawing')")


def found(page):
    """Wait for the answer, and return name and distance of its photos."""
    page.wait_for_function(SETTLED)
    return list(
        zip(
            page.locator("#grid .name").all_inner_texts(),
            page.locator("#grid li").evaluate_all("items => items.map((item) => item.dataset.distance)"),
            strict=True,
        )
    )


def state(page):
    found(page)
    return page.locator("#results").get_attribute("data-state")


def ink(page):
    """Count the pixels of the sheet that are drawn on."""
    return page.evaluate("""async () => {
        await new Promise(requestAnimationFrame);
        const canvas = document.querySelector('#canvas');
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let place = 3; place < data.length; place += 4) count += data[place] > 128;
        return count;
    }""")


def test_photos_come_change_and_come_back_with_undo(page):
    assert state(page) == "empty"
    answers = []
    page.on("response", lambda answer: answers.append(answer) if "/api/search" in answer.url else None)
    circle(page)
    first = found(page)
    assert len(first) == 20
    assert [distance for _, distance in first] == sorted(distance for _, distance in first)
    told = {None: "the 20 nearest", "nothing fits well": "Nothing fits well. Nearest photos:"}
    assert page.locator("#line").inner_text() == told[answers[-1].json()["advice"]]
    cross(page)
    second = found(page)
    assert second != first
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Undo").click()
    assert found(page) == first
    page.keyboard.press("Control+Shift+z")
    page.get_by_role("button", name="Redo").click()
    assert found(page) == second
    page.get_by_role("button", name="Clear").click()
    assert (state(page), ink(page)) == ("empty", 0)
    page.get_by_role("button", name="Undo").click()
    assert found(page) == second


def test_photos_change_while_a_stroke_is_drawn(page):
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 300, steps=8)
    during = found(page)
    assert len(during) == 20
    page.mouse.move(box["x"] + 300, box["y"] + 60, steps=8)
    assert found(page) != during
    page.mouse.up()


def test_the_keyboard_does_it_all(page):
    page.evaluate("""() => {  // the answer is announced soon after the pen: keep all that was
        const announcer = document.querySelector('#announcer');
        window.announced = [];
        new MutationObserver(() => announced.push(announcer.textContent)).observe(announcer, { childList: true });
    }""")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the link that skips the top
    assert page.evaluate("document.activeElement.id") == "canvas"
    assert page.locator("#cursor").is_visible()
    for keys in (["Space", *["ArrowRight"] * 12, *["ArrowDown"] * 12, "Space"], ["Shift+ArrowLeft"] * 5, ["Space"]):
        for key in keys:
            page.keyboard.press(key)
    for key in ["Shift+ArrowUp"] * 5 + ["Space"]:
        page.keyboard.press(key)
    first = found(page)
    assert len(first) == 20
    assert any("Pen up" in line for line in page.evaluate("announced"))
    page.keyboard.press("Control+z")
    assert found(page) not in ([], first)
    page.keyboard.press("Control+y")
    assert found(page) == first
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("Boolean(document.activeElement.closest('#grid'))"):
            break
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    assert viewer.get_by_role("heading").inner_text() == first[0][0]
    page.keyboard.press("ArrowRight")
    assert viewer.get_by_role("heading").inner_text() == first[1][0]
    page.keyboard.press("Escape")
    until(page, "document.activeElement.closest('#grid li')?.querySelector('.rank').textContent === '2'")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#viewer').open")
    viewer.get_by_role("button", name="Find photos like this one").press("Enter")
    until(page, "document.querySelector('#line').textContent.includes('like this one')")
    assert first[1][0] not in [name for name, _ in found(page)][:1]


def test_a_photo_is_shown_with_its_path_and_finds_others_like_it(page, photos):
    circle(page)
    drawn = found(page)
    page.locator("#grid button").nth(2).click()
    viewer = page.get_by_role("dialog")
    until(page, "document.querySelector('#viewer .path').textContent")
    path = viewer.locator(".path").inner_text()
    assert path.startswith(str(photos))
    assert path.endswith(drawn[2][0])
    until(page, "document.querySelector('#viewer img').naturalWidth === 48")
    viewer.get_by_role("button", name="Find photos like this one").click()
    until(page, "document.querySelector('#line').textContent.includes('like this one')")
    alike = found(page)
    assert len(alike) == 20
    assert "#like=" in page.url
    page.reload()
    assert found(page) == alike
    page.go_back()
    until(page, "!location.hash.includes('like')")
    assert found(page) == drawn


def test_the_address_holds_the_query(page, browser, address):
    circle(page, steps=6)
    page.get_by_role("button", name="Filter").click()
    page.locator("#category").select_option("bar")
    page.locator("#k").fill("6")
    drawn = found(page)
    assert len(drawn) == 6
    assert set(page.locator("#grid .when").all_inner_texts()) == {"bar"}
    until(page, "location.hash.includes('category=bar')")
    fragment = "#" + page.url.split("#")[1]
    assert len(fragment) < 500
    with visit(browser, address, fragment=fragment) as other:
        assert found(other) == drawn
    with visit(browser, address, fragment="#d=1%00nonsense&k=x&category=none&like=../..") as other:
        assert state(other) == "empty"


def test_a_saved_sketch_is_a_picture_and_opens_as_strokes(page, tmp_path):
    circle(page)
    cross(page)
    drawn = found(page)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save the sketch").click()
    saving.value.save_as(tmp_path / "sketch.png")
    with Image.open(tmp_path / "sketch.png") as picture:
        assert (picture.size, picture.convert("L").getextrema()) == ((1024, 1024), (0, 255))
    page.get_by_role("button", name="Clear").click()
    page.locator("#file").set_input_files(tmp_path / "sketch.png")
    until(page, "document.querySelector('#results').dataset.state === 'found'")
    assert found(page) == drawn
    until(page, "location.hash.includes('d=1')")


def test_a_picture_that_is_opened_dropped_or_pasted_is_the_sketch(page, tmp_path):
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((60, 40, 220, 160), outline="black", width=5)
    picture.save(tmp_path / "drawn.jpg")
    page.locator("#file").set_input_files(tmp_path / "drawn.jpg")
    until(page, "document.querySelector('#results').dataset.state === 'found'")
    opened = found(page)
    assert len(opened) == 20
    content = list((tmp_path / "drawn.jpg").read_bytes())
    for kind in ("drop", "paste"):
        page.get_by_role("button", name="Clear").click()
        assert state(page) == "empty"
        page.evaluate(
            """([kind, content]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(content)], "a.jpg", {type: "image/jpeg"}));
                const init = {bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data};
                const event = kind === "drop" ? new DragEvent(kind, init) : new ClipboardEvent(kind, init);
                document.body.dispatchEvent(event);
            }""",
            [kind, content],
        )
        until(page, "document.querySelector('#results').dataset.state === 'found'")
        assert found(page) == opened


def dropped(page, name, kind, content):
    """Drop a file on the page."""
    page.evaluate(
        """([name, type, content]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([new Uint8Array(content)], name, {type}));
            document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer}));
        }""",
        [name, kind, list(content)],
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("broken" * 40 + ".png", "image/png"), ("notes.txt", "text/plain"), ("a.heic", "")]
)
def test_a_file_that_is_no_picture_is_answered_and_leaves_the_photos(page, name, kind):
    circle(page)
    before = found(page)
    dropped(page, name, kind, b"no picture")
    until(page, "!document.querySelector('#problem').hidden")
    assert f"{name} is not a picture that can be opened" in page.locator("#problem").inner_text()
    assert page.locator("#problem").evaluate("line => line.scrollWidth <= line.clientWidth")
    assert found(page) == before
    cross(page)
    until(page, "document.querySelector('#problem').hidden")


def test_text_that_is_dropped_is_answered_unless_a_text_field_takes_it(page):
    drop = """target => {
        const dataTransfer = new DataTransfer();
        dataTransfer.setData("text/plain", "cat");
        const event = new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer});
        return document.querySelector(target).dispatchEvent(event);
    }"""
    assert page.evaluate(drop, "#name")  # left to the browser
    assert page.locator("#problem").is_hidden()
    assert not page.evaluate(drop, "#canvas")
    assert page.locator("#problem").inner_text() == "That is no file; drop a PNG or a JPEG."


def test_a_picture_is_taken_for_what_it_is_and_a_person_may_say_otherwise(page, tmp_path):
    blobs = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(blobs).resize((300, 200), Image.Resampling.BICUBIC).save(tmp_path / "photo.png")
    page.locator("#file").set_input_files(tmp_path / "photo.png")
    note = page.locator("#taken-for")
    until(page, "document.querySelector('#taken-for').innerText.includes('Taken for a photo')")
    taken = found(page)
    note.get_by_role("button", name="It is a drawing").click()
    until(page, "document.querySelector('#taken-for').innerText.includes('Taken for a drawing')")
    assert found(page) != taken
    note.get_by_role("button", name="It is a photo").click()
    until(page, "document.querySelector('#taken-for').innerText.includes('Taken for a photo')")
    assert found(page) == taken
    page.get_by_role("button", name="Clear").click()
    assert note.is_hidden()


@pytest.fixture(scope="module")
def named_address(named_index):
    with served(named_index) as address:
        yield address


def test_a_model_without_names_and_without_a_spatial_part_offers_neither(page):
    assert page.locator("#word").is_hidden()
    assert page.locator("#weigh").is_hidden()


def test_words_are_searched_and_held_by_the_address(browser, named_address, named_index):
    with visit(browser, named_address) as page:
        field = page.get_by_label("In words")
        field.fill("cat")
        until(page, "document.querySelector('#results').dataset.state === 'found'")
        cats = found(page)
        assert [name for name, *_ in cats] == [Path(hit.path).name for hit in named_index.search(text="cat", k=20)]
        until(page, "location.hash.includes('text=cat')")
        page.reload()
        assert found(page) == cats
        assert field.input_value() == "cat"
        field.fill("lion")
        field.press("Enter")
        until(page, "!document.querySelector('#problem').hidden")
        assert page.locator("#problem").inner_text() == "'lion' is not known by name; try cat"
        field.fill(65 * "a")
        field.press("Enter")
        until(page, "document.querySelector('#problem').textContent.includes('at most 64 characters')")
        assert found(page) == cats
        field.fill("")
        until(page, "document.querySelector('#results').dataset.state === 'empty'")


def test_a_name_is_chosen_by_keys_from_those_that_begin_with_the_text(browser, named_address):
    with visit(browser, named_address) as page:
        field, names = page.get_by_role("combobox", name="In words"), page.get_by_role("option")
        assert names.count() == 0
        field.press("ArrowDown")
        assert names.all_inner_texts() == ["bread", "cat", "cookie", "window"]
        field.press("Escape")
        assert (names.count(), field.get_attribute("aria-expanded")) == (0, "false")
        field.press_sequentially("c")
        assert names.all_inner_texts() == ["cat", "cookie"]
        assert field.get_attribute("aria-expanded") == "true"
        for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
            field.press(key)
        assert page.get_by_role("option", selected=True).inner_text() == "cookie"
        assert field.get_attribute("aria-activedescendant") == names.nth(1).get_attribute("id")
        field.press("Enter")
        assert (field.input_value(), names.count()) == ("cookie", 0)
        until(page, "location.hash.includes('text=cookie')")
        field.press_sequentially(", BR")
        field.press("ArrowDown")
        field.press("Enter")
        assert field.input_value() == "cookie, bread"
        until(page, "location.hash.includes('text=cookie&text=bread')")
        field.fill("o")  # in the middle of others
        assert names.all_inner_texts() == ["cookie", "window"]
        field.press("Tab")
        assert names.count() == 0


def test_a_browser_that_does_not_reflect_aria_has_the_roles_and_labels_too(browser, named_address):
    with visit(browser, named_address) as page:  # as Firefox before 119
        page.add_init_script("for (const name of ['role', 'ariaLabel']) delete Element.prototype[name];")
        circle(page)
        page.reload()
        page.get_by_role("button", name="Clear").click()
        assert page.get_by_role("button", name="Drawing 1 of 1").is_visible()
        page.get_by_role("combobox", name="In words").press_sequentially("c")
        page.get_by_role("option", name="cookie").click()
        assert page.get_by_role("combobox").input_value() == "cookie"


@pytest.mark.parametrize("size", SMALL, ids=str)
def test_a_name_is_chosen_with_a_finger_and_its_list_is_in_view(browser, named_address, size):
    with visit(browser, named_address, size, has_touch=True, reduced_motion="reduce", bypass_csp=True) as page:
        field, names = page.get_by_role("combobox", name="In words"), page.get_by_role("option")
        field.tap()
        field.press_sequentially("c")
        for name in ("cat", "cookie"):
            box = names.filter(has_text=name).bounding_box()
            assert box["height"] >= 44
            assert box["y"] + box["height"] <= size[1]
            assert box["x"] + box["width"] <= size[0]
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert findings(page) == []
        names.filter(has_text="cookie").tap()
        assert (field.input_value(), names.count()) == ("cookie", 0)
        until(page, "document.querySelector('#results').dataset.state === 'found'")
        assert page.evaluate("document.activeElement.id") == "text"


def test_how_things_lie_is_weighed_if_the_model_has_a_spatial_part(browser, address):
    asked = []

    def describe(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"spatial_share": 0.16})

    def search(route):
        asked.append(parse_qs(urlsplit(route.request.url).query))
        route.continue_(url=re.sub("&spatial_share=[^&]*", "", route.request.url))

    with visit(browser, address) as page:
        page.route("**/api/info", describe)
        page.route("**/api/search*", search)
        page.reload()
        until(page, "!document.querySelector('#weigh').hidden")
        page.get_by_role("button", name="Filter").click()
        circle(page)
        found(page)
        assert "spatial_share" not in asked[-1]  # the model's own
        page.locator("#share").fill("0.6")
        until(page, "location.hash.includes('spatial_share=0.6')")
        assert asked[-1]["spatial_share"] == ["0.6"]
        page.locator("#share").fill("0.15")
        until(page, "!location.hash.includes('spatial_share')")
        assert "spatial_share" not in asked[-1]


def test_photos_are_wanted_more_less_and_not_at_all(browser, address):
    with visit(browser, address) as page:
        circle(page)
        drawn = found(page)
        chips = page.locator("#examples li")
        page.locator("#grid li").nth(1).hover()
        page.locator("#grid li").nth(1).get_by_title("More like this").click()
        until(page, "document.querySelectorAll('#examples li').length === 1")
        page.locator("#grid button").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Not this").click()
        until(page, "document.querySelectorAll('#examples li').length === 2")
        judged = found(page)
        assert drawn[0][0] not in judged[:1]
        until(page, "/more=[0-9a-f]{24}&not=[0-9a-f]{24}/.test(location.hash)")
        page.reload()
        assert found(page) == judged
        assert chips.count() == 2
        page.get_by_role("button", name="More like this: take it back").press("Enter")
        until(page, "document.querySelectorAll('#examples li').length === 1")
        assert page.evaluate("document.activeElement.ariaLabel") == "Not this: take it back"
        page.get_by_role("button", name="Forget these").press("Enter")
        assert page.evaluate("document.activeElement.id") == "canvas"
        assert found(page) == drawn
        assert page.locator("#examples").is_hidden()


def test_the_focus_stays_in_the_photos_when_they_change(page):
    circle(page)
    found(page)
    focused = "document.activeElement.matches('#grid button')"
    for name in ("Not this", "Less like this", "Find photos like this one"):
        page.locator("#grid button").nth(1).focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name=name).click()
        until(page, "!document.querySelector('#viewer').open")
        found(page)
        until(page, focused)


def test_the_eraser_the_width_and_the_pressure_of_a_pen_change_the_ink(page):
    draw(page, (0.2, 0.5), (0.8, 0.5))
    thin = ink(page)
    page.get_by_role("button", name="Eraser").click()
    page.locator("#width").fill("32")
    draw(page, (0.1, 0.5), (0.9, 0.5))
    assert ink(page) < thin / 20
    assert state(page) == "blank"
    page.get_by_role("button", name="Pen", exact=True).click()
    draw(page, (0.2, 0.3), (0.8, 0.3))
    assert ink(page) > 2 * thin
    box = page.locator("#canvas").bounding_box()
    pen = page.context.new_cdp_session(page)
    marks = []
    for force, height in ((0.1, 0.6), (1, 0.8)):
        before = ink(page)
        for kind, across in (("mousePressed", 0.2), ("mouseMoved", 0.5), ("mouseMoved", 0.8), ("mouseReleased", 0.8)):
            place = {"x": box["x"] + across * box["width"], "y": box["y"] + height * box["height"]}
            how = {"pointerType": "pen", "force": force, "button": "left", "buttons": 1}
            pen.send("Input.dispatchMouseEvent", {"type": kind, **place, **how})
        page.wait_for_timeout(60)
        marks.append(ink(page) - before)
    assert marks[1] > 1.5 * marks[0] > 0


def test_an_answer_that_is_late_is_never_shown(page):
    held = []

    def hold_first(route):
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/search*", hold_first)
    circle(page)
    page.wait_for_timeout(100)
    cross(page)
    newest = found(page)
    assert len(newest) == 20
    held[0].abort()
    page.wait_for_timeout(100)
    assert found(page) == newest


def test_slow_and_failed_answers_are_told_and_can_be_asked_again(page):
    page.route("**/api/search*", lambda route: (time.sleep(1.4), route.continue_()))
    draw(page, (0.5, 0.5))
    until(page, "document.querySelector('#line').textContent.includes('Still searching')")
    until(page, "document.querySelector('#results').dataset.state === 'found'")
    page.unroute("**/api/search*")
    page.route("**/api/search*", lambda route: route.abort())
    cross(page)
    assert state(page) == "failed"
    assert page.get_by_text("Is sketchy serve still running?").is_visible()
    page.unroute("**/api/search*")
    page.route("**/api/search*", lambda route: route.fulfill(status=503, json={"error": "too many `queries` wait"}))
    page.get_by_role("button", name="Try again").click()
    until(page, "document.querySelector('#reason').textContent === 'Too many queries wait'")
    assert not page.get_by_text("Is sketchy serve still running?").is_visible()
    page.unroute("**/api/search*")
    page.get_by_role("button", name="Try again").press("Enter")
    assert len(found(page)) == 20
    assert page.evaluate("document.activeElement.id") == "canvas"
    page.route("**/api/search*", lambda route: route.fulfill(json={"results": []}))
    page.get_by_role("button", name="Filter").click()
    page.locator("#category").select_option("bar")
    until(page, "document.querySelector('#results').dataset.state === 'none'")


def test_a_finger_draws_on_a_phone(browser, address):
    with visit(browser, address, PHONE, has_touch=True, is_mobile=True, device_scale_factor=2) as page:
        box = page.locator("#canvas").bounding_box()
        finger = page.context.new_cdp_session(page)
        for kind, place in (("touchStart", 0.2), ("touchMove", 0.4), ("touchMove", 0.6), ("touchEnd", None)):
            points = [] if place is None else [{"x": box["x"] + place * box["width"], "y": box["y"] + 80 + 90 * place}]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert len(found(page)) == 20
        assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("size", [PHONE, (768, 1024), DESKTOP, WALL], ids=str)
def test_everything_fits_at_every_width(browser, address, size):
    with visit(browser, address, size, reduced_motion="reduce") as page:
        circle(page)
        assert len(found(page)) == 20
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        for name in ("canvas", "tools", "bar", "grid"):
            box = page.locator(f"#{name}").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size[0]
        tools = [page.locator(f"#{name}").bounding_box() for name in ("pen", "save")]
        assert abs(tools[0]["y"] - tools[1]["y"]) < 2  # one line
        tiles = [tile.bounding_box() for tile in page.locator("#grid li").all()]
        first_row = [tile for tile in tiles if abs(tile["y"] - tiles[0]["y"]) < 1]
        assert first_row[-1]["x"] + first_row[-1]["width"] == pytest.approx(box["x"] + box["width"], abs=1)
        assert all(tile["width"] >= 80 for tile in tiles)


@pytest.mark.parametrize("size", [(320, 640), (360, 640), (844, 390), (820, 1180)], ids=str)
def test_everything_to_press_is_large_enough_for_a_finger(browser, address, size):
    small = """() => [...document.querySelectorAll('button, a:not(.skip), select, input')].filter((each) => {
        const {width, height} = each.getBoundingClientRect();
        return width && (height < 44 || width < 38);
    }).map((each) => each.outerHTML.slice(0, 80))"""
    with visit(browser, address, size, has_touch=True, is_mobile=True, reduced_motion="reduce") as page:
        assert page.evaluate(small) == []
        circle(page)
        found(page)
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("button", name="Select").click()
        page.locator("#grid button").nth(1).click()
        assert page.evaluate(small) == []
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        tools = page.locator("#tools button").evaluate_all(
            "all => all.map((each) => each.getBoundingClientRect()).map((box) => [box.left, box.right])"
        )
        assert min(left for left, _ in tools) >= 0
        assert max(right for _, right in tools) <= size[0]
        page.get_by_role("button", name="None").click()
        page.locator("#grid button").first.click()
        until(page, "document.querySelector('#viewer .path').textContent")
        assert page.evaluate(small) == []


def test_a_phone_shows_how_long_the_photos_still_take(browser, address):
    with visit(browser, address, (360, 640)) as page:
        whole = page.locator("#gallery").evaluate("""(line) => {
            line.textContent = '23,520 of 47,057 photos in Pictures, 9 min left';
            return line.scrollHeight <= line.clientHeight && line.scrollWidth <= line.clientWidth;
        }""")
        assert whole
        assert page.locator("header").bounding_box()["height"] <= 56


@pytest.mark.parametrize("size", SMALL, ids=str)
@pytest.mark.parametrize("filtered", [False, True])
def test_the_sheet_and_the_nearest_photo_are_in_view_together(browser, address, size, filtered):
    fragment = "#category=bar&k=30" if filtered else ""
    with visit(browser, address, size, fragment, reduced_motion="reduce") as page:
        circle(page)
        assert found(page)
        sheet, photo = (page.locator(each).first.bounding_box() for each in ("#canvas", "#grid .photo"))
        for box in (sheet, photo):
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= size[1]
            assert box["x"] + box["width"] <= size[0]
        assert min(sheet["width"], sheet["height"]) >= 270
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        shown = page.get_by_role("button", name="Filter").inner_text()
        assert shown == ("Filter · 1" if filtered else "Filter")
        assert page.locator("#bar").bounding_box()["height"] <= 48
        assert page.locator("#filters").is_hidden()


@pytest.mark.parametrize("size", SMALL, ids=str)
def test_the_photos_stay_in_view_below_filters_words_and_examples(browser, named_address, size):
    with visit(browser, named_address, size, "#text=cat", reduced_motion="reduce", has_touch=True) as page:
        found(page)
        page.locator("#grid button").first.click()
        page.get_by_role("dialog").get_by_role("button", name="More like this").click()
        circle(page)
        page.get_by_role("button", name="Filter").click()
        assert found(page)
        sheet, photo = (page.locator(each).first.bounding_box() for each in ("#canvas", "#grid .photo"))
        assert sheet["y"] >= 0
        assert sheet["y"] + sheet["height"] <= size[1]
        assert photo["y"] + 64 <= size[1]
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert page.evaluate("scrollY") == 0
        for control in page.locator("#filters :is(select, input, button:enabled):visible").all():
            control.focus()  # as the key Tab does, which scrolls to it
            page.wait_for_function("() => document.activeElement.getBoundingClientRect().right <= innerWidth")
            assert control.bounding_box()["x"] >= 0


NOTICE = {"running": False, "done": 40, "total": 40, "seconds_left": None, "error": "gone " * 60, "unreadable": 0}


@pytest.mark.parametrize("size", SMALL, ids=str)
def test_a_notice_leaves_the_sheet_where_it_is(browser, address, size):
    with visit(browser, address, size) as page:
        before = page.locator("#canvas").bounding_box()
        status = {"photos": 40, "updates": 0, "indexing": NOTICE}
        page.route("**/api/status", lambda route: route.fulfill(json=status))
        page.reload()
        until(page, "!document.querySelector('#notice').hidden")
        assert page.locator("#canvas").bounding_box() == before
        assert page.locator("#notice").bounding_box()["height"] < 150


def test_the_page_tells_that_the_server_is_gone_and_searches_again_once_it_is_back(browser, address):
    with visit(browser, address) as page:
        page.clock.install()
        page.reload()
        page.route("**/api/**", lambda route: route.abort())
        circle(page)
        page.clock.run_for(5000)
        until(page, "document.querySelector('#gallery').textContent === 'The server does not answer'")
        until(page, "document.querySelector('#results').dataset.state === 'failed'")
        page.unroute("**/api/**")
        page.clock.run_for(5000)
        until(page, "document.querySelector('#gallery').textContent.startsWith('40 photos in')")
        page.clock.run_for(1000)
        until(page, "document.querySelectorAll('#grid li').length === 20")


def test_more_photos_are_shown_below_as_long_as_there_are_some(page):
    circle(page)
    found(page)
    more = page.get_by_role("button", name="Show more")
    more.click()
    until(page, "document.querySelectorAll('#grid li').length === 40")
    until(page, "location.hash.includes('k=40')")
    more.click()
    until(page, "document.querySelector('#more').hidden")
    assert len(found(page)) == 40
    page.get_by_role("button", name="Clear").click()
    assert more.is_hidden()


def test_all_photos_are_selected_at_once_and_saved_from_the_end_of_the_list(page):
    circle(page)
    found(page)
    page.get_by_role("button", name="Select").click()
    page.get_by_role("button", name="All", exact=True).click()
    assert page.locator("#selected").inner_text() == "20 selected"
    assert page.locator("#grid li.is-selected").count() == 20
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    save = page.get_by_role("link", name="Save")
    assert 0 <= save.bounding_box()["y"] < DESKTOP[1] / 2
    with page.expect_download() as saving:
        save.click()
    with zipfile.ZipFile(saving.value.path()) as archive:
        assert len(archive.namelist()) == 20
    page.locator("#grid button").first.click()  # takes it back
    assert page.locator("#selected").inner_text() == "19 selected"


def test_the_signs_on_a_narrow_photo_stay_on_it_and_can_be_hit(page):
    circle(page)
    found(page)
    boxes = page.locator("#grid li").first.evaluate("""(tile) => {
        tile.style.transition = 'none';
        tile.style.width = '82px';
        tile.querySelector('.judge').style.display = 'flex';
        const box = ({ left, right, height }) => [left, right, height];
        return [tile, ...tile.querySelectorAll('.judge span')].map((each) => box(each.getBoundingClientRect()));
    }""")
    tile, *signs = boxes
    for left, right, height in signs:
        assert tile[0] <= left
        assert right <= tile[1]
        assert min(right - left, height) >= 24


def test_a_finger_turns_to_the_next_photo_and_back(browser, address):
    with visit(browser, address, PHONE, has_touch=True, is_mobile=True) as page:
        page.get_by_role("button", name="A drawing of a fish").tap()
        names = [name for name, _ in found(page)]
        page.locator("#grid button").first.tap()
        heading = page.get_by_role("dialog").get_by_role("heading")
        finger = page.context.new_cdp_session(page)
        for start, end, expected in ((250, 80, 1), (250, 80, 2), (80, 250, 1), (200, 190, 1)):
            for kind, x in (
                ("touchStart", start),
                ("touchMove", (start + end) / 2),
                ("touchMove", end),
                ("touchEnd", None),
            ):
                points = [] if x is None else [{"x": x, "y": 200}]
                finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            assert heading.inner_text() == names[expected]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_hints_in_text_fields_can_be_read(browser, address, theme):
    with visit(browser, address, color_scheme=theme) as page:
        page.get_by_role("button", name="Filter").click()
        colours = page.get_by_label("Name").evaluate("""(field) => [
            getComputedStyle(field, '::placeholder').color, getComputedStyle(document.documentElement).backgroundColor,
        ]""")
        dark, light = sorted(luminance(colour) for colour in colours)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour):
    """Return the relative luminance of a colour such as rgb(170, 162, 148), as WCAG 2 defines it."""
    channels = np.array([int(value) for value in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_filters_are_behind_a_button_and_are_cleared_together(page):
    circle(page)
    everything = found(page)
    button = page.get_by_role("button", name="Filter", exact=True)
    button.click()
    # Isolated: the number stays behind a name that is written from right to left.
    assert page.locator("#category option").nth(1).text_content() == "\u2068bar\u2069 (10)"
    page.get_by_label("Name").fill("p1.")  # a part of the name
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#grid li').length === 4")
    assert {name for name, _ in found(page)} == {"p1.jpg"}
    page.get_by_label("Name").fill("p1.*")
    page.keyboard.press("Enter")
    page.get_by_label("Category").select_option("disc")
    until(page, "document.querySelectorAll('#grid li').length === 1")
    assert found(page)[0][0] == "p1.jpg"
    page.keyboard.press("Escape")
    assert page.locator("#filters").is_hidden()
    page.get_by_role("button", name="Filter · 2").click()
    page.get_by_role("button", name="Clear filters").click()
    until(page, "document.querySelectorAll('#grid li').length === 20")
    assert found(page) == everything
    assert button.inner_text() == "Filter"


def searches_of(page):
    """Return a list that every search of a page is added to."""
    requests = []
    page.on("request", lambda request: requests.append(request) if "/api/search" in request.url else None)
    return requests


def test_a_drawing_is_sent_as_a_grey_png_that_the_server_reads(page):
    requests = searches_of(page)
    circle(page)
    until(page, "location.hash.includes('d=')")
    assert requests[-1].headers["content-type"] == "image/png"
    made = page.evaluate("""async () => {
        const { Exporter } = await import('/static/drawing.js');
        const { decode } = await import('/static/code.js');
        const marks = decode(new URLSearchParams(location.hash.slice(1)).get('d'));
        const exporter = new Exporter(320);
        const bytes = async (blob) => [...new Uint8Array(await blob.arrayBuffer())];
        return [await bytes(exporter.sketch(marks)), await bytes(await exporter.png(marks))];
    }""")
    sent, by_the_browser = (Image.open(BytesIO(bytes(content))) for content in made)
    assert (sent.format, sent.mode, sent.size) == ("PNG", "L", (320, 320))
    sent.verify()  # the checksums
    sent = np.asarray(Image.open(BytesIO(bytes(made[0]))))
    np.testing.assert_array_equal(sent, np.asarray(by_the_browser.convert("L")))
    assert sent.min() == 0


def test_a_hand_that_rests_before_it_lifts_the_pen_is_answered_by_the_search_of_the_stroke(page):
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 300, steps=8)
    during = found(page)
    page.wait_for_timeout(500)  # for further searches, of which there are none
    requests = searches_of(page)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert found(page) == during
    assert requests == []
    draw(page, (0.9, 0.1), (0.2, 0.7))
    found(page)
    assert len(requests) >= 1
    page.get_by_role("button", name="Undo").click()
    assert found(page) == during


def test_the_page_notes_when_all_photos_in_view_are_painted(page):
    circle(page)
    until(page, "performance.getEntriesByName('stroke to photos').length > 0")
    results, photos = page.evaluate("""() => {  // of one search: the results of the next may be there already
        const photos = performance.getEntriesByName('stroke to photos').at(-1);
        const results = performance.getEntriesByName('stroke to results');
        return [results.find((entry) => entry.startTime === photos.startTime).duration, photos.duration];
    }""")
    assert 0 < results <= photos


def test_photos_stay_where_they_are_until_the_pen_rests(page):
    circle(page)
    before = found(page)
    answers = []
    page.on("response", lambda response: answers.append(response) if "/api/search" in response.url else None)
    # In the page itself, as a busy machine would else let the pen rest in between.
    during = page.evaluate("""async () => {
        const canvas = document.querySelector('#canvas');
        const box = canvas.getBoundingClientRect();
        const pointer = (kind, step) => canvas.dispatchEvent(new PointerEvent(kind, {
            pointerId: 1, isPrimary: true, button: 0, bubbles: true,
            clientX: box.left + 20 + 9 * step, clientY: box.top + 150 + 100 * Math.sin(step),
        }));
        const seen = new Set();
        pointer('pointerdown', 0);
        for (let step = 1; step < 45; step++) {
            await new Promise((resolve) => setTimeout(resolve, 25));
            pointer('pointermove', step);
            seen.add([...document.querySelectorAll('#grid .name')].map((each) => each.textContent).join());
        }
        const shown = [...document.querySelectorAll('#grid img')].map((image) => image.src);
        const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
        pointer('pointerup', 45);
        return [[...seen], loaded.filter((name) => name.includes('/api/photos/') && !shown.includes(name))];
    }""")
    during, loaded = during
    assert during == [",".join(name for name, _ in before)]
    assert loaded  # those that come next
    assert len(answers) > 1
    assert found(page) != before


def test_a_drawing_survives_reload_and_clear(page):
    circle(page)
    drawn = found(page)
    page.reload()  # before the address is written
    assert found(page) == drawn
    cross(page)
    crossed = found(page)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert found(page) == drawn
    page.get_by_role("button", name="Redo").click()
    page.get_by_role("button", name="Redo").click()
    assert found(page) == crossed
    page.get_by_role("button", name="Clear").click()
    until(page, "location.hash === ''")
    page.reload()
    assert state(page) == "empty"
    page.get_by_role("button", name="Undo").click()
    assert found(page) == crossed


def test_a_picture_on_the_sheet_survives_reload(page, tmp_path):
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((60, 40, 220, 160), outline="black", width=5)
    picture.save(tmp_path / "drawn.jpg")
    page.locator("#file").set_input_files(tmp_path / "drawn.jpg")
    until(page, "document.querySelector('#results').dataset.state === 'found'")
    before = ink(page)
    page.reload()
    until(page, "document.querySelector('#results').dataset.state === 'found'")
    assert ink(page) == before > 0


def test_the_last_drawings_are_kept_and_can_be_forgotten(page, browser, address):
    circle(page)
    page.reload()
    draw(page, (0.3, 0.5), (0.7, 0.5))
    drawn = found(page)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="A drawing of a cup").click()
    found(page)
    page.get_by_role("button", name="Clear").click()
    recent = page.get_by_role("button", name=re.compile("Drawing . of"))
    assert recent.count() == 1  # one that goes on is one, and that of the page is none
    for height in range(1, 12):
        draw(page, (0.1, height / 12), (0.9, height / 12))
        page.get_by_role("button", name="Clear").click()
    assert recent.count() == 8
    page.goto(f"{address}/docs")
    page.goto(address)
    assert recent.count() == 8
    recent.nth(7).click()
    assert len(found(page)) == 20
    assert found(page) != drawn
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="forget them").click()
    assert recent.count() == 0
    assert page.evaluate("localStorage.drawings") == "[]"


def test_suggestions_say_what_to_draw(page):
    first = page.locator("#prompts button").all_inner_texts()
    assert {text.split()[1] for text in first} <= {"disc", "bar", "square", "cross"}
    page.get_by_role("button", name="others").click()
    assert page.locator("#prompts button").all_inner_texts() != first
    wanted = page.locator("#prompts button").first.inner_text()
    page.locator("#prompts button").first.click()
    assert page.locator("#hint").inner_text() == f"Draw {wanted}"
    assert page.evaluate("document.activeElement.id") == "canvas"


@pytest.mark.parametrize("size", [PHONE, (740, 360)], ids=str)
def test_suggestions_take_one_line_on_a_phone(browser, address, size):
    with visit(browser, address, size) as page:
        tops = page.locator(".prompts button:visible").evaluate_all("all => all.map((each) => each.offsetTop)")
        assert len(tops) == 3
        assert len(set(tops)) == 1


def test_captions_say_in_words_how_likely_a_photo_is(page):
    answers = []
    page.on("response", lambda response: answers.append(response) if "/api/search" in response.url else None)
    circle(page)
    found(page)
    result = answers[-1].json()["results"][0]
    score, word = result["score"], page.locator("#grid .likely").first.inner_text()
    expected = ["unlikely", "maybe", "likely", "very likely"][sum(score >= least for least in (0.25, 0.5, 0.75))]
    assert word == expected
    caption = page.locator("#grid .caption").first.inner_text()
    assert f"{result['distance']:.2f}" not in caption
    page.locator("#grid button").first.click()
    assert f"distance {result['distance']:.4f}" in page.locator("#viewer .details").inner_text()


def test_the_viewer_opens_downloads_and_shows_the_drawing_beside(page, launched, photos):
    circle(page)
    found(page)
    page.locator("#grid button").nth(1).click()
    viewer = page.get_by_role("dialog")
    viewer.get_by_role("button", name="Show in folder").click()
    until(page, "document.querySelector('#viewer .path').textContent")
    path = viewer.locator(".path").inner_text()
    viewer.get_by_role("button", name="Open").click()
    for _ in range(50):
        if len(launched) == 2:
            break
        page.wait_for_timeout(100)
    assert launched == [path, path]
    assert re.search(r"48 . 48 · [0-9]+ kB", viewer.locator(".facts").inner_text())
    with page.expect_download() as saving:
        viewer.get_by_role("link", name="Download").click()
    assert path.endswith(saving.value.suggested_filename)
    with open(path, "rb") as file, open(saving.value.path(), "rb") as saved:  # noqa: PTH123
        assert saved.read() == file.read()
    painted = page.evaluate("""() => {
        const canvas = document.querySelector('#viewer .query');
        return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value);
    }""")
    assert painted


def test_a_path_is_copied_where_the_browser_lends_no_clipboard(page):
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over the network
    circle(page)
    found(page)
    page.locator("#grid button").first.click()
    until(page, "document.querySelector('#viewer .path').textContent")
    path = page.locator("#viewer .path").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Copy path").click()
    until(page, "document.querySelector('#viewer .copy').textContent === 'Copied'")
    assert page.evaluate("getSelection().toString()") == path


def test_a_photo_that_cannot_be_opened_is_told(page):
    circle(page)
    found(page)
    page.route("**/open?*", lambda route: route.fulfill(status=503, json={"error": "no file manager answers"}))
    page.locator("#grid button").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Show in folder").click()
    until(page, "document.querySelector('#viewer .problem').textContent.includes('no file manager answers')")


def test_photos_that_are_selected_in_several_searches_are_saved_as_a_zip(page):
    circle(page)
    first = found(page)
    page.get_by_role("button", name="Select").click()
    page.locator("#grid button").nth(0).click()
    page.locator("#grid button").nth(3).click()
    page.locator("#grid button").nth(3).click()
    assert page.locator("#selected").inner_text() == "1 selected"
    cross(page)
    second = found(page)
    page.locator("#grid li:not(.is-selected) button").last.click()
    assert page.locator("#selected").inner_text() == "2 selected"
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save").click()
    with zipfile.ZipFile(saving.value.path()) as archive:
        assert len(archive.namelist()) == 2
        assert first[0][0] in archive.namelist()
        assert archive.testzip() is None
    assert len(second) == 20
    page.keyboard.press("Escape")
    page.locator("#grid button").first.click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Select")).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="None").click()
    assert page.locator("#selection").is_hidden()


def findings(page):
    from axe_playwright_python.sync_playwright import Axe

    told = Axe().run(page).response["violations"]
    return [(item["id"], item["impact"], item["nodes"][0]["html"][:200]) for item in told if item["impact"] != "minor"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(browser, address, theme):
    # The checker's own script is not the page's: the policy is off for it.
    with visit(browser, address, color_scheme=theme, bypass_csp=True, reduced_motion="reduce") as page:
        assert findings(page) == []
        circle(page)
        found(page)
        assert findings(page) == []
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("button", name="Select").click()
        page.locator("#grid button").nth(1).click()
        assert findings(page) == []
        page.get_by_role("button", name="None").click()
        page.locator("#grid button").first.click()
        until(page, "document.querySelector('#viewer .path').textContent")
        assert findings(page) == []
        page.get_by_role("button", name="Find photos like this one").click()
        found(page)
        assert findings(page) == []
        page.route("**/api/search*", lambda route: route.abort())
        page.get_by_role("button", name="Back to the drawing").click()
        until(page, "document.querySelector('#results').dataset.state === 'failed'")
        assert findings(page) == []


def test_the_theme_can_be_switched_and_stays(browser, address):
    with visit(browser, address, color_scheme="dark") as page:
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        dark = page.evaluate(ground)
        page.get_by_role("button", name=re.compile("light and dark")).click()
        assert page.evaluate(ground) != dark
        light = page.evaluate(ground)
        page.reload()
        assert page.evaluate(ground) == light


def test_the_api_is_described(browser, address):
    with visit(browser, address) as page:
        page.goto(f"{address}/docs")
        page.get_by_role("heading", name="POST /api/search").wait_for()
        assert page.get_by_role("row", name="k integer 1 to 100 10 Number of photos to return.").is_visible()
        assert page.locator("article").count() == 10


def test_the_description_of_the_api_fits_a_phone(browser, address):
    with visit(browser, address, (360, 640), bypass_csp=True) as page:
        page.goto(f"{address}/docs")
        page.get_by_role("heading", name="POST /api/search").wait_for()
        boxes = [each.bounding_box() for each in page.locator("main p, main pre, main h2").all()]
        assert min(box["x"] for box in boxes) >= 12
        assert max(box["x"] + box["width"] for box in boxes) <= 348
        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_photos_come_while_others_are_still_indexed_and_follow_the_folder(
    browser, model, photos, tmp_path, monkeypatch
):
    for category in ("disc", "bar", "square", "cross"):
        shutil.copytree(photos / category, tmp_path / "photos" / category)
    go, begun = threading.Event(), []
    embed = Model.embed_batch

    def wait_after_the_first_commit(self, images, kind):
        begun.append(len(images))
        if sum(begun) > 32:  # photos of the first commit
            assert go.wait(60)
        return embed(self, images, kind)

    monkeypatch.setattr(Model, "embed_batch", wait_after_the_first_commit)
    with open_index(model, str(tmp_path / "photos"), update=False) as index:
        follower = Follower(index)
        with served(index, follower=follower, root=tmp_path) as address, visit(browser, address) as page:
            circle(page)
            until(page, "document.querySelector('#results').dataset.state === 'waiting'")
            assert page.locator("#waiting").inner_text().startswith("The first photos are on their way.")
            try:
                with follower:
                    until(
                        page, "document.querySelector('#gallery').textContent.startsWith('32 of 40 photos in photos')"
                    )
                    assert page.locator("#indexing").get_attribute("max") == "40"
                    until(page, "document.querySelectorAll('#grid li').length === 20")
                    until(page, "document.querySelectorAll('#folder option').length > 1")
                    go.set()
                    until(page, "document.querySelector('#gallery').textContent === '40 photos in photos'")
                    assert page.locator("#indexing").is_hidden()
                    until(page, "document.querySelectorAll('#folder option').length === 5")
                    shutil.rmtree(tmp_path / "photos")
                    until(page, "document.querySelector('#notice').textContent.includes('kept 40 photos')")
                    assert len(found(page)) == 20
            finally:
                go.set()


def test_a_folder_without_photos_says_so_and_its_first_photos_are_counted(browser, model, photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    with open_index(model, str(folder), update=False) as index:
        follower = Follower(index)
        with follower, served(index, follower=follower, root=folder) as address, visit(browser, address, PHONE) as page:
            until(
                page,
                "document.querySelector('#notice').textContent.startsWith('There is nothing to search: no images')",
            )
            assert page.locator("#notice").bounding_box()["height"] < 160
            circle(page)
            until(page, "document.querySelector('#results').dataset.state === 'waiting'")
            assert page.locator("#waiting").inner_text().startswith("There are no photos yet.")
            assert page.locator("#line").inner_text() == "No photos yet."
            shutil.copy(next(photos.rglob("*.jpg")), folder)
            (folder / "cut.jpg").write_bytes(b"x")
            until(page, "document.querySelector('#gallery').textContent === '1 photo in photos, 1 cannot be read'")
            until(page, "document.querySelectorAll('#grid li').length === 1")
            assert page.locator("#notice").is_hidden()
