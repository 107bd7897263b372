"""How many pictures a second the explorer decodes under a hand that drags: `python benchmarks/explorer.py RUN`

Opens the page of a run in headless Chromium, live (from the embedded server, which it starts) and as one file, and drags
the cursor around the map, a new place in each of the browser's animation frames. Prints the animation frames a second,
in how many of them a newly decoded picture was painted, and the processor time a picture that the page's main thread
and the server took. Before that, prints how long the live page takes to open, the first time (remove the folder
`explorer` in the run before) and the second, when its map is kept with the run; and the size of the file and the time that it
takes to open. Give a run of MNIST-sized images. A busy machine changes the first two figures and not the others.

    python benchmarks/explorer.py saved_models/mnist-vae-32
    python benchmarks/explorer.py saved_models/mnist-vae-32 --tab samples --seconds 20
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# A pointer of the page's own: a real one, sent from here, would take processor time that the page then lacks.
DRAG = """async (seconds) => {
    const map = document.querySelector(".above"), box = map.getBoundingClientRect();
    const picture = document.querySelector(".view figure:not(.given) canvas");
    const put = CanvasRenderingContext2D.prototype.putImageData;
    let fresh = false, painted = 0, frames = 0;
    CanvasRenderingContext2D.prototype.putImageData = function (...given) {
        fresh ||= this.canvas === picture;
        return put.apply(this, given);
    };
    map.setPointerCapture = () => {};
    const point = (kind, turn) => map.dispatchEvent(new PointerEvent(kind, { pointerId: 1, buttons: 1,
        clientX: box.x + box.width * (0.5 + 0.35 * Math.cos(turn)), clientY: box.y + box.height * (0.5 + 0.35 * Math.sin(1.7 * turn)) }));
    const frame = () => new Promise(requestAnimationFrame);
    point("pointerdown", 0);
    point("pointermove", 0.5);
    const begun = await frame();
    let now = begun;
    while (now < begun + 1000 * seconds) {
        point("pointermove", 2 * (now - begun) / 1000);
        now = await frame();
        frames++;
        if (fresh) painted++;
        fresh = false;
    }
    point("pointerup", 0);
    return { frames, painted, seconds: (now - begun) / 1000 };
}"""


def drag(page, address, seconds, server=None):
    """Prints a row on the page at `address`; `server` is the process that decodes, if there is one."""
    page.goto(address)
    page.wait_for_selector("#app[aria-busy=false]", timeout=600_000)
    page.evaluate(DRAG, 1.0)  # all that is compiled at first use is
    page.wait_for_timeout(1000)
    inspector = page.context.new_cdp_session(page)
    inspector.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = page_seconds(inspector), server_seconds(server)
    found = page.evaluate(DRAG, seconds)
    spent = page_seconds(inspector) - before[0], server_seconds(server) - before[1]
    in_page, in_server = (1000 * part / max(found["painted"], 1) for part in spent)
    rates = (found[key] / found["seconds"] for key in ("frames", "painted"))
    kind = "live" if server else "one file"
    print(
        f"| {kind} | {' | '.join(f'{rate:.1f}' for rate in rates)} | {in_page:.1f} | {in_server:.1f} |",
        flush=True,
    )


HEAD = "| page | frames/s | pictures/s | main thread, ms a picture | server, ms a picture |\n|---|---|---|---|---|"
OPENING = """() => new Promise((done) => {
    const painted = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN;
    const wait = (ready, then) => (ready() ? then(performance.now()) : requestAnimationFrame(() => wait(ready, then)));
    wait(() => document.querySelector("#app[aria-busy=false] .below")?.width > 300, (map) => {
        const picture = document.querySelector(".view figure:not(.given) canvas"), put = CanvasRenderingContext2D.prototype.putImageData;
        CanvasRenderingContext2D.prototype.putImageData = function (...given) {
            if (this.canvas === picture) done([painted(), map, performance.now() - map]);
            return put.apply(this, given);
        };
        const above = document.querySelector(".above"), box = above.getBoundingClientRect();
        above.setPointerCapture = () => {};
        for (const [kind, at] of [["pointerdown", 0.3], ["pointermove", 0.5]]) above.dispatchEvent(new PointerEvent(kind,
            { pointerId: 1, buttons: 1, clientX: box.x + box.width * at, clientY: box.y + box.height * at }));
    });
})"""


def opening(page, address):
    """Prints how long the page takes to its first paint, to the map, and from there to a dragged picture; in seconds."""
    page.goto(address, wait_until="commit")
    paint, shown, dragged = (value / 1000 for value in page.evaluate(OPENING))
    page.wait_for_function(
        "document.querySelector('.missing').hidden", timeout=1_200_000
    )  # all layers are kept
    print(
        f"first paint {paint:.2f} s, map {shown:.2f} s, picture under a first drag {dragged:.2f} s",
        flush=True,
    )


def page_seconds(inspector):
    """Returns the processor time that the page's main thread has taken so far."""
    values = inspector.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in values if metric["name"] == "TaskDuration")


def server_seconds(process):
    """Returns the processor time that a process has taken so far, all its threads (Linux); 0 of none."""
    if process is None:
        return 0.0
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def embedded(run):
    """Yields the URL of the explorer of a run and the process that serves it."""
    command = [sys.executable, "-m", "keras_vae.serving", "run", run, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().partition(" on ")[2].partition("/v1")[0] + "/", process
        finally:
            process.terminate()


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of dragging on each page")
    parser.add_argument("--tab", default="sliders", help="sliders, draw, paths, samples or layers")
    arguments = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        parser.error(f"none of {', '.join(BROWSERS)} is installed")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before this\n")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 860})
        state = f"#tab={arguments.tab}"
        for _ in range(2):
            with embedded(arguments.run) as (url, _server):
                opening(page, url)
        print(f"\n{HEAD}")
        with embedded(arguments.run) as (url, server):
            drag(page, url + state, arguments.seconds, server)
        file = pathlib.Path(folder) / "explorer.html"
        static = ["-m", "keras_vae.explorer", arguments.run, "--static", "--output", file]
        subprocess.run([sys.executable, *static], check=True, stdout=subprocess.DEVNULL)
        print(f"one file: {file.stat().st_size / 1e6:.2f} MB", flush=True)
        opening(page, file.as_uri())
        drag(page, file.as_uri() + state, arguments.seconds)
        chromium.close()


if __name__ == "__main__":
    main()
