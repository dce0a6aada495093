(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const samples = [...document.querySelectorAll("article.sample")];
  const types = [...form.querySelectorAll("input[type=checkbox][value]:not([name])")];
  const search = form.querySelector("input[type=search]");
  const texts = samples.map((sample) => sample.textContent.toLowerCase());
  const apply = () => {
    const wanted = new Set(types.filter((box) => box.checked).map((box) => box.value));
    const flagged = form.elements.flagged?.checked;
    const words = search.value.toLowerCase().trim();
    let shown = 0;
    samples.forEach((sample, number) => {
      const fits = (types.length === 0 || wanted.has(sample.dataset.type)) &&
        (!flagged || sample.dataset.flagged === "1") && texts[number].includes(words);
      sample.hidden = !fits;
      shown += fits;
    });
    form.querySelector("output").textContent = `${shown} of ${samples.length} shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
})();
