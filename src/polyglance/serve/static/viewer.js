// A picture opens in a dialog over the grid; arrows go on to the next, Esc closes it.
const viewer = document.getElementById("viewer");
const viewed = document.getElementById("viewed");
let latest = null; // the link of the picture that was seen last

const opener = () => {
  const seen = viewed.querySelector(".seen");
  return seen && document.getElementById(`picture-${seen.dataset.picture}`);
};

function neighbour(step) {
  const all = [...document.querySelectorAll(".tile > .picture")];
  const here = all.indexOf(opener());
  return here < 0 ? undefined : all[here + step];
}

function settle() {
  latest = opener();
  viewer.querySelector(".before").hidden = !neighbour(-1);
  viewer.querySelector(".after").hidden = !neighbour(1);
  if (viewer.open) return;
  viewer.showModal();
  history.pushState({ htmx: true, viewing: true }, "");
}

new MutationObserver(() => viewed.childElementCount && settle()).observe(viewed, { childList: true });

viewer.addEventListener("click", ({ target }) => {
  if (target.closest(".before")) neighbour(-1)?.click();
  else if (target.closest(".after")) neighbour(1)?.click();
  else if (target.closest(".close")) viewer.close();
  else if (target.closest(".leaves")) {
    history.replaceState({ htmx: true, leaving: true }, "");
    viewer.close();
  }
});

viewer.addEventListener("keydown", (event) => {
  const rtl = getComputedStyle(viewer).direction === "rtl";
  const step = { ArrowLeft: rtl ? 1 : -1, ArrowRight: rtl ? -1 : 1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  neighbour(step)?.click();
});

viewer.addEventListener("close", () => {
  viewed.replaceChildren();
  latest?.focus();
  latest?.dispatchEvent(new Event("htmx:abort")); // the next picture is not waited for
  if (history.state?.viewing) history.back();
});

// An open picture is an entry of the history beside that of its query: the way back closes it, and
// what it leads to takes its place.
let shown = location.href;
document.addEventListener("htmx:before:history:restore", (event) => {
  if (location.href !== shown) return;
  event.preventDefault();
  viewer.close();
  // After a way back the browser takes the focus away, but for one that changed meanwhile.
  document.activeElement.blur();
  latest?.focus();
});
document.addEventListener("htmx:before:history:update", ({ detail }) => {
  if (history.state?.leaving) detail.history.type = "replace";
});
document.addEventListener("htmx:after:history:update", () => {
  shown = location.href;
});
