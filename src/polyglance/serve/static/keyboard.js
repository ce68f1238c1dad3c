// "/" goes to the search box; arrows go from picture to picture as they lie on the screen.
const tiles = () => [...document.querySelectorAll(".tile > .picture")];
const isField = (element) => element.matches("input, select, textarea, [contenteditable]");

function beside(here, key) {
  const all = tiles();
  const forward = getComputedStyle(here).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  return all[all.indexOf(here) + (key === forward ? 1 : -1)];
}

// Of the nearest row above or below, the picture whose middle is nearest.
function acrossRows(here, key) {
  const from = here.getBoundingClientRect();
  const down = key === "ArrowDown" ? 1 : -1;
  const places = tiles()
    .map((tile) => ({ tile, box: tile.getBoundingClientRect() }))
    .filter(({ box }) => (box.top - from.top) * down > 1);
  const row = Math.min(...places.map(({ box }) => Math.abs(box.top - from.top)));
  const middle = (box) => box.left + box.width / 2;
  const off = (place) => Math.abs(middle(place.box) - middle(from));
  return places
    .filter(({ box }) => Math.abs(box.top - from.top) < row + 2)
    .sort((one, other) => off(one) - off(other))[0]?.tile;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const here = document.activeElement;
  if (event.key === "/" && !isField(here)) {
    event.preventDefault();
    document.getElementById("q").select();
    return;
  }
  if (!event.key.startsWith("Arrow")) return;
  const tile = here.closest(".tile")?.querySelector(".picture");
  let next = null;
  if (tile) next = /Left|Right/.test(event.key) ? beside(tile, event.key) : acrossRows(tile, event.key);
  else if (event.key === "ArrowDown" && (!isField(here) || here.id === "q")) next = tiles()[0];
  if (!next) return;
  event.preventDefault();
  next.focus();
});
