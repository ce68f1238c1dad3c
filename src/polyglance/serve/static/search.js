// An address holds what was asked: fields that are empty are left out of it.
document.getElementById("search").addEventListener("formdata", (event) => {
  for (const input of event.target.elements)
    if (input.name && input.value === "" && input.form === event.target && input.closest("#filters"))
      event.formData.delete(input.name);
});
