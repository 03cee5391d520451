// Notes in the browser's timeline how long a person waited, for scripts/measure_page.py.

/** Note when the results are painted ("stroke to results"), and when all photos in view are ("stroke to photos"). */
export function noteLatency(start) {
  requestAnimationFrame(() => {
    const missing = [...document.querySelectorAll("#grid img")].filter((image) => isInView(image) && !image.complete);
    afterPainting("stroke to results", start);
    if (!missing.length) return afterPainting("stroke to photos", start);
    const decoded = missing.map((image) => image.decode().catch(() => {})); // a broken one is not waited for
    Promise.all(decoded).then(() => requestAnimationFrame(() => afterPainting("stroke to photos", start)));
  });
}

/** Note the time at which the frame that is being made has been painted. */
function afterPainting(name, start) {
  setTimeout(() => performance.measure(name, { start }));
}

function isInView(image) {
  const { top, bottom } = image.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
