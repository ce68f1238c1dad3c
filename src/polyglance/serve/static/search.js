// An address holds what was asked: fields that are empty are left out of it.
document.getElementById("search").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData.entries()]) if (value === "") formData.delete(name);
});

// The page in another language asks what was asked last.
document.querySelector("footer nav").addEventListener("click", ({ target }) => {
  const link = target.closest("a");
  if (!link) return;
  const here = new URL(location);
  here.searchParams.set("ui", link.hreflang);
  link.href = here;
});

// A field that keeps the form from being sent can be seen.
document.addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), true);

// Where the focus went with what was replaced, it goes on from the results.
document.addEventListener("htmx:after:swap", () => {
  if (document.activeElement === document.body) {
    document.getElementById("results").focus({ preventScroll: true });
  }
});
