// A slider with a label that is its name, the value beside it. It tells Python once it is let go.
let count = 0;

function render({ model, el }) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const shown = document.createElement("span");  // the input itself says its value
  input.type = "range";
  input.id = `dfs-decision-${++count}-${model.get("name")}`;
  input.dataset.decision = model.get("name");
  label.htmlFor = input.id;
  input.dataset.lmSuppressShortcuts = "true";  // the notebook has its own use for the arrow keys
  shown.className = "dfs-decided";
  shown.ariaHidden = "true";
  label.textContent = model.get("label");
  for (const bound of ["min", "max", "step"]) input[bound] = model.get(bound);
  const row = document.createElement("div");  // the style of `el` is the widget's layout
  row.style.cssText = "display: grid; grid-template-columns: 180px minmax(120px, 340px) 4em; gap: 10px; align-items: center";
  row.append(label, input, shown);
  el.append(row);

  const show = () => { input.value = shown.textContent = model.get("value"); };
  input.addEventListener("input", () => { shown.textContent = input.value; });
  input.addEventListener("change", () => { model.set("value", Number(input.value)); model.save_changes(); });
  model.on("change:value", show);
  show();
  return () => model.off("change:value", show);
}

export default { render };
