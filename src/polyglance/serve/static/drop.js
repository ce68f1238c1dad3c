// A picture that is dropped on the page, or pasted into it, is searched by: a file as an upload, a
// picture of the page itself as "more like this".
const overlay = document.getElementById("drop");
const field = document.getElementById("image");
let dragged = null;

function send(files) {
  // A browser knows few types: what a single file is, the server tells.
  const picture = [...files].find((file) => file.type.startsWith("image/")) ?? files[0];
  if (!picture) return false;
  const transfer = new DataTransfer();
  transfer.items.add(picture);
  field.files = transfer.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

const carries = ({ dataTransfer }) => dragged || dataTransfer.types.includes("Files");

document.addEventListener("dragstart", ({ target }) => {
  dragged = target.closest?.(".tile") ?? null;
});
document.addEventListener("dragend", () => {
  dragged = null;
  overlay.classList.remove("over");
});
document.addEventListener("dragover", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  overlay.classList.toggle("over", !dragged || !event.target.closest(".tile"));
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) overlay.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  overlay.classList.remove("over");
  if (!carries(event)) return;
  event.preventDefault();
  if (!dragged) send(event.dataTransfer.files);
  else if (!event.target.closest(".tile")) dragged.querySelector(".like").click();
});
document.addEventListener("paste", (event) => {
  const isText = event.clipboardData.types.includes("text/plain");
  if (isText && event.target.matches("input, textarea")) return;
  if (send(event.clipboardData.files)) event.preventDefault();
});
// The same picture chosen again is a change again.
document.addEventListener("htmx:finally:request", ({ target }) => {
  if (target === field.form) target.reset();
});
