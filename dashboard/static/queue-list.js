// The list of what waits: rows are text (never HTML), chosen by click or by J and K, ticked for deciding together.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const list = parentElement.querySelector(".list");
  const scrolled = list.scrollTop;

  const piece = (tag, cls, text) => {
    const made = document.createElement(tag);
    if (cls) made.className = cls;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const row = (one) => {
    const item = piece("li", "row" + (one.id === data.open ? " open" : ""));
    item.dataset.id = one.id;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(one.id === data.open));
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = data.ticked.includes(one.id);
    tick.setAttribute("aria-label", "Decide together: " + one.subject);
    tick.onclick = (event) => event.stopPropagation();
    tick.onchange = () => {
      // what is ticked on the screen, for two quick ticks come before the first one is drawn; and what is ticked on other pages
      const elsewhere = data.ticked.filter((id) => !data.rows.some((other) => other.id === id));
      const here = [...list.querySelectorAll("input:checked")].map((box) => box.closest("li").dataset.id);
      setTriggerValue("ticked", [...elsewhere, ...here]);
    };
    const text = piece("div", "text");
    const first = piece("div", "line");
    first.append(piece("span", "subject", one.subject), piece("span", "money", one.money));
    const second = piece("div", "line");
    second.append(piece("span", "verdict", one.verdict), piece("span", "due " + one.urgency, one.due));
    const third = piece("div", "line marks");
    for (const [kind, word] of one.marks) third.append(piece("span", "mark " + kind, word));
    text.append(first, second, third);
    item.append(tick, text);
    item.onclick = () => {
      setTriggerValue("open", one.id);
      // where the card stands below the list
      if (matchMedia("(max-width: 640px)").matches) document.querySelector(".st-key-card")?.scrollIntoView({ behavior: "smooth" });
    };
    return item;
  };

  list.replaceChildren(...data.rows.map(row));
  list.scrollTop = scrolled;
  const open = list.querySelector(".open");
  if (open) {
    list.dataset.last = data.rows.findIndex((one) => one.id === data.open);
    const above = open.offsetTop < list.scrollTop;
    const below = open.offsetTop + open.offsetHeight > list.scrollTop + list.clientHeight;
    if (above || below) open.scrollIntoView({ block: "nearest" });
  }

  const writing = (target) => target.closest && target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], [role=dialog]");
  const step = (by) => {
    const ids = data.rows.map((one) => one.id);
    const at = ids.indexOf(data.open);
    // where the open row is gone, the one after it has come into its place
    const goal = at >= 0 ? at + by : list.dataset.last === undefined ? 0 : Number(list.dataset.last) + Math.min(by, 0);
    const next = ids[Math.min(Math.max(goal, 0), ids.length - 1)];
    if (next && next !== data.open) setTriggerValue("open", next);
  };
  const onKey = (event) => {
    const target = event.composedPath()[0];
    const reason = document.querySelector(".st-key-reason input");
    if (target === reason && event.key === "Escape") {
      reason.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || writing(target)) return;
    if (event.key === "j" || (event.key === "ArrowDown" && list.contains(target))) step(1);
    else if (event.key === "k" || (event.key === "ArrowUp" && list.contains(target))) step(-1);
    else if (event.key === "w" && reason) reason.focus();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
