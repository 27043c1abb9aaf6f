"use strict";
// Every name from the record becomes text through textContent or an attribute; nothing here parses markup.
(() => {
  const record = JSON.parse(document.getElementById("record").textContent);
  const { nodes, edges, layers } = record;
  const { WIDTH, HEIGHT, LOSER, PAD } = layout;
  const MEANING = {
    "lower-layer": "a higher layer decides",
    "masked-by-unset": "a higher layer says @unset",
    "layer-disabled": "the layer is silent in this profile",
    "secrets-cannot-select": "a secret store chooses no adapter",
    "lower-priority": "ranked lower, or another was named",
    "not-installed": "its extra is not installed",
    "denied-by-profile": "on the deny list, or not for this profile",
    "missing-capability": "the slot asks for more",
  };
  const state = { words: [], chosen: null, zoom: 1, views: new Set(["losers", "idle"]) };
  const at = (id) => document.getElementById(id);

  function make(tag, looks, ...content) {
    const element = document.createElement(tag);
    if (looks) element.className = looks;
    element.append(...content.filter((part) => part !== null && part !== undefined && part !== ""));
    return element;
  }

  function paint(element, layer) {
    if (!layers[layer]) return element;
    element.style.setProperty("--fill", layers[layer].fill);
    element.style.setProperty("--line", layers[layer].line);
    element.classList.add("painted");
    return element;
  }

  // ---- the model: neighbours, and what a search looks at

  nodes.forEach((node, place) => {
    node.place = place;
    node.needs = [];
    node.users = [];
    node.losers = node.rivals.filter((rival) => rival.reason && (record.shadowed || !rival.ranked));
  });
  for (const [source, target, by] of edges) {
    nodes[source].needs.push([target, by]);
    nodes[target].users.push([source, by]);
  }
  for (const node of nodes) {
    node.isIdle = !record.part && node.kind === "adapter" && !node.users.length && !node.needs.length;
    node.hay = [node.id, node.winner, node.layer, node.scope, node.problem, ...node.aliases,
      ...node.rivals.map((rival) => rival.value), ...node.losers.map((rival) => rival.reason)].join("\n").toLowerCase();
  }

  function reached(start, side) {
    const found = new Set([start]), work = [start];
    while (work.length) {
      for (const [next] of nodes[work.pop()][side]) {
        if (!found.has(next)) {
          found.add(next);
          work.push(next);
        }
      }
    }
    return found;
  }

  // ---- drawing

  function drawn(node) {
    const title = make("b"), line = make("span");
    const button = make("button", "node", title, line);
    button.type = "button";
    button.tabIndex = -1;
    button.classList.toggle("function", !node.slot);
    button.classList.toggle("fault", Boolean(node.problem));
    button.classList.toggle("other", Boolean(node.elsewhere));
    title.textContent = node.name;
    const filled = node.winner === null ? "nobody" : `${brief(node.winner)} [${node.layer}]`;
    line.textContent = node.problem || (node.slot ? filled : node.kind);
    button.title = `${node.id}\n${node.winner || "nobody"} [${node.layer}]`;
    const spoken = [node.id, node.slot ? `filled by ${node.winner || "nobody"}` : "",
      node.slot && node.layer ? `layer ${node.layer}` : "", node.problem ? `problem ${node.problem}` : "",
      node.losers.length ? `${node.losers.length} shadowed` : ""];
    button.setAttribute("aria-label", spoken.filter(Boolean).join(", "));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => choose(node.place));
    if (node.slot) paint(button, node.layer);
    node.element = button;
    node.titled = title;
    node.dashed = node.losers.map((rival) => {
      const said = `[${rival.layer}] ${rival.reason}`;
      const loser = paint(make("div", "loser", `${brief(rival.value)} ${said}`), rival.layer);
      loser.title = `${rival.value} ${said}`;
      loser.addEventListener("click", () => choose(node.place));
      return loser;
    });
    return [button, ...node.dashed];
  }

  function breakable(text) {
    // A long name breaks between its parts.
    return text.split(/(?<=[.:/@])/).flatMap((part, position) => position ? [make("wbr"), part] : [part]);
  }

  function brief(value) {
    return value.slice(value.lastIndexOf(":") + 1);
  }

  function wire() {
    return document.createElementNS("http://www.w3.org/2000/svg", "path");
  }

  function curve(from, to) {
    let x = from.x + WIDTH, y = from.y + HEIGHT / 2, path = `M${x} ${y}`;
    const stops = to.bends.slice(from.column + 1, to.column).map((bend) => [bend.x, bend.y + bend.height / 2]);
    for (const [nextX, nextY] of [...stops, [to.x - 2, to.y + HEIGHT / 2]]) {
      const pull = nextX > x ? (nextX - x) / 2 : 120;
      path += ` C${x + pull} ${y} ${nextX - pull} ${nextY} ${nextX} ${nextY}`;
      [x, y] = [nextX + WIDTH, nextY];
      if (nextX < to.x - 2) path += ` H${x}`;
    }
    return path;
  }

  function mark(node) {
    const name = node.name, word = state.words.find((one) => name.toLowerCase().includes(one));
    const start = word ? name.toLowerCase().indexOf(word) : -1;
    const hit = make("mark", "", name.slice(start, start + (word || "").length));
    if (start < 0) node.titled.textContent = name;
    else node.titled.replaceChildren(name.slice(0, start), hit, name.slice(start + word.length));
  }

  function fits(node) {
    return state.words.every((word) => word.startsWith("layer:") && layers[word.slice(6)]
      ? node.slot && node.layer === word.slice(6) : node.hay.includes(word));
  }

  function waysOf(place) {
    return place === null ? [new Set(), new Set()] : [reached(place, "users"), reached(place, "needs")];
  }

  function shownNodes(up, down) {
    let shown = nodes.filter((node) => fits(node) && (state.views.has("idle") || !node.isIdle));
    for (const [view, wanted] of [["problems", "problem"], ["differs", "elsewhere"]]) {
      if (!state.views.has(view)) continue;
      const ways = new Set(nodes.filter((node) => node[wanted]).flatMap((node) => [...reached(node.place, "users")]));
      shown = shown.filter((node) => ways.has(node.place));
    }
    const matches = shown.length;
    const context = new Set([...shown.map((node) => node.place), ...up, ...down]);
    return [nodes.filter((node) => context.has(node.place)), matches];
  }

  function draw() {
    const [up, down] = waysOf(state.chosen);
    const [shown, matches] = shownNodes(up, down);
    for (const node of nodes) {
      node.height = HEIGHT + (state.views.has("losers") ? node.losers.length * (LOSER + 3) : 0);
    }
    const idle = shown.filter((node) => node.isIdle);
    const [columns, bottom] = layout.place(nodes, shown.filter((node) => !node.isIdle));
    at("idle").hidden = !idle.length;
    at("idle").style.left = `${PAD}px`;
    at("idle").style.top = `${bottom + PAD}px`;
    layout.placeIdle(idle, bottom + PAD + 30, Math.max(columns, layout.columnsIn(at("view").clientWidth / state.zoom)));
    const visible = new Set(shown.map((node) => node.place));
    for (const node of nodes) show(node, visible.has(node.place), up.has(node.place) || down.has(node.place));
    drawWires(visible, up, down);
    at("canvas").classList.toggle("chosen", state.chosen !== null);
    at("canvas").style.width = `${Math.max(0, ...shown.map((node) => node.x + WIDTH)) + PAD}px`;
    at("canvas").style.height = `${Math.max(0, ...shown.map((node) => node.y + node.height)) + PAD}px`;
    const all = nodes.length;
    at("count").textContent = matches === all ? `${all} nodes` : matches ? `${matches} of ${all}` : "nothing matches";
    makeReachable();
  }

  function zoom(factor) {
    state.zoom = Math.min(2, Math.max(0.25, factor));
    at("canvas").style.zoom = state.zoom;
    at("zoom-fit").textContent = `${Math.round(state.zoom * 100)} %`;
  }

  function fit(least) {
    zoom(Math.max(least, Math.min(1, at("view").clientWidth / Math.max(1, parseFloat(at("canvas").style.width)))));
    if (nodes.some((node) => node.isIdle)) draw(); // they fill the width that there is now
  }

  function show(node, isShown, isOn) {
    node.isShown = isShown;
    for (const element of [node.element, ...node.dashed]) {
      element.hidden = !isShown || (element !== node.element && !state.views.has("losers"));
      element.classList.toggle("on", isOn);
    }
    if (!isShown) return;
    mark(node);
    node.element.setAttribute("aria-pressed", String(node.place === state.chosen));
    node.element.style.left = `${node.x}px`;
    node.element.style.top = `${node.y}px`;
    node.dashed.forEach((loser, position) => {
      loser.style.left = `${node.x + 12}px`;
      loser.style.top = `${node.y + HEIGHT + 3 + position * (LOSER + 3)}px`;
    });
  }

  function drawWires(visible, up, down) {
    edges.forEach(([source, target], position) => {
      const path = wires[position];
      const isShown = visible.has(source) && visible.has(target);
      path.style.display = isShown ? "" : "none";
      if (isShown) path.setAttribute("d", curve(nodes[source], nodes[target]));
      const isOn = (up.has(source) && up.has(target)) || (down.has(source) && down.has(target));
      path.classList.toggle("on", isOn);
    });
  }

  // ---- the panel: the stack of one node, or what there is to see

  function link(place, by) {
    const node = nodes[place];
    const button = make("button", node.slot ? "" : "function", node.slot ? node.name : node.id);
    button.type = "button";
    button.title = node.id;
    button.addEventListener("click", () => choose(place));
    if (node.slot) paint(button, node.layer);
    const filled = node.slot ? node.winner || "nobody" : "";
    return make("li", "", button, make("small", "", by.length ? by.join(", ") : filled));
  }

  function list(title, near) {
    if (!near.length) return [];
    const sorted = [...near].sort((one, other) => one[0] - other[0]);
    return [make("h3", "", `${title} (${near.length})`), make("ul", "", ...sorted.map(([place, by]) => link(place, by)))];
  }

  function chip(layer) {
    return paint(make("span", layers[layer] && layers[layer].silent ? "layer silent" : "layer", layer), layer);
  }

  function row(layer, looks, who, reason, ...notes) {
    const cell = make("td", who ? "" : "none", who ? make("span", "who", ...breakable(who)) : "says nothing", " ",
      reason ? make("span", "reason", reason) : null, ...notes.filter(Boolean).map((note) => make("small", "", note)));
    return make("tr", looks, make("td", "", layer ? chip(layer) : null), cell);
  }

  function rowsOf(node, layer) {
    const rows = [];
    if (node.winner !== null && node.layer === layer) rows.push(["won", node.winner, "", node.origin]);
    for (const rival of node.rivals.filter((one) => one.layer === layer)) {
      const verdict = rival.reason || (rival.status === "unset" ? "masks what lies below" : node.problem || "refused");
      const why = [MEANING[rival.reason], rival.detail].filter(Boolean).join(" \u00b7 ");
      rows.push([rival.reason ? "lost" : "", rival.value, verdict, why, rival.ranked ? "" : rival.origin]);
    }
    if (!rows.length) rows.push(["", "", ""]);
    return rows.map((cells, position) => row(position ? "" : layer, ...cells));
  }

  function stack(node) {
    const silent = Object.keys(layers).filter((layer) => node.rivals.some((r) => r.layer === layer)
      && !record.order.includes(layer));
    const shown = [...[...record.order].reverse(), ...silent];
    const table = make("table", "", make("tbody", "", ...shown.flatMap((layer) => rowsOf(node, layer))));
    table.setAttribute("aria-label", "Layers, high to low");
    return [make("h3", "", "Stack, high to low"), table];
  }

  function describe(node) {
    const filled = make("p", "filled", ...node.winner === null ? ["nobody fills it"] : breakable(node.winner));
    const decided = node.slot && node.winner !== null ? ["decided by ", chip(node.layer), " \u00b7 "] : [];
    const life = node.slot ? `scope ${node.scope} \u00b7 ${node.state === "ready" ? "built" : "not built"}` : node.kind;
    const parts = [make("h2", "", ...breakable(node.id)), filled, make("p", "soft", ...decided, life)];
    if (!node.slot && node.origin) parts.push(make("p", "soft", node.origin));
    if (node.aliases.length) parts.push(make("p", "soft", `alias ${node.aliases.join(", ")}`));
    if (node.problem) parts.push(make("p", "fault", node.problem));
    if (node.elsewhere) {
      const [winner, layer, problem] = node.elsewhere;
      const there = winner === null ? `nobody (${problem})` : `${winner} [${layer}]`;
      parts.push(make("p", "other", `under profile ${record.against}: ${there}`));
    }
    if (node.slot) parts.push(...stack(node));
    parts.push(...list("Needs", node.needs), ...list("Used by", node.users));
    const command = node.slot ? `oneiric explain ${node.name}` : "oneiric check";
    parts.push(make("h3", "", "On the command line"), make("p", "", make("code", "", command)));
    return parts;
  }

  function overview() {
    const parts = [make("h2", "", record.app), make("p", "soft", "Choose a node: its stack, and the ways through it.")];
    for (const note of record.notes) parts.push(make("p", "other", note));
    const faulty = nodes.filter((node) => node.problem).map((node) => [node.place, [node.problem]]);
    const other = nodes.filter((node) => node.elsewhere).map((node) => [node.place, []]);
    parts.push(...list("Problems", faulty), ...list(`Filled otherwise under ${record.against}`, other));
    const counts = Object.keys(layers).reverse().map((layer) =>
      [layer, nodes.filter((node) => node.slot && node.layer === layer).length]);
    const rows = counts.filter(([, count]) => count).map(([layer, count]) =>
      make("tr", "", make("td", "", chip(layer)), make("td", "", count === 1 ? "1 slot" : `${count} slots`)));
    if (rows.length) parts.push(make("h3", "", "Decided by"), make("table", "", make("tbody", "", ...rows)));
    return parts;
  }

  // ---- what a person does

  function choose(place) {
    state.chosen = place;
    const hash = place === null ? "" : `#${encodeURIComponent(nodes[place].id)}`;
    if (location.hash !== hash) history.replaceState(null, "", hash || "#");
    at("panel").replaceChildren(...(place === null ? overview() : describe(nodes[place])));
    at("panel").scrollTop = 0;
    draw();
    if (place !== null) nodes[place].element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function search(text) {
    at("query").value = text;
    state.words = text.toLowerCase().split(/\s+/).filter(Boolean);
    draw();
  }

  function makeReachable() {
    // One node is reached with Tab, the others from there with the arrow keys.
    const shown = nodes.filter((node) => node.isShown);
    const first = shown.find((node) => node.place === state.chosen) || shown[0];
    for (const node of nodes) node.element.tabIndex = node === first ? 0 : -1;
  }

  function step(from, key) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    let best = null, least = Infinity;
    for (const node of nodes) {
      const along = (node.x - from.x) * dx + (node.y - from.y) * dy;
      const across = Math.abs((node.x - from.x) * dy) + Math.abs((node.y - from.y) * dx);
      if (node.isShown && along > 0 && along + 3 * across < least) [best, least] = [node, along + 3 * across];
    }
    if (best) best.element.focus();
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const query = at("query"), isTyping = event.target === query;
    if (event.key === "Escape") {
      search("");
      choose(null);
      query.blur();
    } else if (event.key === "/" && !isTyping) {
      event.preventDefault();
      query.focus();
      query.select();
    } else if (event.key === "Enter" && isTyping) {
      const found = state.words.length ? nodes.find((node) => node.isShown && fits(node)) : null;
      if (found) {
        choose(found.place);
        found.element.focus();
      }
    } else if (event.key.startsWith("Arrow") && !isTyping) {
      const from = nodes.find((node) => node.element === event.target);
      if (from) {
        event.preventDefault();
        step(from, event.key);
      }
    }
  }

  // ---- what stands around the graph

  function toggle(view, text) {
    const button = make("button", "toggle", text);
    button.type = "button";
    button.id = `view-${view}`;
    button.setAttribute("aria-pressed", String(state.views.has(view)));
    button.addEventListener("click", () => {
      if (!state.views.delete(view)) state.views.add(view);
      button.setAttribute("aria-pressed", String(state.views.has(view)));
      draw();
    });
    return button;
  }

  function views() {
    const count = (wanted) => nodes.filter(wanted).length;
    const losers = nodes.reduce((sum, node) => sum + node.losers.length, 0);
    const offered = [
      ["losers", "shadowed", losers],
      ["idle", "not needed", count((node) => node.isIdle)],
      ["problems", "only problems", count((node) => node.problem)],
      ["differs", "only differing", count((node) => node.elsewhere)],
    ];
    return offered.filter(([, , some]) => some).map(([view, text, some]) => toggle(view, `${text} ${some}`));
  }

  function key(looks, text) {
    return make("span", "key", make("i", looks), text);
  }

  function legend() {
    const chips = Object.entries(layers).map(([layer, { silent }]) => {
      const button = paint(make("button", silent ? "layer silent" : "layer", layer), layer);
      button.type = "button";
      button.title = silent ? "silent in this profile" : `show what layer ${layer} decides`;
      button.disabled = silent;
      button.addEventListener("click", () => search(at("query").value === `layer:${layer}` ? "" : `layer:${layer}`));
      return button;
    });
    const between = chips.flatMap((one, position) => position && !one.disabled ? ["<", one] : [one]);
    const keys = [key("round", "function"), key("", "slot")];
    if (nodes.some((node) => node.losers.length)) keys.push(key("dashed", "shadowed"));
    if (nodes.some((node) => node.problem)) keys.push(key("fault", "problem"));
    if (record.against) keys.push(key("other", `other under ${record.against}`));
    return ["layers", ...between, make("span", "gap"), ...keys];
  }

  layout.findDepths(nodes);
  at("app").textContent = record.app;
  at("profile").textContent = `profile ${record.profile}` + (record.against ? ` against ${record.against}` : "");
  at("legend").append(...legend());
  at("views").append(...views());
  for (const node of nodes) node.dom = drawn(node);
  at("nodes").append(...nodes.flatMap((node) => node.dom));
  const wires = edges.map(wire);
  at("paths").append(...wires);
  at("query").addEventListener("input", (event) => search(event.target.value));
  document.addEventListener("keydown", pressed);
  window.addEventListener("resize", draw);
  at("zoom-out").addEventListener("click", () => zoom(state.zoom / 1.25));
  at("zoom-in").addEventListener("click", () => zoom(state.zoom * 1.25));
  at("zoom-fit").addEventListener("click", () => fit(0.25));
  const linked = nodes.find((node) => `#${encodeURIComponent(node.id)}` === location.hash);
  choose(linked ? linked.place : null);
  fit(0.75);
})();
