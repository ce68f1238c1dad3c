// An address holds what was asked: fields that are empty are left out of it.
document.getElementById("search").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData.entries()]) if (value === "") formData.delete(name);
});
