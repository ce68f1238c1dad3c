// A picture opens in a dialog over the grid; arrows go on to the next, Esc closes it.
const viewer = document.getElementById("viewer");
const viewed = document.getElementById("viewed");

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
  viewer.dir = document.getElementById("results").dir;
  viewer.querySelector(".before").hidden = !neighbour(-1);
  viewer.querySelector(".after").hidden = !neighbour(1);
  if (!viewer.open) viewer.showModal();
}

new MutationObserver(() => viewed.childElementCount && settle()).observe(viewed, { childList: true });

viewer.addEventListener("click", ({ target }) => {
  if (target.closest(".before")) neighbour(-1)?.click();
  else if (target.closest(".after")) neighbour(1)?.click();
  else if (target.closest(".close, .leaves")) viewer.close();
});

viewer.addEventListener("keydown", (event) => {
  const rtl = getComputedStyle(viewer).direction === "rtl";
  const step = { ArrowLeft: rtl ? 1 : -1, ArrowRight: rtl ? -1 : 1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  neighbour(step)?.click();
});

viewer.addEventListener("close", () => {
  const back = opener();
  viewed.replaceChildren();
  back?.focus();
});
